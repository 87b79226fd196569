"""A whole giftserver for one benchmark: embedded engines, web, worker and flusher, each a process as in production.

The web process has a core of its own; everything else is on the core of whoever calls, where there are two. Limits that
are there to hold people back are raised.
"""

import asyncio
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

from giftserver.auth.tokens import mint
from giftserver.cli import load_settings
from giftserver.demo.run import child_command
from giftserver.durable import migrate
from giftserver.durable.rooms import set_live, upsert_room
from giftserver.durable.verify import VerifyReport, verify
from giftserver.embedded import Instance
from giftserver.embedded.engine import free_port
from giftserver.engines import Engines, open_engines
from giftserver.ledger import keys
from giftserver.settings import Settings
from loadtest.bench.sides import cpu_s, pinned
from loadtest.fund import fund

ROOT: Final = Path(__file__).resolve().parents[2]
SECRET: Final = "the secret of a benchmark, longer than 32 bytes"
MANY: Final = "1000000"
LIMITS: Final = {
    f"GIFTSERVER_{name}": MANY
    for name in (
        "COMMANDS_PER_S", "GIFTS_PER_S", "SOCKETS_PER_USER", "SOCKETS_PER_ADDRESS", "ORDERS_PER_ADDRESS",
        "ACCEPTS_PER_S", "BACKLOG_MAX",
    )
} | {"GIFTSERVER_LIMIT_DAY_COINS": "-1"}  # fmt: skip
RICH_COINS: Final = 10**9
TOKEN_S: Final = 840
READY_S: Final = 60.0
FLUSHED_S: Final = 600.0
STOP_S: Final = 30.0
LOOK_S: Final = 0.1


class Stack:
    """Running engines and processes. `open_stack` makes one."""

    def __init__(
        self, folder: Path, core: int | None, instance: Instance, engines: Engines, settings: Settings,
        environment: Mapping[str, str] = {}, workers: int | None = None,
    ) -> None:  # fmt: skip
        self._folder, self._core, self._instance = folder, core, instance
        self._given, self._workers = environment, workers
        self.engines, self.settings = engines, settings
        self.port = settings.port
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a giftserver process; those whose names begin with "web" on the core that is theirs."""
        with pinned(self._core if name.startswith("web") else None), (self._folder / f"{name}.log").open("wb") as log:
            self._children[name] = subprocess.Popen(
                self._command(name), stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env=self._environment(),
                start_new_session=True,
            )  # fmt: skip

    def _command(self, name: str) -> list[str]:
        if name.startswith("web") and self._workers is not None:
            return [*child_command("web"), "--workers", str(self._workers)]
        return list(child_command(name))

    @property
    def web_pids(self) -> list[int]:
        """The web processes."""
        parent = psutil.Process(self._children["web"].pid)
        return [parent.pid] if self._workers is None else [child.pid for child in parent.children()]

    def _environment(self) -> dict[str, str]:
        settings = self.settings
        urls = {
            "GIFTSERVER_LEDGER_REDIS_URL": str(settings.ledger_redis_url),
            "GIFTSERVER_ROOMS_REDIS_URL": str(settings.rooms_redis_url),
            "GIFTSERVER_DATABASE_URL": str(settings.database_url),
        }
        here = {"GIFTSERVER_PORT": str(self.port), "GIFTSERVER_JWT_SECRET": SECRET, "GIFTSERVER_VERIFY_EVERY_S": "0"}
        return dict(os.environ) | urls | here | LIMITS | dict(self._given)

    def stop(self, name: str) -> None:
        """SIGTERM, and by force what does not end in STOP_S."""
        process = self._children.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def stop_all(self) -> None:
        """End every process, the last one started first."""
        for name in reversed(list(self._children)):
            self.stop(name)

    async def ready(self, name: str = "web") -> None:
        """Return when gifts can be sent, and all processes of this name listen.

        Raises TimeoutError, with the end of the log.
        """
        until_s = time.monotonic() + READY_S
        while not (self._all_listen(name) and await asyncio.to_thread(self._is_ready)):
            if time.monotonic() > until_s:
                raise TimeoutError(f"the web process is not ready: {self._log(name)[-2_000:]}")
            await asyncio.sleep(LOOK_S)

    def _all_listen(self, name: str) -> bool:
        return self._workers is None or "workers_ready" in self._log(name)

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as response:
                return bool(json.load(response)["ready"])
        except (OSError, urllib.error.URLError, ValueError):
            return False

    def token(self, user: str, role: str = "viewer") -> str:
        """A token of somebody."""
        return mint(self.settings, user, user, role, None, TOKEN_S)

    async def open_rooms(self, rooms: Sequence[str]) -> None:
        """Rooms that are live, each with a creator of its own."""
        for room in rooms:
            creator = creator_of(room)
            await upsert_room(self.engines.database, room, creator=creator, creator_name=creator, title=room)
            await set_live(self.engines.database, room, True)

    async def accepted(self) -> int:
        """Gifts that the ledger has accepted."""
        redis = self.engines.ledger_redis
        return sum([int(await redis.hget(keys.meta(shard), "seq") or 0) for shard in range(keys.SHARDS)])

    async def flushed(self) -> None:
        """Return when every accepted gift is in PostgreSQL. Raises TimeoutError after FLUSHED_S."""
        redis = self.engines.ledger_redis
        async with asyncio.timeout(FLUSHED_S):
            for shard in range(keys.SHARDS):
                while True:
                    seq, flushed = await redis.hmget(keys.meta(shard), ["seq", "flushed"])
                    if int(seq or 0) <= int(flushed or 0):
                        break
                    await asyncio.sleep(LOOK_S)

    async def proof(self) -> VerifyReport:
        """What `giftserver verify` says."""
        return await verify(self.engines.database, self.engines.ledger_redis)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far: the web process, both Valkeys, and this process."""
        pids = {"web": self._children["web"].pid}
        pids |= {name: pid for name, pid in self._instance.pids.items() if name != "postgres"}
        used = {name: cpu_s(psutil.Process(pid)) for name, pid in pids.items()}
        return used | {"generator": time.process_time()}


def creator_of(room: str) -> str:
    """Id of the room's creator."""
    return f"{room}-creator"


@asynccontextmanager
async def open_stack(
    folder: Path, core: int | None, rooms: Sequence[str], people: Sequence[str],
    environment: Mapping[str, str] = {}, workers: int | None = None,
) -> AsyncIterator[Stack]:  # fmt: skip
    """A giftserver in this folder, with live rooms and rich people; web on `core`, the flusher not started yet.

    `environment` goes before what a benchmark sets; with `workers` there are so many web processes.
    """
    instance = Instance(folder / "engines")
    urls = await asyncio.to_thread(instance.start)
    try:
        assert urls.database_url is not None
        await migrate.upgrade(urls.database_url)
        settings = load_settings(**asdict(urls), jwt_secret=SECRET, port=free_port(), ledger_timeout_s=30.0)
        async with open_engines(settings) as engines:
            stack = Stack(folder, core, instance, engines, settings, environment, workers)
            try:
                await stack.open_rooms(rooms)
                await fund(settings, list(people), RICH_COINS)
                stack.start("worker")
                stack.start("web")
                await stack.ready()
                yield stack
            finally:
                await asyncio.to_thread(stack.stop_all)
    finally:
        await asyncio.to_thread(instance.stop)
