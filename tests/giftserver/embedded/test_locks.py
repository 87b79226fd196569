"""A lock tells who lives."""

import subprocess
import sys

import pytest

from giftserver.embedded.locks import FileLock


def test_one_holder_at_a_time(tmp_path):
    """The second gets it when the first lets go."""
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    assert second.taken()
    assert not first.taken()
    first.release()
    assert not second.taken()
    assert second.try_acquire()
    second.release()


def test_a_child_keeps_it_until_it_ends(tmp_path):
    """The lock of a child process is free the moment the child is gone, killed or not."""
    lock = FileLock(tmp_path / "lock")
    assert lock.try_acquire()
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(lock.descriptor,)) as child:
        lock.release()
        assert lock.taken()
        child.kill()
        child.wait()
        assert not lock.taken()


def test_a_lock_that_is_not_held_has_no_descriptor(tmp_path):
    """Handing on what one does not have is a mistake of the caller."""
    with pytest.raises(RuntimeError, match="is not locked by this object"):
        _ = FileLock(tmp_path / "lock").descriptor
