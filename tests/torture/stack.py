"""Engines and giftserver processes as they run in production, each of which can be killed, frozen and started again."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from giftserver.auth.tokens import mint
from giftserver.demo.run import child_command
from giftserver.durable import migrate
from giftserver.embedded.engine import Engine, free_port
from giftserver.embedded.folder import DataFolder
from giftserver.embedded.postgres import Postgres
from giftserver.embedded.valkey import LEDGER_OPTIONS, ROOMS_OPTIONS, Valkey
from giftserver.engines import Engines, open_engines
from giftserver.settings import Settings
from tests.torture.proxy import TcpProxy
from tests.torture.waiting import until

ROOT = Path(__file__).resolve().parents[2]
SECRET = "the secret of a torture run, longer than 32 bytes"
READY_S = 60.0
TOKEN_S = 840
PATIENCE_S = 20.0
LIMITS = {
    "COMMANDS_PER_S": 1_000_000, "GIFTS_PER_S": 1_000_000, "SOCKETS_PER_USER": 1_000, "ACCEPTS_PER_S": 100_000,
    "LIMIT_DAY_COINS": -1,
}  # fmt: skip


class Server:
    """One giftserver process; it ends with this one, whatever happens."""

    def __init__(self, name: str, command: str, folder: DataFolder, environment: Mapping[str, str]) -> None:
        self.name, self._command, self._folder = name, command, folder
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is frozen)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self, **extra: str) -> None:
        """Start it, with these variables besides."""
        log = self._folder.open_log(self.name)
        try:
            self._process = subprocess.Popen(
                child_command(self._command),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=os.environ | self._environment | extra,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def wait(self) -> None:
        """Return when it has ended."""
        if self._process is not None:
            self._process.wait(timeout=READY_S)
            if self._process.stdin is not None:
                self._process.stdin.close()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self.wait()

    def stop(self) -> None:
        """SIGTERM, by force after a while."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()


