"""Named places where a test ends the process as a crash would: the setting `failpoints`, "flush.after_commit:3"."""

import os
import signal
from collections import Counter

_passed: Counter[str] = Counter()
_armed: dict[str, int] | None = None


def arm(names: str) -> None:
    """Choose where to end: comma-separated names, each with `:n` for its n-th passing."""
    global _armed
    _armed = {}
    for part in filter(None, (piece.strip() for piece in names.split(","))):
        name, _, times = part.partition(":")
        _armed[name] = int(times or 1)


def failpoint(name: str) -> None:
    """End this process with SIGKILL if this passing of this place was chosen; otherwise nothing."""
    if not _armed or name not in _armed:
        return
    _passed[name] += 1
    if _passed[name] == _armed[name]:
        os.kill(os.getpid(), signal.SIGKILL)
