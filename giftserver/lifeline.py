"""Ends a child process in order when its parent is gone, however that ended."""

import os
import signal
import sys
import threading


def follow_parent() -> None:
    """SIGTERM reaches this process once standard input closes, which is a pipe whose other end only the parent has."""
    threading.Thread(target=_follow, name="follow-parent", daemon=True).start()


def _follow() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
