"""The browser SDK as one more witness, run by Node."""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROGRAM: Final = """
const [sdk, base, room] = process.argv.slice(1);
const { GiftClient } = await import(sdk);
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const client = new GiftClient({ base, room, storage: null });
client.addEventListener('welcome', () => tell({ type: 'welcome' }));
client.addEventListener('gift', ({ detail }) => tell(detail));
client.addEventListener('state', ({ detail: { state } }) => state === 'waiting' && tell({ type: 'waiting' }));
process.stdin.on('end', () => process.exit(0)).resume();
client.connect();
"""
NODE_OPTIONS: Final = (
    ["--input-type=module"],
    ["--input-type=module", "--experimental-websocket", "--no-warnings"],
)
"""Node 22 has a WebSocket of its own, Node 20 behind an option."""

PROBE_S: Final = 10.0


class SdkWatcher:
    """static/js/giftclient.js in a Node process, counting what it shows by the counting rule."""

    name = "browser SDK (Node)"

    def __init__(self, sdk: Path, base_url: str, room: str, prices_coins: Mapping[str, int]) -> None:
        self.shown_coins: Counter[str] = Counter()
        self.folded_coins = 0
        self.welcomed = asyncio.Event()
        self._sdk, self._base_url, self._room, self._prices = sdk, base_url, room, prices_coins
        self._outages = 0

    def coins_of(self, transfers: set[str]) -> int:
        """Coins shown for these transfers."""
        return sum(self.shown_coins[transfer] for transfer in transfers)

    def remarks(self) -> list[str]:
        """What happened on the way, in words."""
        return [f"{self._outages} waits for a connection"] if self._outages else []

    async def run(self, node: list[str]) -> None:
        """Watch until cancelled; `node` is the command of a Node that has a WebSocket."""
        process = await asyncio.create_subprocess_exec(
            *node, "-e", PROGRAM, self._sdk.as_uri(), self._base_url, self._room,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                self._take(json.loads(line))
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def _take(self, told: dict[str, str]) -> None:
        match told["type"]:
            case "welcome":
                self.welcomed.set()
            case "gift":
                self.shown_coins[told["transfer"]] += int(told["quantity"]) * self._prices[told["gift"]]
            case "waiting":
                self._outages += 1


async def find_node() -> list[str] | None:
    """The command of a Node that can run the SDK, None when there is none."""
    program = shutil.which("node")
    if program is None:
        return None
    for options in NODE_OPTIONS:
        test = "process.exit(typeof WebSocket === 'function' ? 0 : 1)"
        process = await asyncio.create_subprocess_exec(
            program, *options, "-e", test,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PROBE_S):
                if await process.wait() == 0:
                    return [program, *options]
        except TimeoutError:
            process.kill()
            await process.wait()
    return None