class Stack:
    """A whole giftserver in one folder: three engines, `webs` web processes, a flusher and a worker.

    The web processes reach the ledger's Redis through `proxy`; everything else goes straight to its engine.
    """

    def __init__(self, folder: Path, *, webs: int = 1, timeout_s: float = 1.0, fsync: str = "always") -> None:
        self.folder = DataFolder(folder)
        self.folder.create()
        self._options = {**LEDGER_OPTIONS, "appendfsync": fsync}
        self._timeout_s = timeout_s
        self._web_ports = {f"web-{number}": free_port() for number in range(1, webs + 1)}
        self.engines: dict[str, Engine] = {}
        self.servers: dict[str, Server] = {}
        self.settings = Settings(jwt_secret=SECRET)
        self.proxy = TcpProxy(0)

    @property
    def webs(self) -> list[str]:
        """Addresses of the web processes."""
        return [f"http://127.0.0.1:{port}" for port in self._web_ports.values()]

    def token(self, user: str) -> str:
        """A token of somebody, good for some minutes."""
        return mint(self.settings, user, user.title(), "viewer", None, TOKEN_S)

    async def start(self) -> None:
        """Start everything; returns when gifts can be sent."""
        database, rooms, ledger = (free_port() for _ in range(3))
        self.engines = {  # each comes back on its port, whatever a crash left behind
            "postgres": Postgres(self.folder, "postgres", lambda: database),
            "rooms": Valkey(self.folder, "valkey-rooms", ROOMS_OPTIONS, lambda: rooms),
            "valkey": Valkey(self.folder, "valkey-ledger", self._options, lambda: ledger),
        }
        await asyncio.gather(*(asyncio.to_thread(engine.start) for engine in self.engines.values()))
        ledger_port = self.engines["valkey"].port
        assert ledger_port is not None
        self.proxy.target_port = ledger_port
        await self.proxy.start()
        urls = {name: str(engine.url()) for name, engine in self.engines.items()}  # type: ignore[attr-defined]
        self.settings = Settings(
            ledger_redis_url=urls["valkey"],
            rooms_redis_url=urls["rooms"],
            database_url=urls["postgres"],
            jwt_secret=SECRET,
            ledger_timeout_s=PATIENCE_S,
        )
        await migrate.upgrade(urls["postgres"])
        self._make_servers(urls)
        for server in self.servers.values():
            await asyncio.to_thread(server.start)
        await self.until_ready()

    def _make_servers(self, urls: Mapping[str, str]) -> None:
        common = {f"GIFTSERVER_{name}": str(value) for name, value in LIMITS.items()} | {
            "GIFTSERVER_LEDGER_REDIS_URL": urls["valkey"],
            "GIFTSERVER_ROOMS_REDIS_URL": urls["rooms"],
            "GIFTSERVER_DATABASE_URL": urls["postgres"],
            "GIFTSERVER_JWT_SECRET": SECRET,
            "GIFTSERVER_LEDGER_TIMEOUT_S": str(self._timeout_s),
            "GIFTSERVER_LOG_LEVEL": "warning",
        }
        straight, crooked = f":{urlsplit(urls['valkey']).port}/", f":{self.proxy.port}/"
        for name, port in self._web_ports.items():
            through = urls["valkey"].replace(straight, crooked)
            mine = {"GIFTSERVER_PORT": str(port), "GIFTSERVER_LEDGER_REDIS_URL": through}
            self.servers[name] = Server(name, "web", self.folder, common | mine)
        for name in ("flusher", "worker"):
            self.servers[name] = Server(name, name, self.folder, common)

    async def stop(self) -> None:
        """Stop everything in order."""
        for server in self.servers.values():
            with contextlib.suppress(ProcessLookupError):
                if server.alive:
                    os.kill(server.pid, signal.SIGCONT)
            await asyncio.to_thread(server.stop)
        await self.proxy.stop()
        for engine in self.engines.values():
            await asyncio.to_thread(engine.stop)

    async def kill(self, name: str) -> None:
        """kill -9 of a process, engine or not; returns when all of it is gone."""
        if name in self.servers:
            await asyncio.to_thread(self.servers[name].kill)
            return
        engine = self.engines[name]
        assert engine.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine.pid, signal.SIGKILL)
        if not await until(lambda: not engine.alive, READY_S):  # PostgreSQL's backends notice that they are alone
            raise TimeoutError(f"{name} lives on after kill -9")

    async def restart(self, name: str) -> None:
        """Start what was killed; an engine is back on its port when this returns."""
        if name in self.engines:
            await asyncio.to_thread(self.engines[name].start)
        else:
            await asyncio.to_thread(self.servers[name].start)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        pid = self.servers[name].pid if name in self.servers else self.engines[name].pid
        assert pid is not None
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            process = psutil.Process(pid)
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(number)

    def ready(self, url: str) -> bool:
        """Whether a web process says that gifts can be sent."""
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    async def until_ready(self, deadline_s: float = READY_S) -> None:
        """Return when every web process takes gifts; fails at the deadline, or when a process keeps ending."""
        until_s = time.monotonic() + deadline_s
        for url in self.webs:
            while not await asyncio.to_thread(self.ready, url):
                if time.monotonic() > until_s:
                    raise TimeoutError(f"{url} is not ready after {deadline_s:.0f} s: {self.dead() or 'all run'}")
                await asyncio.sleep(0.05)

    def dead(self) -> list[str]:
        """Names of what has ended although nobody killed it."""
        gone = [name for name, server in self.servers.items() if not server.alive]
        return gone + [name for name, engine in self.engines.items() if not engine.alive]

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[Engines]:
        """Clients of the engines, past the proxy."""
        async with open_engines(self.settings) as engines:
            yield engines

    def warnings(self) -> dict[str, int]:
        """How often each warning or error stands in the logs of the web processes, flusher and worker."""
        found: Counter[str] = Counter()
        for name in self.servers:
            path = self.folder.path / f"{name}.log"
            for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
                with contextlib.suppress(ValueError):
                    told = json.loads(line)
                    found[" ".join(str(told[part]) for part in ("event", "reason") if part in told)] += 1
        return dict(found.most_common(40))

    def logs(self, lines: int = 15) -> dict[str, Any]:
        """The last lines of every log, for a report."""
        files = sorted(self.folder.path.glob("*.log"))
        return {file.name: file.read_text(errors="replace").splitlines()[-lines:] for file in files}


@asynccontextmanager
async def running(folder: Path, **options: Any) -> AsyncIterator[Stack]:
    """A whole stack until the block ends."""
    stack = Stack(folder, **options)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()
