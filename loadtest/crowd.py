"""Tens of thousands of viewers in one process: raw frames, counted and not decoded.

What is counted are marks: `@T=` and nineteen digits, the nanoseconds (time.time_ns) at which whoever published a
message had it. They are found in the bytes as they come, whatever carries them: one frame a message, many frames a
read, or many messages a frame. Every viewer counts all marks; each `sample_every`-th also reads the times, which gives
the lag.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

from loadtest.frames import END_OF_HEAD, PONG, handshake
from loadtest.reading import Reading

MARK: Final = b"@T="
STAMP: Final = re.compile(rb"@T=([0-9]{19})")
CONNECTING_AT_ONCE: Final = 200
CONNECT_S: Final = 30.0
LAGS_MAX: Final = 2_000_000
PING: Final = bytes((0x89, 0))
CUT: Final = MARK[:-1]
"""What a read may end with when it ends in the middle of a mark."""

Watch = Callable[[bytes], None]
"""Takes what one viewer read, from its first frame on."""


def mark() -> bytes:
    """The mark of a message that is published now."""
    return MARK + str(time.time_ns()).encode()


@dataclass
class Totals:
    """What all viewers of a crowd saw."""

    deliveries: int = 0
    bytes: int = 0
    reads: int = 0
    lost: int = 0
    lags_ns: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Begin to count anew."""
        self.deliveries = self.bytes = self.reads = self.lost = 0
        self.lags_ns.clear()


class Viewer(asyncio.Protocol):
    """One socket of the crowd."""

    __slots__ = ("_crowd", "_ready", "_sampled", "_tail", "_watch", "bytes", "seen", "transport")

    def __init__(
        self, crowd: "Crowd", ready: "asyncio.Future[None]", *, sampled: bool, watch: Watch | None = None
    ) -> None:
        self._crowd, self._ready, self._sampled, self._watch = crowd, ready, sampled, watch
        self._tail = b""
        self.seen = self.bytes = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        """Wait until the handshake's answer is whole, then count."""
        if not self._ready.done():
            data = self._answered(data)
        if data:
            self.take(data)

    def take(self, data: bytes) -> None:
        """Count what the server sent; nothing at the end."""
        if not data:
            if self.transport is not None:
                self.transport.abort()
            return
        crowd, size = self._crowd, len(data)
        totals = crowd.totals
        count = self._timed(data) if self._sampled else self._counted(data)
        self.seen += count
        self.bytes += size
        totals.deliveries += count
        totals.bytes += size
        totals.reads += 1
        if self._watch is not None:
            self._watch(data)
        if b"\x89" in data and PING in data and self.transport is not None:  # one byte is found much faster than two
            self.transport.write(PONG)  # where it was none, the server does not mind
        if crowd.on_seen is not None and self is crowd.last:
            crowd.on_seen(self.seen)

    def _counted(self, data: bytes) -> int:
        whole = self._tail + data if self._tail else data
        self._tail = whole[-len(CUT) :] if whole[-1] in CUT else b""
        return whole.count(MARK)

    def _timed(self, data: bytes) -> int:
        now_ns, lags_ns = time.time_ns(), self._crowd.totals.lags_ns
        whole = self._tail + data
        count = whole.count(MARK) - self._tail.count(MARK)
        if len(lags_ns) < LAGS_MAX:
            lags_ns += [now_ns - int(stamp) for stamp in STAMP.findall(whole)]
        last = whole.rfind(MARK)
        cut = last >= 0 and not STAMP.match(whole, last)  # its time comes with the next read
        self._tail = whole[last:] if cut else whole[-len(CUT) :]
        return count

    def _answered(self, data: bytes) -> bytes:
        self._tail += data
        head, end, rest = self._tail.partition(END_OF_HEAD)
        if not end:
            return b""
        self._tail = b""
        if not head.startswith(b"HTTP/1.1 101"):
            self._ready.set_exception(ConnectionError(head.split(b"\r\n")[0].decode(errors="replace")))
            return b""
        self._ready.set_result(None)
        if self._crowd.hello and self.transport is not None:
            self.transport.write(self._crowd.hello)
        return rest

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed it, or the crowd goes home."""
        self._crowd.totals.lost += 1
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("closed before it was open"))


class Crowd:
    """Viewers of one address.

    `hello` is sent by each once it is open; `on_seen` follows the last viewer's count; `watch` gives those viewers, by
    their number, somebody who reads along.
    """

    def __init__(
        self,
        url: str,
        *,
        subprotocol: str = "",
        token: str = "",
        hello: bytes = b"",
        sample_every: int = 20,
        on_seen: Callable[[int], None] | None = None,
        watch: Callable[[int], Watch | None] = lambda number: None,
    ) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.request = handshake(self.host, self.port, path, subprotocol, token)
        self.hello, self.sample_every, self.on_seen = hello, sample_every, on_seen
        self._watch = watch
        self.totals = Totals()
        self.viewers: list[Viewer] = []
        self._reading: Reading | None = None
        self.last: Viewer | None = None

    async def come(self, count: int) -> float:
        """Open so many more sockets; the seconds it took. Raises OSError when one is refused."""
        started_s = time.perf_counter()
        reading = self._reading = self._reading or Reading()
        gate = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def one(number: int) -> Viewer:
            async with gate:
                loop = asyncio.get_running_loop()
                ready: asyncio.Future[None] = loop.create_future()
                sampled, watch = number % self.sample_every == 0, self._watch(number)
                _, viewer = await loop.create_connection(
                    lambda: Viewer(self, ready, sampled=sampled, watch=watch), self.host, self.port
                )
                async with asyncio.timeout(CONNECT_S):
                    await ready
                if viewer.transport is not None and not viewer.transport.is_closing():
                    reading.add(viewer.transport, viewer.take)
                return viewer

        self.viewers += await asyncio.gather(*(one(len(self.viewers) + number) for number in range(count)))
        self.last = self.viewers[-1]
        return time.perf_counter() - started_s

    def count_anew(self) -> None:
        """Begin to count anew, each viewer and all together."""
        self.totals.clear()
        for viewer in self.viewers:
            viewer.seen = viewer.bytes = 0

    async def go(self) -> None:
        """Close all sockets."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None
        for viewer in self.viewers:
            if viewer.transport is not None:
                viewer.transport.abort()
        self.viewers.clear()
        await asyncio.sleep(0)
