"""Many sockets read by one epoll, where there is one: a third of what an event loop's own reading costs."""

import asyncio
import os
import select
import sys
from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 65_536
AT_ONCE: Final = 1_000
"""Sockets that are read before the loop has its turn."""

Reader = Callable[[bytes], None]
"""Takes what came; nothing, once, at the end."""

if sys.platform == "linux":

    class Reading:
        """Reads for transports that no longer do. Their sockets stay theirs; belongs to the running loop."""

        def __init__(self) -> None:
            self._readers: dict[int, Reader] = {}
            self._epoll = select.epoll()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._read)

        def add(self, transport: asyncio.Transport, reader: Reader) -> None:
            """Read this one's socket from now on."""
            transport.pause_reading()
            descriptor = transport.get_extra_info("socket").fileno()
            self._readers[descriptor] = reader
            self._epoll.register(descriptor, select.EPOLLIN)

        def _read(self) -> None:
            readers = self._readers
            for descriptor, _ in self._epoll.poll(0, AT_ONCE):
                try:
                    data = os.read(descriptor, READ_BYTES)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                if not data:
                    self._epoll.unregister(descriptor)
                readers[descriptor](data)

        def close(self) -> None:
            """Read nothing more."""
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

else:

    class Reading:
        """Elsewhere the event loop reads."""

        def add(self, transport: asyncio.Transport, reader: Reader) -> None:
            """The transport goes on."""

        def close(self) -> None:
            """Nothing was begun."""
