"""The demo: one command runs everything, survives kills, and leaves nothing behind."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from giftserver.embedded.engine import free_port
from giftserver.embedded.locks import FileLock

CHILDREN = {"web", "flusher", "worker"}


def wait_until(condition, deadline_s=90.0):
    """Wait for a condition and return what it gave."""
    end_s = time.monotonic() + deadline_s
    while not (got := condition()):
        assert time.monotonic() < end_s, "the condition did not come true in time"
        time.sleep(0.05)
    return got


def lives(pid):
    """Whether a process runs; one that ended and waits to be buried does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return ") Z " not in stat.read()
    except OSError:
        return False


class RunningDemo:
    """A demo in a process of its own."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.output = folder.parent / f"{folder.name}-{time.monotonic_ns()}.out"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "giftserver", "demo", "--port", str(port), "--data-dir", str(folder)],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=folder.parent,
                env={"PATH": os.defpath, "PYTHONPATH": ":".join(sys.path)},
                start_new_session=True,
            )

    def said(self):
        """What it told the person at the terminal."""
        return self.output.read_text()

    def record(self):
        """Its processes, as it wrote them down."""
        return json.loads((self.folder / "demo.json").read_text())

    def pids(self):
        """All its children and engines."""
        record = self.record()
        return [*record["children"].values(), *record["engines"].values()]

    def await_ready(self):
        """Wait until it announces its pages."""
        wait_until(lambda: "Ctrl-C stops everything" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def await_child(self, kind, name, other_than):
        """Wait for a new process in the place of one that was killed."""
        return wait_until(
            lambda: (pid := self.record()[kind].get(name)) not in (None, other_than) and lives(pid) and pid
        )

    def get(self, path):
        """Status of a page, 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


@pytest.fixture
def demo(tmp_path):
    """Starts demos in the test's folder; ends what still runs."""
    demos = []

    def start(port=None):
        demos.append(RunningDemo(tmp_path / "data", port or free_port()))
        return demos[-1]

    yield start
    for each in demos:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGTERM)
        each.process.wait(60)


def test_it_runs_survives_kills_and_ends_in_order(demo):
    """Ready, all pages told; a killed web and a killed ledger come back; Ctrl-C leaves no process."""
    running = demo()
    running.await_ready()
    said = running.said()
    for page in ("viewer", "studio", "overlay", "wallet", "ops", "metrics"):
        assert f"  {page} " in said
    assert f"http://127.0.0.1:{running.port}/overlay/" in said
    assert set(running.record()["children"]) >= CHILDREN
    assert (running.folder / "demo.json").stat().st_mode & 0o777 == 0o600

    web = running.record()["children"]["web"]
    os.kill(web, signal.SIGKILL)
    running.await_child("children", "web", other_than=web)
    wait_until(lambda: running.get("/readyz") == 200)
    assert "web ended (signal SIGKILL); starting it again" in running.said()

    ledger = running.record()["engines"]["valkey-ledger"]
    os.kill(ledger, signal.SIGKILL)
    running.await_child("engines", "valkey-ledger", other_than=ledger)
    wait_until(lambda: running.get("/readyz") == 200)
    assert "valkey-ledger had ended; it runs again." in running.said()

    pids = running.pids()
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.process.wait(60) == 0
    assert not any(lives(pid) for pid in pids)


def test_a_killed_demo_leaves_no_web_and_the_next_one_takes_over(demo):
    """After kill -9 of the demo the children end by themselves; the engines are adopted with their data."""
    first = demo()
    first.await_ready()
    record = first.record()
    first.process.kill()
    wait_until(lambda: not any(lives(pid) for pid in record["children"].values()))

    second = demo()
    second.await_ready()
    assert second.record()["engines"] == record["engines"]
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(60) == 0
    assert not any(lives(pid) for pid in record["engines"].values())


def test_a_taken_port_is_a_sentence_before_anything_starts(demo):
    """The sentence names the port and the option; no folder, no engine."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        refused = demo(port=other.getsockname()[1])
        assert refused.process.wait(60) == 1
    [line] = refused.said().splitlines()
    assert line.startswith(f"giftserver: Port {refused.port} of 127.0.0.1 cannot be used (Address already in use)")
    assert "--port" in line
    assert not refused.folder.exists()


def test_a_second_demo_in_one_folder_is_a_sentence(demo, tmp_path):
    """Two would write each other's records."""
    (tmp_path / "data").mkdir()
    lock = FileLock(tmp_path / "data" / "demo.lock")
    assert lock.try_acquire()
    refused = demo()
    assert refused.process.wait(60) == 1
    lock.release()
    assert "A demo already runs in" in refused.said()


def test_ctrl_c_while_starting_leaves_nothing(demo):
    """The start is finished or undone, never abandoned."""
    hasty = demo()
    wait_until(lambda: "Starting" in hasty.said())
    hasty.process.send_signal(signal.SIGINT)
    assert hasty.process.wait(60) == 0
    assert not any(FileLock(path).taken() for path in hasty.folder.glob("*.lock"))
