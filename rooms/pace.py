"""How long a room waits between two ticks, so that all rooms together leave the core time for everything else."""

from typing import Final

TICK_MAX_S: Final = 0.2
SHARE: Final = 0.36
"""Of the core that writing should take, where nothing else is said."""

LAG_S: Final = 0.18
"""From an event to the last socket of a large room: its ticks come sooner than the share asks for."""

SHARE_MAX: Final = 0.9

FORGET: Final = 0.1
"""Weight of the newest slice in the mean time a write takes."""

WRITE_S: Final = 4e-6
"""Time of a write before any was measured."""


class Pace:
    """One for a process: measures what a write takes, and stretches the ticks of large rooms accordingly."""

    def __init__(self, tick_s: float, share: float = SHARE) -> None:
        self._tick_s, self._share = tick_s, share
        self._write_s = WRITE_S

    def written(self, seconds: float, sockets: int) -> None:
        """A slice of a tick took so much CPU time."""
        if sockets >= 50:  # of fewer the clock says nothing
            self._write_s += FORGET * (seconds / sockets - self._write_s)

    def tick_s(self, sockets: int, blocks: int = 1) -> float:
        """Time between the ticks of each block of a room: as set, longer when writing would take too much."""
        writing_s = sockets * self._write_s
        polite_s, latest_s = writing_s / self._share, max(LAG_S - writing_s / blocks, writing_s / SHARE_MAX)
        return min(TICK_MAX_S, max(self._tick_s, min(polite_s, latest_s)))
