"""The browser SDK as one more witness, run by Node."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Final

from giftserver.replay.tally import Tally

PROGRAM: Final = """
const [sdk, base, room] = process.argv.slice(1);
const { GiftClient } = await import(sdk);
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const client = new GiftClient({ base, room, storage: null });
for (const kind of ['welcome', 'gift', 'gifts_folded', 'combo_ended']) {
  client.addEventListener(kind, ({ detail }) => tell(detail));
}
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
    """static/js/giftclient.js in a Node process; what it shows is tallied."""

    name = "browser SDK (Node)"

    def __init__(self, sdk: Path, base_url: str, room: str, tally: Tally) -> None:
        self.tally = tally
        self.welcomed = asyncio.Event()
        self._sdk, self._base_url, self._room = sdk, base_url, room

    def remarks(self) -> list[str]:
        """What happened on the way, in words."""
        return self.tally.remarks()

    async def run(self, node: list[str]) -> None:
        """Watch until cancelled; `node` is the command of a Node that has a WebSocket."""
        process = await asyncio.create_subprocess_exec(
            *node, "-e", PROGRAM, self._sdk.as_uri(), self._base_url, self._room,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                message = json.loads(line)
                self.tally.take(message)
                if message["type"] == "welcome":
                    self.welcomed.set()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


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
