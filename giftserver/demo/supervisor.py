"""Keeps child processes running, and stops them in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from giftserver.embedded.folder import DataFolder

BACKOFF_MIN_S = 0.2
BACKOFF_MAX_S = 10.0
STEADY_S = 30.0
STOP_S = 15.0
POLL_S = 0.05


@dataclass
class Child:
    """One child process: its command, and when it was or will be started (monotonic seconds)."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    lifeline: int = -1
    started_s: float = 0.0
    start_at_s: float = 0.0
    backoff_s: float = BACKOFF_MIN_S


@dataclass
class Supervisor:
    """Starts children in the order given, starts a dead one again with growing pauses, stops them in reverse.

    `say` gets one line for the person at the terminal. A child's output goes to `<data folder>/<name>.log`.
    """

    folder: DataFolder
    say: Callable[[str], None]
    children: dict[str, Child] = field(default_factory=dict)

    def add(self, name: str, command: Sequence[str]) -> None:
        """Add a child and start it."""
        self.children[name] = Child(name, command)
        self._start(self.children[name])

    def check(self) -> bool:
        """Look after every child once; True when the set of processes has changed."""
        now_s = time.monotonic()
        changed = False
        for child in self.children.values():
            if child.process is None:
                if now_s >= child.start_at_s:
                    self._start(child)
                    changed = True
            elif child.process.poll() is not None:
                self._bury(child, now_s)
                changed = True
        return changed

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the children that run, by name."""
        return {child.name: child.process.pid for child in self.children.values() if child.process is not None}

    def stop(self, hurried: Callable[[], bool]) -> None:
        """Stop the last added first, each before the next; at once by force when `hurried` says so."""
        for child in reversed(self.children.values()):
            if child.process is not None:
                self._stop(child, hurried)

    def _start(self, child: Child) -> None:
        log = self.folder.open_log(child.name)
        reading, writing = os.pipe()
        try:
            # A session of its own: Ctrl-C reaches the demo alone, which stops its children in order.
            child.process = subprocess.Popen(
                child.command, stdin=reading, stdout=log, stderr=log, start_new_session=True
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
            os.close(log)
        child.lifeline = writing
        child.started_s = time.monotonic()

    def _bury(self, child: Child, now_s: float) -> None:
        assert child.process is not None
        if now_s - child.started_s > STEADY_S:
            child.backoff_s = BACKOFF_MIN_S
        child.start_at_s = now_s + child.backoff_s
        self.say(
            f"{child.name} ended ({ending(child.process.returncode)}); starting it again in "
            f"{child.backoff_s:.1f} s. "
            f"Its log: {self.folder.path / child.name}.log"
        )
        child.backoff_s = min(child.backoff_s * 2, BACKOFF_MAX_S)
        self._forget(child)

    def _stop(self, child: Child, hurried: Callable[[], bool]) -> None:
        assert child.process is not None
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
        deadline_s = time.monotonic() + STOP_S
        while child.process.poll() is None and time.monotonic() < deadline_s and not hurried():
            time.sleep(POLL_S)
        if child.process.poll() is None:
            self.say(f"{child.name} did not stop in time and is ended by force.")
            child.process.kill()
        child.process.wait()
        self._forget(child)

    def _forget(self, child: Child) -> None:
        child.process = None
        os.close(child.lifeline)


def ending(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit {returncode}"
