"""A time zone whose midnight is a moment away, so that a day really ends while a test looks."""

import contextlib
import struct
import time
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

NAME = "Test/Soon"


@contextlib.contextmanager
def midnight_in(folder: Path, seconds: float) -> Iterator[tuple[str, int]]:
    """A zone's name, and the second its day ends, until the block ends."""
    ends_s = int(time.time() + seconds) + 1
    offset_s = -ends_s % 86_400
    offset_s -= 86_400 if offset_s > 43_200 else 0
    path = folder / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    path.write_bytes(b"TZif" + b"\0" * 16 + counts + struct.pack(">lBB", offset_s, 0, 0) + b"SOO\0")
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(folder), *before])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        yield NAME, ends_s
    finally:
        zoneinfo.reset_tzpath(before)
        zoneinfo.ZoneInfo.clear_cache()
