"""The engines of one data folder: one process owns them, others on the same folder attach."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from giftserver.embedded.engine import Engine
from giftserver.embedded.errors import EmbeddedError, Foreign, NotReady
from giftserver.embedded.folder import DataFolder
from giftserver.embedded.locks import FileLock
from giftserver.embedded.postgres import Postgres
from giftserver.embedded.valkey import LEDGER_OPTIONS, ROOMS_OPTIONS, Valkey

RECORD = "engines.json"

ATTACH_S = 90.0
POLL_S = 0.05


def was_here(folder: Path) -> bool:
    """Whether engines were ever started in this data folder."""
    return (folder / RECORD).exists()


@dataclass(frozen=True)
class EngineUrls:
    """URLs with passwords; the names are those of the settings. None: that engine was not asked for."""

    ledger_redis_url: str | None = None
    rooms_redis_url: str | None = None
    database_url: str | None = None

    def environment(self) -> dict[str, str]:
        """The URLs as environment variables for child processes."""
        named = {
            "GIFTSERVER_LEDGER_REDIS_URL": self.ledger_redis_url,
            "GIFTSERVER_ROOMS_REDIS_URL": self.rooms_redis_url,
            "GIFTSERVER_DATABASE_URL": self.database_url,
        }
        return {name: url for name, url in named.items() if url is not None}


class Instance:
    """The engines of one data folder, from this process's side.

    The first process on a folder becomes the owner: it starts the engines, or adopts those that an owner
    killed by
    force left behind, and stops them. Any other process attaches and leaves them running.
    """

    def __init__(self, data_dir: Path, *, ledger: bool = True, rooms: bool = True, database: bool = True) -> None:
        self._folder = DataFolder(data_dir)
        self._wanted = {"valkey-ledger": ledger, "valkey-rooms": rooms, "postgres": database}
        self._engines: dict[str, Engine] = {}
        self._owner_lock: FileLock | None = None

    @property
    def owner(self) -> bool:
        """Whether this process started (or adopted) the engines and will stop them."""
        return self._owner_lock is not None and self._owner_lock.held

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by engine: `valkey-ledger`, `valkey-rooms`, `postgres`."""
        return {name: engine.pid for name, engine in self._engines.items() if engine.pid is not None}

    def start(self) -> EngineUrls:
        """Own or attach; returns when every engine asked for answers. Raises EmbeddedError."""
        if not any(self._wanted.values()):
            return EngineUrls()
        self._folder.create()
        self._owner_lock = FileLock(self._folder.path / "owner.lock")
        self._engines = self._make_engines()
        deadline = time.monotonic() + ATTACH_S
        while True:
            with self._folder.writing():
                mine = self._owner_lock.try_acquire()
            if mine:
                return self._start_owned()
            if self._try_attach():
                return self._urls()
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"Another giftserver (process {self._record().get('owner', 'unknown')}) has "
                    f"{self._folder.path} "
                    "but its engines do not answer: stop it, or name another folder with GIFTSERVER_DATA_DIR."
                )
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop the engines if this process owns them; otherwise leave them."""
        if self._owner_lock is None or not self._owner_lock.held:
            return
        try:
            # From here on a newcomer waits for the lock instead of attaching to engines that are about to
            # end.
            self._write_record("stopping")
            for engine in reversed(self._engines.values()):
                engine.stop()
            self._write_record("stopped")
        finally:
            self._owner_lock.release()

    def revive(self) -> list[str]:
        """Start again what has died, on its old port; names of what was started.

        Only the owner does so, or a guest whose owner is gone: it becomes the owner.
        """
        if self._owner_lock is None or not self._owner_lock.try_acquire():
            return []
        dead = [name for name, engine in self._engines.items() if not engine.alive]
        for name in dead:
            self._engines[name].start()
        if dead:
            self._write_record("ready")
        return dead

    def _make_engines(self) -> dict[str, Engine]:
        # PostgreSQL first: it takes longest to say that it cannot run.
        engines: list[Engine] = [
            Postgres(self._folder, "postgres"),
            Valkey(self._folder, "valkey-rooms", ROOMS_OPTIONS),
            Valkey(self._folder, "valkey-ledger", LEDGER_OPTIONS),
        ]
        return {engine.name: engine for engine in engines if self._wanted[engine.name]}

    def _start_owned(self) -> EngineUrls:
        try:
            self._write_record("starting")
            for engine in self._engines.values():
                engine.start()
            self._write_record("ready")
            return self._urls()
        except BaseException:
            for engine in reversed(self._engines.values()):
                engine.stop()
            assert self._owner_lock is not None
            self._owner_lock.release()
            raise

    def _try_attach(self) -> bool:
        record = self._record()
        if record.get("state") != "ready":
            return False
        for name, engine in self._engines.items():
            known = record.get("engines", {}).get(name, {})
            if "port" not in known:
                raise EmbeddedError(
                    f"Another giftserver (process {record.get('owner')}) runs in {self._folder.path} without "
                    f"{name}: "
                    "give both the same settings, or name another folder with GIFTSERVER_DATA_DIR."
                )
            try:
                engine.attach(int(known["port"]))
            except (NotReady, Foreign):
                return False
        return True

    def _record(self) -> dict[str, Any]:
        return self._folder.read_record(RECORD)

    def _write_record(self, state: str) -> None:
        engines: dict[str, Any] = {
            name: {"port": engine.port, "pid": engine.pid, "url": engine.url()}
            for name, engine in self._engines.items()
            if engine.port is not None
        }
        if state == "starting":  # ports of the last run, so that URLs stay the same where they can
            engines = self._record().get("engines", {})
        self._folder.write_record(RECORD, {"state": state, "owner": os.getpid(), "engines": engines})

    def _urls(self) -> EngineUrls:
        urls = {name: engine.url() for name, engine in self._engines.items()}
        return EngineUrls(urls.get("valkey-ledger"), urls.get("valkey-rooms"), urls.get("postgres"))


@contextmanager
def running(data_dir: Path, *, ledger: bool = True, rooms: bool = True, database: bool = True) -> Iterator[EngineUrls]:
    """Engines for the time of the block; asked for none, it touches nothing. Raises EmbeddedError.

    SIGTERM and SIGHUP, where nobody handles them, end the block in order instead of leaving engines behind.
    """
    instance = Instance(data_dir, ledger=ledger, rooms=rooms, database=database)
    with ending_in_order():
        try:
            yield instance.start()
        finally:
            instance.stop()


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Turn an unhandled SIGTERM or SIGHUP into SystemExit(128 + number) while the block runs."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    changed = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, leave)
                changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
