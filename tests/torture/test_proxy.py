"""The bad network behaves as badly as it says, and well again afterwards."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.torture.proxy import TcpProxy
from tests.torture.waiting import until

WAIT_S = 0.2


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes."""
    try:
        while data := await reader.read(1_024):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """A proxy before an echo."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = TcpProxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.stop()
    server.close()


async def asked(proxy: TcpProxy, text: bytes) -> bytes | None:
    """What a new connection gets back within a moment; None when nothing comes, b"" when it is cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(text)
        return await asyncio.wait_for(reader.read(1_024), WAIT_S)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def test_it_forwards(proxy: TcpProxy) -> None:
    """Left alone it is a wire."""
    assert await asked(proxy, b"hello") == b"hello"


async def test_it_delays(proxy: TcpProxy) -> None:
    """A delay holds every chunk back, and ends."""
    proxy.delay_s = 2.0
    assert await asked(proxy, b"hello") is None
    proxy.behave()
    assert await asked(proxy, b"hello") == b"hello"


async def test_it_swallows_everything(proxy: TcpProxy) -> None:
    """A black hole neither answers nor closes."""
    proxy.black_hole = True
    assert await asked(proxy, b"hello") is None
    assert proxy.swallowed == 5
    proxy.behave()
    assert await asked(proxy, b"hello") == b"hello"


async def test_it_cuts_in_the_middle_of_a_reply(proxy: TcpProxy) -> None:
    """So many bytes of replies come through, then every link is reset."""
    proxy.drop_replies_after(3)
    assert (await asked(proxy, b"hello") or b"")[:3] in (b"hel", b"")
    assert proxy.swallowed == 2
    proxy.behave()
    assert await asked(proxy, b"hello") == b"hello"


async def test_it_half_closes(proxy: TcpProxy) -> None:
    """The client sees the end of the stream; its requests still arrive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await reader.read(3) == b"one"
    proxy.half_close()
    assert await asyncio.wait_for(reader.read(3), 5) == b""
    writer.write(b"two")
    assert await until(lambda: proxy.swallowed == 3, 5)  # the echo of what was sent after the end
    writer.transport.abort()
    proxy.behave()
    assert await asked(proxy, b"hello") == b"hello"


async def test_a_server_that_is_away_is_a_cut(proxy: TcpProxy) -> None:
    """Nobody listens behind the proxy."""
    proxy.target_port = 1
    assert await asked(proxy, b"hello") == b""
