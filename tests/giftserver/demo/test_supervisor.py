"""Children are kept running, with growing pauses, and stopped in reverse order."""

import os
import signal
import sys
import time

import pytest

from giftserver.demo.supervisor import BACKOFF_MAX_S, BACKOFF_MIN_S, Supervisor, ending
from giftserver.embedded.folder import DataFolder

WAITS = "import time\nwhile True: time.sleep(60)"
FOLLOWS = "import sys; sys.stdin.read()"
STUBBORN = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\nwhile True: time.sleep(60)"


@pytest.fixture
def said():
    """Everything the person at the terminal was told."""
    return []


@pytest.fixture
def supervisor(tmp_path, said):
    """A supervisor whose children are gone after the test."""
    made = Supervisor(DataFolder(tmp_path), said.append)
    yield made
    made.stop(hurried=lambda: True)


def python(code):
    """A child of one line."""
    return [sys.executable, "-c", code]


def check_until(supervisor, condition):
    """Look after the children until the condition holds."""
    end_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end_s, "the condition did not come true in time"
        supervisor.check()
        time.sleep(0.01)


def test_a_killed_child_is_started_again_and_that_is_said(supervisor, said):
    """kill -9 of a child is not the end."""
    supervisor.add("web", python(WAITS))
    first = supervisor.pids["web"]
    os.kill(first, signal.SIGKILL)
    check_until(supervisor, lambda: supervisor.pids.get("web", first) != first)
    assert said[0].startswith("web ended (signal SIGKILL); starting it again in 0.2 s.")


def test_a_child_that_keeps_ending_is_started_less_and_less_often(supervisor, said, tmp_path):
    """Each pause is twice the last one, up to a limit; its words are in its log."""
    supervisor.add("web", python("print('no'); raise SystemExit(3)"))
    check_until(supervisor, lambda: len(said) == 3)
    assert ["0.2 s" in said[0], "0.4 s" in said[1], "0.8 s" in said[2]] == [True] * 3
    assert "exit 3" in said[0]
    assert (tmp_path / "web.log").read_text() == "no\n" * 3
    child = supervisor.children["web"]
    child.backoff_s = BACKOFF_MAX_S
    child.start_at_s = 0.0
    check_until(supervisor, lambda: len(said) == 4)
    assert child.backoff_s == BACKOFF_MAX_S


def test_a_child_that_ran_for_long_is_started_at_once(supervisor, said):
    """The pauses begin anew after a steady time."""
    supervisor.add("web", python(WAITS))
    child = supervisor.children["web"]
    child.backoff_s, child.started_s = BACKOFF_MAX_S, child.started_s - 3600
    os.kill(supervisor.pids["web"], signal.SIGTERM)
    check_until(supervisor, lambda: len(said) == 1)
    assert f"in {BACKOFF_MIN_S:.1f} s" in said[0]


def test_children_stop_in_reverse_order_each_before_the_next(supervisor, tmp_path):
    """What depends on another ends before it."""
    notes = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        f"def end(*_): open({str(notes)!r}, 'a').write(sys.argv[1]); raise SystemExit\n"
        "signal.signal(15, end)\nprint('up', flush=True)\nwhile True: time.sleep(60)"
    )
    for name in ("flusher", "worker", "web"):
        supervisor.add(name, [*python(code), f"{name} "])
    check_until(supervisor, lambda: all((tmp_path / f"{name}.log").read_text() == "up\n" for name in supervisor.pids))
    supervisor.stop(hurried=lambda: False)
    assert notes.read_text() == "web worker flusher "
    assert supervisor.pids == {}


def test_a_hurried_stop_waits_for_nobody(supervisor, said, tmp_path):
    """A second Ctrl-C ends a child that does not listen."""
    supervisor.add("web", python(STUBBORN))
    check_until(supervisor, lambda: (tmp_path / "web.log").read_text() == "up\n")
    pid = supervisor.pids["web"]
    supervisor.stop(hurried=lambda: True)
    assert said == ["web did not stop in time and is ended by force."]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_sees_its_lifeline_close(supervisor):
    """The pipe a child reads ends with the supervisor's process, or here with its end of the pipe."""
    supervisor.add("web", python(FOLLOWS))
    process = supervisor.children["web"].process
    assert process.poll() is None
    os.close(supervisor.children["web"].lifeline)
    supervisor.children["web"].lifeline = os.open(os.devnull, os.O_RDONLY)
    assert process.wait(60) == 0


def test_one_childs_lifeline_is_not_held_open_by_another(supervisor):
    """A later child does not inherit the end that only the supervisor may hold."""
    supervisor.add("worker", python(FOLLOWS))
    supervisor.add("web", python(WAITS))
    worker = supervisor.children["worker"]
    os.close(worker.lifeline)
    worker.lifeline = os.open(os.devnull, os.O_RDONLY)
    assert worker.process.wait(60) == 0


def test_endings_in_words():
    """Signals by name, exits by number."""
    assert ending(-9) == "signal SIGKILL"
    assert ending(2) == "exit 2"
