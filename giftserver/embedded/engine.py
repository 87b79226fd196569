"""One engine as a process of its own: start, adopt, watch, stop."""

import os
import re
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from giftserver.embedded.binaries import ENVIRONMENT
from giftserver.embedded.errors import EmbeddedError, Foreign, NotReady
from giftserver.embedded.folder import DataFolder
from giftserver.embedded.locks import FileLock

HOST = "127.0.0.1"
READY_S = 60.0
POLL_S = 0.01
ANSWER_MIN_S = 0.2
ANSWER_MAX_S = 5.0
PORT_TRIES = 5
TELLING = re.compile(r"FATAL|PANIC|ERROR|Fatal|Bad |Failed|Could not|Can't|Unable|error")
PORT_TAKEN = re.compile(r"[Aa]ddress already in use|could not bind|Failed listening")


def free_port() -> int:
    """A port nobody listens on right now; another program may still take it before the engine does."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Engine(ABC):
    """A server process of one data folder.

    The process holds `<name>.lock` by an inherited descriptor: while it lives, however it came to live on,
    nobody
    starts a second one on its data.
    """

    stop_steps: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))

    def __init__(self, folder: DataFolder, name: str, pick_port: Callable[[], int] = free_port) -> None:
        self.folder = folder
        self.name = name
        self.port: int | None = None
        self.pid: int | None = None
        self._pick_port = pick_port
        self._lock = FileLock(folder.path / f"{name}.lock")
        self._child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make the data ready for a start; raises EmbeddedError."""

    @abstractmethod
    def command(self, port: int) -> list[str]:
        """The command that serves on `port`, after writing what it reads; raises EmbeddedError."""

    @abstractmethod
    def remembered_port(self) -> int | None:
        """The port of the last start."""

    @abstractmethod
    def probe(self, port: int, answer_s: float) -> int:
        """Process id of this folder's engine on `port`; raises NotReady (or after `answer_s`) or Foreign."""

    @abstractmethod
    def url(self) -> str:
        """URL with the password."""

    def finish(self) -> None:  # noqa: B027 - most engines have nothing left to do
        """What is left to do once the engine answers; raises EmbeddedError."""

    @property
    def alive(self) -> bool:
        """Whether the process of this folder's engine lives, whoever started it."""
        self._reap()
        return self._lock.taken()

    def start(self) -> None:
        """Run the engine or adopt the one that runs; returns when it answers. Raises EmbeddedError."""
        with self.folder.writing():
            mine = self._lock.try_acquire()
        if not mine:
            self._adopt()
        else:
            if self._child is not None:
                self._child.wait()  # it ended: the lock is free, a moment before the process can be reaped
                self._child = None
            try:
                self.prepare()
                self._spawn_on_some_port()
            finally:
                self._lock.release()
        self.finish()

    def attach(self, port: int, answer_s: float = ANSWER_MAX_S) -> None:
        """Use the engine that runs on `port`; raises NotReady or Foreign."""
        self.pid = self.probe(port, answer_s)
        self.port = port

    def stop(self) -> None:
        """Stop the process in order, by force after its time is up."""
        for number, patience_s in self.stop_steps:
            if not self.alive or self.pid is None:
                break
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + patience_s
            while self.alive and time.monotonic() < deadline:
                time.sleep(POLL_S)
        child = self._child
        if child is not None and not self.alive:
            child.wait()  # the kernel frees the lock a moment before the process can be reaped
        self._reap()
        self.pid = None

    def _adopt(self) -> None:
        port = self.remembered_port()
        deadline = time.monotonic() + READY_S
        while port is not None and time.monotonic() < deadline:
            try:
                self.attach(port)
                return
            except NotReady:
                if not self.alive:  # it ended while we looked: start afresh
                    self.start()
                    return
                time.sleep(POLL_S)
            except Foreign:
                break
        raise EmbeddedError(
            f"A {self.name} of an earlier run still works in {self.folder.path} but does not answer as it "
            "should: "
            f"end it{self._pid_hint()} and start again."
        )

    def _pid_hint(self) -> str:
        pid = self.folder.read_record("engines.json").get("engines", {}).get(self.name, {}).get("pid")
        return f" (it was process {pid})" if pid else ""

    def _spawn_on_some_port(self) -> None:
        said = ""
        port = self.remembered_port()
        for _ in range(PORT_TRIES):
            said = self._spawn(port or self._pick_port())
            if not said:
                return
            if not PORT_TAKEN.search(said):
                break
            port = None
        log = self.folder.path / f"{self.name}.log"
        raise EmbeddedError(f"The embedded {self.name} did not start: {telling_line(said)} (all of it: {log}).")

    def _spawn(self, port: int) -> str:
        """Start the process; empty when it answers, else what it said before it ended."""
        command = self.command(port)
        log = self.folder.open_log(self.name)
        try:
            begin = os.fstat(log).st_size
            # A session of its own: Ctrl-C at the terminal reaches giftserver, which then stops its engines in
            # order.
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
                pass_fds=(self._lock.descriptor,),
            )
        except OSError as problem:
            return f"{command[0]} cannot be run: {problem.strerror}"
        finally:
            os.close(log)
        self.pid = self._child.pid
        try:
            return self._await_ready(port, begin)
        except BaseException:
            self._child.kill()
            self._child.wait()
            raise

    def _await_ready(self, port: int, log_begin: int) -> str:
        assert self._child is not None
        deadline = time.monotonic() + READY_S
        answer_s = ANSWER_MIN_S
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                return self._log_since(log_begin) or f"it ended at once with status {self._child.returncode}"
            try:
                self.attach(port, answer_s)
                return ""
            except (NotReady, Foreign):
                # Another program may sit on the port, silent, while ours is failing to take it.
                answer_s = min(answer_s * 1.5, ANSWER_MAX_S)
                time.sleep(POLL_S)
        self._child.kill()
        self._child.wait()
        return f"it did not answer within {READY_S:.0f} s"

    def _log_since(self, begin: int) -> str:
        with (self.folder.path / f"{self.name}.log").open("rb") as log:
            log.seek(begin)
            return log.read(100_000).decode(errors="replace")

    def _reap(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None


def telling_line(said: str) -> str:
    """The one line of an engine's last words that tells the cause."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if TELLING.search(line)]
    line = (telling or lines or ["it said nothing"])[0]
    return re.sub(r"^(\d+:\w )?[\d-]* ?(\d+ \w+ \d+ )?[\d:.]+ (UTC )?(\[\d+\] )?[#*.-]? ?", "", line).rstrip(".")
