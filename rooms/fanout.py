"""Writing one tick to every socket that looks at a room in the same way, without an await.

A slow viewer is known by the bytes that wait in its transport; nobody waits for it.
"""

import os

from rooms.codec import Codec
from rooms.connection import SKIP_LATEST_BYTES, Connection
from rooms.tick import Tick

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
