"""A TCP proxy that behaves badly on command: between the web processes and the ledger's Redis."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

from tests.torture.waiting import rest

CHUNK = 65_536


@dataclass(eq=False)
class _Link:
    """One client connection and its connection to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def cut(self) -> None:
        """Reset both sides at once."""
        for writer in (self.client, self.server):
            with contextlib.suppress(Exception):
                writer.transport.abort()


class TcpProxy:
    """Forwards bytes to a port of this machine; what it may do to them is set while it runs.

    delay_s: every chunk waits this long, in order. black_hole: what is sent is swallowed on both sides, nothing is
    closed. replies_left: bytes of replies still let through over all links; then every link is cut.
    mute: requests go through, replies are swallowed, nothing is closed.
    half_closed: requests go through, replies are swallowed and the client sees the end of the stream.
    """

    def __init__(self, target_port: int, host: str = "127.0.0.1") -> None:
        self.target_port, self._host = target_port, host
        self.port = 0
        self.delay_s = 0.0
        self.black_hole = False
        self.mute = False
        self.half_closed = False
        self.replies_left: int | None = None
        self.swallowed = 0
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, self._host, 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything and stop listening."""
        if self._server is not None:
            self._server.close()
        tasks = [task for link in self._links for task in link.tasks]
        self.cut_all()
        await asyncio.gather(*tasks, return_exceptions=True)

    def behave(self) -> None:
        """Forward everything again; links that lost bytes are cut, for they can never be right again."""
        spoiled = self.black_hole or self.mute or self.half_closed or self.replies_left is not None
        self.delay_s, self.black_hole, self.half_closed, self.replies_left = 0.0, False, False, None
        self.mute = False
        if spoiled:
            self.cut_all()

    def cut_all(self) -> None:
        """Reset every link."""
        for link in tuple(self._links):
            link.cut()

    def half_close(self) -> None:
        """From now on requests go through, but no reply comes back."""
        self.half_closed = True
        for link in tuple(self._links):
            with contextlib.suppress(Exception):
                link.client.write_eof()

    def drop_replies_after(self, count: int) -> None:
        """Let `count` more bytes of replies through, then cut every link, in the middle of a reply as it may be."""
        self.replies_left = count

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(self._host, self.target_port, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server_writer)
        self._links.add(link)
        link.tasks = [
            asyncio.create_task(self._pump(link, reader, server_writer, replies=False)),
            asyncio.create_task(self._pump(link, server_reader, writer, replies=True)),
        ]
        await asyncio.gather(*link.tasks, return_exceptions=True)
        link.cut()
        self._links.discard(link)

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(CHUNK):
                if self.delay_s:
                    await rest(random.uniform(self.delay_s / 2, self.delay_s))
                if self.black_hole or (replies and (self.half_closed or self.mute)):
                    self.swallowed += len(data)
                    continue
                if replies and self.replies_left is not None:
                    data, lost = data[: self.replies_left], data[self.replies_left :]
                    self.replies_left -= len(data)
                    writer.write(data)
                    if lost:
                        self.swallowed += len(lost)
                        self.cut_all()
                        return
                    continue
                writer.write(data)
                await writer.drain()
        if not (replies and self.half_closed):
            link.cut()
