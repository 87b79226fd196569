"""A request that takes too long is answered with 408 and its connection ends; one that is whole takes its time."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from rooms import handshake
from tests.rooms.edge_server import Echo, serving

SLOW_S = 0.3
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
IN_PART = {
    "nothing": (b"", b"408"),
    "half a handshake": (UPGRADE, b"408"),
    "one byte": (b"G", b"408"),
    "a head without its body": (POST + b"hel", b""),
}


@pytest.fixture
async def echo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Echo]:
    """A server of little patience."""
    monkeypatch.setattr(handshake, "HEAD_S", SLOW_S)
    monkeypatch.setattr(handshake, "BODY_S", SLOW_S)
    async with serving(Echo()) as app:
        yield app


async def dial(echo: Echo) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A plain connection."""
    address = urlsplit(echo.url)
    return await asyncio.open_connection(address.hostname, address.port)


async def until_whole(echo: Echo) -> None:
    """Longer than a request in part is waited for."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(3 * SLOW_S, passed.set_result, None)
    await passed


@pytest.mark.parametrize("what", IN_PART)
async def test_a_request_in_part_is_cut_off(echo: Echo, what: str) -> None:
    """Whatever of it came; a drip of bytes does not lengthen it."""
    sent, said = IN_PART[what]
    reader, writer = await dial(echo)
    started_s = asyncio.get_running_loop().time()
    writer.write(sent)
    async with asyncio.timeout(10):
        assert (await reader.read())[9:12] == said
    assert asyncio.get_running_loop().time() - started_s >= SLOW_S * 0.9
    writer.close()


async def test_a_drip_is_cut_off(echo: Echo) -> None:
    """A header line now and then keeps nothing open."""
    reader, writer = await dial(echo)
    writer.write(UPGRADE)
    answer = asyncio.create_task(reader.read())
    async with asyncio.timeout(10):
        while not answer.done():
            writer.write(b"x: y\r\n")
            await asyncio.wait({answer}, timeout=SLOW_S / 10)
    assert (await answer).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_whole_request_takes_its_time(echo: Echo) -> None:
    """The application works longer on it than a part of one is waited for; then the next one has its own time."""
    echo.before_detach = lambda: until_whole(echo)
    reader, writer = await dial(echo)
    for _ in range(2):
        writer.write(POST + b"hello")
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(5) == b"hello"
    writer.write(b"GET")
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_socket_outlives_its_handshake(echo: Echo) -> None:
    """The deadline is the request's, not the socket's."""
    async with echo.connect() as client:
        await until_whole(echo)
        await client.send("still here")
        assert await client.recv() == "still here"
