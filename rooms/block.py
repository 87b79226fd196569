"""Some of a room's sockets, which are written to together: a tick of their own, and what waits for it.

A large room is made of several. Each takes what is pending when its turn comes, so the last socket of a room is told of
an event about a tick after it, not a tick and the time it takes to write to everybody.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from rooms.codec import Encoded
from rooms.connection import Connection
from rooms.fanout import Audience, Job
from rooms.tick import Condenser, Renderer, Shown, Tick
from rooms.turns import Turns

SOCKETS_MAX: Final = 1_000


class Block:
    """Up to SOCKETS_MAX sockets. `tick_s` tells the seconds between two of its ticks."""

    def __init__(
        self, renderer: Renderer, whole: Collection[str], turns: Turns, offset: int, tick_s: Callable[[], float]
    ) -> None:
        self._whole, self._turns, self._tick_s = whole, turns, tick_s
        self._loop = asyncio.get_running_loop()
        self._condenser = Condenser(renderer)
        self._audiences: dict[Audience, dict[Connection, None]] = {}
        self._shown: list[Shown] = []
        self._latest: dict[type, Encoded] = {}
        self._jobs: deque[Job] = deque()
        self._tick: asyncio.Handle | None = None
        self._asked = self._stopped = False
        self.sockets = 0
        self.told = offset
        """The offset up to which its sockets are told already, or will be by a tick that is being written."""
        self.written_s = self._loop.time()
        """When its last tick was begun, by the loop's clock."""

    def attach(self, connection: Connection) -> None:
        """Write to this one too, from the next tick on."""
        self._audiences.setdefault(self._audience(connection), {})[connection] = None
        self.sockets += 1

    def detach(self, connection: Connection) -> None:
        """Write to it no more."""
        del self._audiences[self._audience(connection)][connection]
        self.sockets -= 1

    def _audience(self, connection: Connection) -> Audience:
        return connection.codec, connection.member.role in self._whole

    def show(self, shown: Shown) -> None:
        """The next event."""
        self._shown.append(shown)
        self._schedule()

    def show_latest(self, kind: type, encoded: Encoded) -> None:
        """A state of which only the newest counts."""
        self._latest[kind] = encoded
        self._schedule()

    def _schedule(self) -> None:
        if self._stopped or self._tick is not None or self._asked:  # what is pending grows until a tick is written
            return
        wait_s = self.written_s + self._tick_s() - self._loop.time()
        if wait_s > 0:
            self._tick = self._loop.call_later(wait_s, self._due)
        else:  # at once, with everything else that this turn of the loop brings
            self._tick = self._loop.call_soon(self._due)

    def _due(self) -> None:
        self._tick = None
        self._ask()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._turns.ask(self)

    def flush(self) -> None:
        """Begin to write what is pending."""
        if self._shown or self._latest:
            self._begin()
            self._ask()

    def heartbeat(self) -> None:
        """Send an empty frame, so that a client can tell silence from a dead connection."""
        self._begin()
        self._ask()

    def _begin(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        shown, latest = self._shown, list(self._latest.values())
        self._shown, self._latest = [], {}
        self.written_s = self._loop.time()
        if shown:
            self.told = shown[-1].offset
        tick = Tick(shown, latest, self._condenser)
        self._jobs += [Job(tick, audience, tuple(members)) for audience, members in self._audiences.items() if members]

    @property
    def more(self) -> bool:
        """Whether a tick is being written."""
        return bool(self._jobs)

    def write(self, most: int) -> int:
        """Its turn: go on with what was begun, or begin with what is pending now."""
        if not self._jobs and (self._shown or self._latest) and not self._stopped:
            self._begin()
        left = most
        try:
            while self._jobs and left > 0:
                job = self._jobs[0]
                left -= job.write(left)
                if job.at == len(job.members):
                    self._jobs.popleft()
        finally:
            if not self._jobs:
                self._asked = False
                if self._shown or self._latest:
                    self._schedule()
        return most - left

    def stop(self) -> None:
        """Write nothing more."""
        self._stopped = True
        self._jobs.clear()
        self._shown, self._latest = [], {}
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
