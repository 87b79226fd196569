"""The edge on a real uvicorn: frames in by callback, bytes out by transport, and no task behind a socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rooms import edge as edge_module
from rooms.codes import TOO_MANY
from rooms.frames import Frame
from rooms.pings import SPOKES, PingWheel
from tests.rooms.conftest import DEADLINE_S, until
from tests.rooms.edge_server import MESSAGE_BYTES, Echo, deaf, serving


def frame(first: int, payload: bytes = b"") -> bytes:
    """A short frame as clients send them, masked with zeros."""
    return bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    """An echo over detached sockets."""
    async with serving(Echo()) as app:
        yield app


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 1_000, MESSAGE_BYTES])
async def test_messages_go_both_ways(echo: Echo, length: int) -> None:
    """Text and binary, of every form of length, in order; the ASGI task has ended meanwhile."""
    async with echo.connect() as client:
        for message in ("é" * (length // 2), b"\xff" * length):
            await client.send(message)
            assert await client.recv() == message
        assert not echo.server.server_state.tasks
        assert len(echo.server.server_state.connections) == 1
    assert await until(lambda: echo.lost == 1)
    await until(lambda: not echo.server.server_state.connections)


async def test_fragments_are_one_message(echo: Echo) -> None:
    """With a ping in between, which is answered at once."""
    async with echo.connect() as client:
        await client.send(["gif", "t", "server"])
        assert await client.recv() == "giftserver"
        await (await client.ping(b"there?"))


async def test_what_comes_before_the_socket_is_let_go_is_not_lost(echo: Echo) -> None:
    """Messages that arrive while the application still works on the handshake are delivered, in order."""
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    echo.before_detach = wait
    async with echo.connect() as client:
        for number in range(50):
            await client.send(str(number))
        assert echo.messages == []
        go_on.set()
        assert [await client.recv() for _ in range(50)] == [str(number) for number in range(50)]


async def test_a_socket_that_is_gone_before_it_is_let_go_ends_at_once(echo: Echo) -> None:
    """The application hears of the end though there was no beginning."""
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    echo.before_detach = wait
    async with echo.connect() as client:
        client.transport.abort()
    await until(lambda: not echo.server.server_state.connections)
    go_on.set()
    assert await until(lambda: echo.lost == 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"x" * (MESSAGE_BYTES + 1), 1009), (b"not UTF-8: \xff\xfe", 1007)],
)
async def test_a_message_that_cannot_be_taken_closes_the_socket(echo: Echo, data: bytes, code: int) -> None:
    """With the code of RFC 6455, and the application sees nothing of it but the end."""
    async with echo.connect() as client:
        async with client.send_context():
            client.protocol.send_text(data)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
    assert await until(lambda: echo.lost == 1)
    assert echo.messages == []


async def test_a_frame_that_breaks_the_protocol_closes_the_socket(echo: Echo) -> None:
    """A reserved opcode: 1002."""
    async with echo.connect() as client:
        client.transport.write(bytes((0x83, 0x80, 0, 0, 0, 0)))
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1002


async def test_a_message_of_endless_frames_closes_the_socket(echo: Echo) -> None:
    """Empty ones, which never make it too long: 1009, and they do not pile up."""
    async with echo.connect() as client:
        client.transport.write(frame(0x01) + frame(0x00) * 3 * edge_module.FRAGMENTS_MAX)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(client.recv(), DEADLINE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert max(len(edge.frames) for edge in echo.edges) <= edge_module.FRAGMENTS_MAX
    assert echo.messages == []


async def test_a_message_of_very_many_frames_is_taken(echo: Echo) -> None:
    """Up to the limit."""
    async with echo.connect() as client:
        client.transport.write(frame(0x01, b"a") + frame(0x00) * (edge_module.FRAGMENTS_MAX - 2) + frame(0x80, b"z"))
        assert await client.recv() == "az"


@pytest.mark.parametrize("payload", [b"not UTF-8: \xff", b"refused by the application"])
async def test_a_message_that_cannot_be_taken_together_with_the_end(
    echo: Echo, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The peer's close is answered already when its last message is looked at: nothing closes a second time."""
    echo.take = lambda edge, data, text: edge.close(4501, "no")  # type: ignore[method-assign]
    async with echo.connect() as client:
        client.transport.write(frame(0x81, payload) + frame(0x88, b"\x03\xe8"))
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000
    assert await until(lambda: echo.lost == 1)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Transfer-Encoding: chunked", b"400"),
        ("Content-Length: 1", b"400"),
        ("X-Long: " + "x" * 10_000, b"431"),
        ("\r\n".join(["X-Many: x"] * 200), b"431"),
    ],
)
async def test_a_handshake_that_cannot_be_read_is_refused(echo: Echo, header: str, status: bytes) -> None:
    """With an answer and an end, instead of a socket that waits for nothing."""
    reader, writer = await asyncio.open_connection(*echo.url.removeprefix("ws://").split(":"))
    writer.write(
        "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{header}\r\n\r\n".encode()
    )
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.split()[1] == status
    writer.close()
    assert await until(lambda: not echo.server.server_state.connections)


async def test_the_server_closes_after_what_it_wrote(echo: Echo) -> None:
    """The client reads everything, then code and reason; a second close changes nothing."""
    async with echo.connect() as client:
        await client.send("one")
        await client.recv()
        [edge] = echo.edges
        edge.write(Frame(b"two", binary=False))
        edge.close(4001, "go elsewhere")
        edge.close(4002, "no")
        assert await client.recv() == "two"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "go elsewhere")
    assert await until(lambda: echo.lost == 1)


