"""Writing one tick to every socket of a room, without an await, and politely when there are many.

A slow viewer is known by the bytes that wait in its transport, asked before each write; nobody waits for it.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final

from rooms.codec import Codec
from rooms.connection import SKIP_LATEST_BYTES, Connection
from rooms.tick import Tick

SLICE: Final = 500
"""Sockets that are written to before other work has its turn: about 2 ms."""

Audience = tuple[Codec, bool]
"""Sockets that get the same bytes: by codec, and whether they see everything."""


class Job:
    """A tick on its way to one audience: those who were there when it was made, from `at` on."""

    __slots__ = ("at", "audience", "members", "tick")

    def __init__(self, tick: Tick, audience: Audience, members: tuple[Connection, ...]) -> None:
        self.tick, self.audience, self.members, self.at = tick, audience, members, 0

    def write(self, most: int) -> int:
        """Write to the next of them, at most so many; to how many it was."""
        codec, whole = self.audience
        frame = self.tick.frame(codec, whole=whole)
        members = self.members[self.at : self.at + most]
        self.at += len(members)
        wire, size, write = frame.wire, len(frame.wire), os.write
        for connection in members:
            descriptor = connection.clear
            if descriptor < 0:
                backlog = connection.backlog()
                if backlog or connection.descriptor < 0:
                    if backlog <= SKIP_LATEST_BYTES:
                        connection.push(wire)
                    else:
                        connection.write_carefully(self.tick, frame, whole=whole)
                    continue
                descriptor = connection.clear = connection.descriptor
            try:  # what the transport would do, without its bookkeeping
                written = write(descriptor, wire)
            except BlockingIOError:
                connection.push(wire)
            except OSError:
                continue  # gone: the transport will find out
            else:
                if written < size:
                    connection.push(wire[written:])
        return len(members)


class Fanout:
    """The ticks of one room on their way, in order.

    `on_slice` is told the CPU seconds and the sockets of each turn, `on_idle` when everything is written.
    """

    def __init__(self, on_slice: Callable[[float, int], None], on_idle: Callable[[], None]) -> None:
        self._on_slice, self._on_idle = on_slice, on_idle
        self._jobs: deque[Job] = deque()
        self._next: asyncio.Handle | None = None

    @property
    def busy(self) -> bool:
        """Whether something is still to be written."""
        return self._next is not None

    def send(self, tick: Tick, audiences: Mapping[Audience, Collection[Connection]]) -> None:
        """Write the tick to all who are here now: at once in a small room, else with turns for others in between."""
        self._jobs += [Job(tick, audience, tuple(members)) for audience, members in audiences.items() if members]
        if self._next is None:
            self._work()

    def _work(self) -> None:
        started_s, left = time.thread_time(), SLICE
        try:
            while self._jobs and left > 0:
                job = self._jobs[0]
                left -= job.write(left)
                if job.at == len(job.members):
                    self._jobs.popleft()
        finally:  # whatever one socket does, the others are written to
            self._next = asyncio.get_running_loop().call_soon(self._work) if self._jobs else None
            self._on_slice(time.thread_time() - started_s, SLICE - left)
            if self._next is None:
                self._on_idle()

    def stop(self) -> None:
        """Write nothing more."""
        self._jobs.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None
