"""The demo: engines, migrations, child processes, and the addresses to open."""

import asyncio
import importlib.util
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

from giftserver.demo.addresses import Web
from giftserver.demo.child import BOTS
from giftserver.demo.identity import demo_secret
from giftserver.demo.seed import seed
from giftserver.demo.supervisor import Supervisor
from giftserver.durable import migrate
from giftserver.embedded import EmbeddedError, Instance
from giftserver.embedded.engine import free_port
from giftserver.embedded.folder import DataFolder
from giftserver.embedded.locks import FileLock
from giftserver.settings import ANYWHERE, Settings

# Stopped in reverse: the bots first, then the web, and the flusher when there is nothing left to flush.
CHILDREN = ("flusher", "worker", "web")
TICK_S = 0.1
ENGINES_S = 1.0

MANY: Final = "1000000"
"""Nobody pays here, the bots send all day, and everybody has the same address."""


class Demo:
    """One run of the demo in one data folder; `say` gets each line for the person at the terminal."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._folder = DataFolder(settings.data_dir)
        self._supervisor = Supervisor(self._folder, say)
        self._engines = Instance(
            settings.data_dir,
            ledger=settings.ledger_redis_url is None,
            rooms=settings.rooms_redis_url is None,
            database=settings.database_url is None,
        )
        self._web = Web.of(settings)
        self._signals = 0

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP. Raises EmbeddedError when it cannot run here."""
        check_port(self._settings.host, self._settings.port)
        self._folder.create()
        lock = FileLock(self._folder.path / "demo.lock")
        with self._folder.writing():
            mine = lock.try_acquire()
        if not mine:
            raise EmbeddedError(f"A demo already runs in {self._folder.path}: stop it, or name another --data-dir.")
        try:
            with self._counting_signals():
                self._run()
        finally:
            lock.release()

    def _run(self) -> None:
        try:
            self._say("Starting…")
            urls = self._engines.start()
            settings = self._settings.model_copy(
                update={name: url for name, url in vars(urls).items() if url is not None}
            )
            asyncio.run(prepare(settings))
            self._give_children(urls.environment())
            if not self._settings.payments:
                self._start_sandbox()
            for name in CHILDREN:
                self._supervisor.add(name, child_command(name))
            if importlib.util.find_spec(BOTS):
                self._supervisor.add("bots", child_command("bots"))
            self._watch()
        finally:
            self._say("Stopping…")
            self._supervisor.stop(hurried=lambda: self._signals > 1)
            self._engines.stop()

    def _give_children(self, engines: dict[str, str]) -> None:
        given = engines | {
            "GIFTSERVER_DEMO": "1",
            "GIFTSERVER_HOST": self._settings.host,
            "GIFTSERVER_PORT": str(self._settings.port),
            "GIFTSERVER_DATA_DIR": str(self._folder.path),
        }
        for name in {"limit_day_coins", "orders_per_address"} - self._settings.model_fields_set:
            given[f"GIFTSERVER_{name.upper()}"] = MANY
        if not any((self._settings.jwt_secret, self._settings.jwt_jwks_url, self._settings.jwt_jwks_file)):
            given["GIFTSERVER_JWT_SECRET"] = demo_secret(self._folder)
        os.environ.update(given)

    def _start_sandbox(self) -> None:
        """Where no way to pay is set, money is pretended."""
        sandbox = sandbox_environment(self._settings, self._folder)
        os.environ.update(sandbox)
        arguments = ("--host", self._settings.host, "--port", str(urlsplit(sandbox["GIFTSERVER_SANDBOX_URL"]).port))
        journal = ("--journal", str(self._folder.path / "sandbox.jsonl"))
        self._supervisor.add("sandbox", [*child_command("sandbox"), *arguments, *journal])

    def _watch(self) -> None:
        announced = False
        engines_at_s = time.monotonic() + ENGINES_S
        self._record()
        while not self._signals:
            time.sleep(TICK_S)
            changed = self._supervisor.check()
            if time.monotonic() >= engines_at_s:
                revived = self._engines.revive()
                for name in revived:
                    self._say(f"{name} had ended; it runs again.")
                changed = changed or bool(revived)
                engines_at_s = time.monotonic() + ENGINES_S
            if changed:
                self._record()
            if not announced and self._web.ready():
                self._announce()
                announced = True

    def _record(self) -> None:
        self._folder.write_record(
            "demo.json",
            {
                "demo": os.getpid(),
                "url": self._web.base_url,
                "children": self._supervisor.pids,
                "engines": self._engines.pids,
            },
        )

    def _announce(self) -> None:
        self._say("giftserver is ready:")
        for name, url in self._web.pages():
            self._say(f"  {name:8} {url}")
        self._say("At ops, as Operator: payments that went wrong, a case, and what waits for a second person.")
        if self._settings.host in ANYWHERE:
            self._say("Everyone who reaches this machine can use it, and the demo lets anyone be anyone.")
        self._say(f"Data and logs are in {self._folder.path}. Ctrl-C stops everything.")

    @contextmanager
    def _counting_signals(self) -> Iterator[None]:
        """The first signal ends the demo in order, the second without patience."""

        def count(number: int, frame: FrameType | None) -> None:
            self._signals += 1

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, count) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def prepare(settings: Settings) -> None:
    """Bring the database to the present schema, with the demo's rooms and coins."""
    assert settings.database_url is not None
    await migrate.upgrade(settings.database_url)
    await seed(settings)


def sandbox_environment(settings: Settings, folder: DataFolder) -> dict[str, str]:
    """What the sandbox and those who speak to it are told: its address beside the demo's own, and kept secrets."""
    host = Web.of(settings).host
    try:
        check_port(settings.host, settings.port + 1)
        port = settings.port + 1
    except (EmbeddedError, OverflowError):
        port = free_port()
    return {
        "GIFTSERVER_PAYMENTS": "sandbox",
        "GIFTSERVER_SANDBOX_URL": f"http://{f'[{host}]' if ':' in host else host}:{port}",
        "GIFTSERVER_SANDBOX_SECRET": folder.kept_once("sandbox-secret", secrets.token_hex(32)),
        "GIFTSERVER_SANDBOX_WEBHOOK_SECRET": folder.kept_once("sandbox-webhook-secret", secrets.token_hex(32)),
    }


def child_command(name: str) -> list[str]:
    """Command of a child that ends with the demo."""
    return [sys.executable, "-m", "giftserver.demo.child", name]


def check_port(host: str, port: int) -> None:
    """Raise EmbeddedError when the web process could not listen there."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise EmbeddedError(
            f"Port {port} of {host} cannot be used ({reason}): name another one with --port or "
            "GIFTSERVER_PORT, "
            "or end the program that has it."
        ) from problem