async def test_writing_to_a_peer_that_is_gone_does_nothing(echo: Echo) -> None:
    """Before the application has heard of the end, and after."""
    async with echo.connect() as client:
        await client.send("hello")
        await client.recv()
        [edge] = echo.edges
        edge.transport.abort()
        for _ in range(2):
            edge.write(Frame(b"nobody", binary=False))
            edge.ping()
            edge.close(4001, "nobody")
            assert edge.backlog() == 0
            await until(lambda: echo.lost == 1)


async def test_a_peer_that_does_not_take_the_close_is_cut_off(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads nothing: what waits for it is given up after a while, and the others are not held up."""
    monkeypatch.setattr(edge_module, "CLOSE_TIMEOUT_S", 0.2)
    async with echo.connect() as stalled, echo.connect() as other:
        await stalled.send("hello")
        await until(lambda: echo.messages)
        edge = echo.edges[0]
        await deaf(stalled)
        chunk = Frame(b"x" * 65_536, binary=True)
        while edge.backlog() < 1_000_000:
            edge.write(chunk)
        edge.close(4008, "too slow")
        await other.send("still here")
        assert await other.recv() == "still here"
        assert await until(lambda: echo.lost == 1)
        stalled.transport.resume_reading()


async def test_a_peer_that_does_not_answer_pings_is_cut_off() -> None:
    """One that answers stays, turn after turn."""
    wheel = PingWheel(turn_s=SPOKES * 0.005)
    async with serving(Echo(wheel=wheel)) as echo, echo.connect() as silent, echo.connect() as alive:
        await deaf(silent)
        assert await until(lambda: echo.lost == 1)
        await alive.send("here")
        assert await alive.recv() == "here"
        assert echo.lost == 1


async def test_a_flood_of_pings_is_closed(echo: Echo) -> None:
    """With the code for too many, and at once; that many are answered."""
    async with echo.connect() as client:
        await client.send("hello")
        await client.recv()
        for _ in range(edge_module.PINGS_MAX + 2):
            async with client.send_context():
                client.protocol.send_ping(b"")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(client.recv(), DEADLINE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == TOO_MANY.code
        assert await until(lambda: echo.lost == 1)


async def test_what_comes_after_a_close_is_not_read(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of frames cost no more than the few that come in time to answer the close, which is heard."""
    handled = 0
    count = edge_module.EdgeProtocol.handle_ping

    def counting(edge: edge_module.EdgeProtocol) -> None:
        nonlocal handled
        handled += 1
        count(edge)

    monkeypatch.setattr(edge_module.EdgeProtocol, "handle_ping", counting)
    async with echo.connect() as client:
        await client.send("hello")
        await client.recv()
        ping = b"\x89\x80\0\0\0\0"
        client.transport.write(ping * 10_000)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == TOO_MANY.code
    pieces = (edge_module.PIECES_AFTER_CLOSE + 2) * edge_module.PIECE_BYTES
    assert edge_module.PINGS_MAX < handled <= edge_module.PINGS_MAX + pieces // len(ping)
    async with echo.connect() as polite:
        await polite.send("hello")
        await polite.recv()
        echo.edges[-1].close(4001, "polite")
        await polite.wait_closed()
        assert await until(lambda: echo.edges[-1].disconnected)


async def test_pings_below_a_flood_are_counted_between_those_of_the_server() -> None:
    """Whoever asks often for a long time stays."""
    async with serving(Echo(wheel=PingWheel(turn_s=SPOKES * 0.005))) as echo, echo.connect() as client:
        for _ in range(3):
            for _ in range(edge_module.PINGS_MAX - 10):
                await (await client.ping())
            [edge] = echo.edges
            await until(lambda edge=edge: edge._pings < edge_module.PINGS_MAX // 2)
        assert echo.lost == 0


async def test_pongs_for_a_peer_that_does_not_read_are_left_out(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for it grows no further."""
    monkeypatch.setattr(edge_module, "PONG_BUFFER_MAX", -1)
    async with echo.connect() as client:
        await client.ping(b"no answer")
        await client.send("then this")
        assert await client.recv() == "then this"


async def test_an_application_that_fails(echo: Echo, caplog: pytest.LogCaptureFixture) -> None:
    """Before the handshake the client gets a 500, after it an end; both are logged."""
    with pytest.raises(InvalidStatus) as refused:
        async with echo.connect("/fails"):
            pass
    assert refused.value.response.status_code == 500
    async with echo.connect("/fails-later") as client:
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert len([record for record in caplog.records if record.exc_info]) == 2
    await until(lambda: not echo.server.server_state.connections)


async def test_the_server_ends_with_sockets_open() -> None:
    """They are told that it goes away."""
    async with serving(Echo()) as echo:
        client = await echo.connect()
        await client.send("hello")
        await client.recv()
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert echo.lost == 1


async def test_the_server_ends_beside_a_peer_that_is_leaving_and_does_not_read() -> None:
    """It said goodbye and takes nothing more: the end of the server is not held up."""
    async with serving(Echo()) as echo:
        client = await echo.connect()
        await client.send("hello")
        await until(lambda: echo.messages)
        await deaf(client)
        [edge] = echo.edges
        chunk = Frame(b"x" * 65_536, binary=True)
        while edge.backlog() < 1_000_000:
            edge.write(chunk)
        client.transport.write(bytes((0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8)))
        assert await until(edge.transport.is_closing)
    assert echo.lost == 1
    client.transport.abort()


async def test_a_pong_nobody_asked_for_is_ignored(echo: Echo) -> None:
    """As the protocol allows."""
    async with echo.connect() as client:
        async with client.send_context():
            client.protocol.send_pong(b"unasked")
        await client.send("fine")
        assert await client.recv() == "fine"
