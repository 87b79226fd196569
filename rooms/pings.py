"""One timer that asks every peer whether it is there, instead of two timers a connection."""

import asyncio
from typing import Final, Protocol

TURN_S: Final = 20.0
"""Each peer is asked once in this time; one that has not been heard of since the last time is gone."""

SPOKES: Final = 40


class Pinged(Protocol):
    """A peer on the wheel."""

    def ping(self) -> None:
        """Ask, or cut the peer off when it did not answer the last time."""
        ...


class PingWheel:
    """Peers spread over the spokes of a wheel that turns once in `turn_s`; a spoke's peers are asked together."""

    def __init__(self, turn_s: float = TURN_S) -> None:
        self._step_s = turn_s / SPOKES
        self._spokes: list[set[Pinged]] = [set() for _ in range(SPOKES)]
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, peer: Pinged) -> None:
        """Ask this peer from now on; on the spoke that was asked last, so that a whole turn passes first."""
        self._spokes[self._next - 1].add(peer)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._step_s, self._step)

    def remove(self, peer: Pinged) -> None:
        """Forget the peer, if it is here."""
        for spoke in self._spokes:
            spoke.discard(peer)

    def _step(self) -> None:
        spoke = self._spokes[self._next]
        self._next = (self._next + 1) % SPOKES
        busy = any(self._spokes)
        self._timer = asyncio.get_running_loop().call_later(self._step_s, self._step) if busy else None
        for peer in tuple(spoke):
            peer.ping()

    def stop(self) -> None:
        """Ask nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
