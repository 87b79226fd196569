"""What the tests of the embedded engines share: folders, owners in other processes, waiting."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from giftserver.embedded import Instance
from giftserver.embedded.locks import FileLock

# An owner in a process of its own: says what it has, and goes on until its input closes or a signal comes.
# What starts the tests in the background may have these signals ignored, and so would have its children.
SIGNALS = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
)

OWNER = """
import json, select, sys
from pathlib import Path
from giftserver.embedded import Instance, running
import giftserver.embedded.instance as module
kept = []
class Kept(Instance):
    def start(self):
        kept.append(self)
        return super().start()
module.Instance = Kept
with running(Path(sys.argv[1]), database="postgres" in sys.argv[2:]) as urls:
    try:
        print(json.dumps({"owner": kept[0].owner, "pids": kept[0].pids, "urls": urls.environment()}), flush=True)
        while not select.select([sys.stdin], [], [], 0.1)[0]:  # a signal just before a read would wait for its end
            pass
        sys.stdin.read()
    except KeyboardInterrupt:
        print(json.dumps({"alive": all(engine.alive for engine in kept[0]._engines.values())}), flush=True)
"""


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a condition; fails the test after the deadline."""

    def wait(condition: Callable[[], object], deadline_s: float = 60.0) -> None:
        end_s = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < end_s, "the condition did not come true in time"
            time.sleep(0.01)

    return wait


@pytest.fixture
def lives() -> Callable[[int], bool]:
    """Whether a process runs (an ended child that nobody waited for does not)."""

    def check(pid: int) -> bool:
        try:
            return f"{pid} (" in (text := Path(f"/proc/{pid}/stat").read_text()) and ") Z " not in text
        except OSError:
            return False

    return check


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever a test leaves running in it is ended."""
    path = tmp_path / "data"
    yield path
    left = {lock.stem for lock in path.glob("*.lock") if FileLock(lock).taken()} & set(WANTED.values())
    if left:
        instance = Instance(path, **{name: engine in left for name, engine in WANTED.items()})
        instance.start()
        instance.stop()


WANTED = {"ledger": "valkey-ledger", "rooms": "valkey-rooms", "database": "postgres"}


class Owner:
    """A process that owns (or attaches to) the engines of a folder."""

    def __init__(self, folder: Path, *extra: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SIGNALS + OWNER,
                str(folder),
                *extra,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def say(self) -> dict[str, object]:
        """Its next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the owner ended without a word"
        said: dict[str, object] = json.loads(line)
        return said

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its whole process group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Let it end in order; its exit status."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        status = self.process.wait(60)
        self.process.stdout.close()
        return status


@pytest.fixture
def owner(folder: Path) -> Iterator[Callable[..., Owner]]:
    """Starts owners in processes of their own, on the test's folder unless another is named."""
    owners: list[Owner] = []

    def start(*extra: str, at: Path = folder) -> Owner:
        owners.append(Owner(at, *extra))
        return owners[-1]

    yield start
    for each in owners:
        each.end()
