"""Frames that go straight to sockets: in order and whole, also where the kernel takes only a part of them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from loadtest.frames import handshake
from rooms.codec import JSON
from rooms.connection import Connection, Member
from rooms.fanout import Job
from rooms.frames import Frame
from rooms.history import EVENT, Record
from rooms.tick import Condenser, Shown, Tick
from tests.rooms.conftest import Plain, until
from tests.rooms.edge_server import Echo, serving

LARGE = 30_000
FRAMES = 400
REPLY = 8_000_000


class Audience(Echo):
    """Lets go of every socket, and keeps a connection of each for the fan-out."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: list[Connection] = []

    def take(self, edge: Any, data: bytes, text: bool) -> None:
        self.messages.append((data, text))

    def joins(self, edge: Any) -> Connection:
        connection = Connection(edge, JSON, Member(None, "", "viewer"), outbox_bytes=1 << 26, commands_per_s=10)
        self.connections.append(connection)
        return connection


@pytest.fixture
async def audience() -> AsyncIterator[Audience]:
    """A server whose sockets are written to by a fan-out."""
    async with serving(Audience()) as app:
        yield app


def tick(number: int, size: int) -> Tick:
    """A tick of one event."""
    record = Record(number, EVENT, 0, "", 0, 0, f"{number}-" + "x" * size)
    renderer = Plain()
    return Tick([Shown.of(record, renderer)], [], Condenser(renderer))


def write(number: int, members: Sequence[Connection], size: int = 10) -> None:
    """Write a tick to all of them."""
    assert Job(tick(number, size), (JSON, True), tuple(members)).write(len(members)) == len(members)


async def read(client: ClientConnection, count: int) -> list[int]:
    """Offsets of so many frames."""
    found = []
    for _ in range(count):
        found += [message["offset"] for message in JSON.decode((await client.recv()).encode(), list[dict[str, Any]])]
    return found


@pytest.mark.parametrize("size", [10, LARGE])
async def test_what_the_kernel_does_not_take_follows(audience: Audience, size: int) -> None:
    """One reads all the time, one begins when megabytes wait for it: both read the same frames."""
    async with audience.connect(max_size=None) as quick, audience.connect(max_size=None, max_queue=1) as late:
        assert await until(lambda: len(audience.connections) == 2)
        assert all(connection.descriptor >= 0 for connection in audience.connections)
        late.transport.pause_reading()
        reading = asyncio.create_task(read(quick, FRAMES))
        for number in range(1, FRAMES + 1):
            write(number, audience.connections, size)
            await asyncio.sleep(0)
        assert await reading == list(range(1, FRAMES + 1))
        if size == LARGE:
            assert max(connection.backlog() for connection in audience.connections) > 1_000_000
        late.transport.resume_reading()
        assert await read(late, FRAMES) == list(range(1, FRAMES + 1))


async def test_what_waits_in_the_transport_is_not_overtaken(audience: Audience) -> None:
    """Also when the kernel has room again before the transport knows."""
    reply = Frame(b"a" * REPLY, binary=False)

    def come() -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.connect(("127.0.0.1", int(audience.url.rsplit(":", 1)[1])))
        client.sendall(handshake("127.0.0.1", 0, "/"))
        while not client.recv(1, socket.MSG_PEEK):
            pass
        return client

    with await asyncio.to_thread(come) as client:
        assert await until(lambda: audience.connections)
        [connection], [edge] = audience.connections, audience.edges
        write(1, audience.connections)
        assert connection.clear >= 0
        edge.write(reply)
        assert connection.backlog() > 0
        client.setblocking(False)
        first, second = (tick(number, 10).frame(JSON, whole=True).wire for number in (1, 2))
        wanted, got = first + reply.wire + second, bytearray()
        while len(got) < REPLY // 8:  # the loop has no turn meanwhile
            with contextlib.suppress(BlockingIOError):
                got += client.recv(1 << 20)
        write(2, audience.connections)
        start = got.index(b"\r\n\r\n") + 4
        while len(got) < start + len(wanted):
            with contextlib.suppress(BlockingIOError):
                got += client.recv(1 << 20)
            await asyncio.sleep(0)
        assert got[start:] == wanted


async def test_a_socket_that_is_gone_is_passed_over(audience: Audience) -> None:
    """Its number may be another's by now: nobody writes to it."""
    async with audience.connect() as stays:
        leaves = await audience.connect()
        assert await until(lambda: len(audience.connections) == 2)
        members = tuple(audience.connections)
        leaves.transport.abort()
        write(1, members)
        assert await until(lambda: audience.lost == 1)
        assert [connection.descriptor for connection in members].count(-1) == 1
        write(2, members)
        assert await read(stays, 2) == [1, 2]
