"""Messages that the edge reads by itself: the same ones, and the same end, as where the library reads all of them."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from loadtest.frames import END_OF_HEAD, handshake
from rooms import edge as edge_module
from rooms.frames import plain_message
from tests.rooms.conftest import until
from tests.rooms.edge_server import MESSAGE_BYTES, Echo, serving

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
BREACHES = (1002, 1009)
MASK = b"\x11\x22\x33\x44"


class Silent(Echo):
    """Answers nothing, and closes by itself at a word."""

    def take(self, edge: Any, data: bytes, text: bool) -> None:
        self.messages.append((data, text))
        if data == b"close":
            edge.close(4000, "asked to")


def framed(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = MASK) -> bytes:
    """A frame as a client sends it; without a mask when that is empty."""
    head = bytes(((0x80 if fin else 0) | rsv | opcode,))
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes((bit | len(payload),))
    elif len(payload) < 65_536:
        head += bytes((bit | 126,)) + struct.pack("!H", len(payload))
    else:
        head += bytes((bit | 127,)) + struct.pack("!Q", len(payload))
    return head + mask + bytes(byte ^ (mask or b"\0")[n % (len(mask) or 1)] for n, byte in enumerate(payload))


WHOLE = [
    framed(TEXT, b"hello"), framed(BINARY, bytes(range(256))), framed(TEXT), framed(BINARY, b"x" * 125),
    framed(BINARY, b"x" * 126), framed(BINARY, b"x" * 1_100), framed(TEXT, "grüße".encode()), framed(PING, b"there?"),
    framed(PONG), framed(TEXT, b"in ", fin=False) + framed(PING) + framed(CONT, b"parts"),
    framed(BINARY, fin=False) + framed(CONT, b"after nothing"), framed(BINARY, b"y" * MESSAGE_BYTES),
]  # fmt: skip
LAST = [
    b"", framed(CLOSE, struct.pack("!H", 1000)), framed(BINARY, b"x" * (MESSAGE_BYTES + 1)), framed(TEXT, b"\xff\xfe"),
    framed(TEXT, b"open", fin=False) + framed(TEXT, b"another"), framed(CONT, b"of nothing"), framed(3, b"reserved"),
    framed(TEXT, b"reserved bit", rsv=0x40), framed(TEXT, b"no mask", mask=b""), framed(PING, b"x" * 126),
    b"\x82\xfe\x00\x05" + MASK + b"short", b"\x82\xff" + struct.pack("!Q", 5) + MASK + b"short",
    framed(TEXT, b"close") + framed(TEXT, b"too late"), framed(TEXT, b"cut off")[:-3],
]  # fmt: skip


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    """A server that keeps what comes."""
    async with serving(Silent()) as app:
        yield app


async def outcome(app: Silent, chunks: Sequence[bytes]) -> tuple[list[tuple[bytes, bool]], int | None]:
    """Messages that the application was given, and the code that the server closed with."""
    app.messages.clear()
    reader, writer = await asyncio.open_connection(*app.url.removeprefix("ws://").split(":"))
    writer.write(handshake("127.0.0.1", 0, "/"))
    await reader.readuntil(END_OF_HEAD)
    writer.write(framed(TEXT, b"first"))
    await until(lambda: app.messages)
    edge = app.edges[-1]
    for chunk in chunks:
        if not edge.transport.is_closing():
            edge.data_received(chunk)  # as the transport would, cut where the test wants it
    found = list(app.messages), edge.closed_for
    writer.close()
    await until(lambda: app.lost == len(app.edges))
    return found


def cut(frames: Sequence[bytes], chances: random.Random) -> list[bytes]:
    """Between frames, or in pieces of any length, sometimes byte by byte."""
    stream, most = b"".join(frames), chances.choice((0, 0, 1, 10, 200, 5_000, 1_000_000))
    if not most:
        return list(frames)
    pieces = []
    while stream:
        size = chances.randint(1, most)
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


@pytest.mark.parametrize("last", range(len(LAST)))
async def test_what_comes_is_read_as_the_library_reads_it(
    silent: Silent, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """Wherever the stream is cut: frames of every kind in any order, then each way to end."""
    chances, here = random.Random(last), [0]

    def counting(data: bytes, at: int, most: int) -> Any:
        found = plain_message(data, at, most)
        here[0] += found is not None
        return found

    for _ in range(12):
        chunks = cut([*chances.choices(WHOLE, k=chances.randint(0, 8)), LAST[last]], chances)
        monkeypatch.setattr(edge_module, "plain_message", counting)
        ours = await outcome(silent, chunks)
        monkeypatch.setattr(edge_module, "plain_message", lambda data, at, most: None)
        theirs = await outcome(silent, chunks)
        if ours[1] in BREACHES:  # the base class forgets what came in one piece with the breach
            assert ours[0][: len(theirs[0])] == theirs[0]
            theirs = ours[0], theirs[1]
        assert ours == theirs, chunks
    assert here[0] > 4


@pytest.mark.parametrize(
    ("before", "between"),
    [
        (b"", True),
        (framed(TEXT, b"whole"), True),
        (framed(TEXT, b"part")[:1], False),
        (framed(TEXT, b"part")[:2], False),
        (framed(TEXT, b"part")[:6], False),
        (framed(TEXT, b"part")[:-1], False),
        (framed(TEXT, fin=False), False),
        (framed(TEXT, b"in", fin=False) + framed(PING), False),
        (framed(TEXT, b"in", fin=False) + framed(CONT, b"two"), True),
        (framed(PING), True),
        (framed(CLOSE), False),
        (framed(3), False),
    ],
)
async def test_where_the_library_stands_is_known(silent: Silent, before: bytes, between: bool) -> None:
    """Only between two messages may the next one be read here."""
    await outcome(silent, [framed(PING)])
    reader, writer = await asyncio.open_connection(*silent.url.removeprefix("ws://").split(":"))
    writer.write(handshake("127.0.0.1", 0, "/"))
    await reader.readuntil(END_OF_HEAD)
    await until(lambda: len(silent.edges) == 2)
    edge = silent.edges[-1]
    edge.data_received(framed(PING) + before)
    assert edge._between_frames is between
    writer.close()
    await until(lambda: silent.lost == 2)


@pytest.mark.parametrize(
    "frame",
    [framed(TEXT, b"x")[:n] for n in range(7)]
    + [framed(PING), framed(TEXT, b"x", fin=False), framed(TEXT, b"x", rsv=0x20), framed(TEXT, b"x", mask=b"")]
    + [framed(TEXT, b"x" * 1_001), framed(TEXT, b"x" * 300)[:-1], b"\x82\xfe\x00\x05" + MASK + b"short"],
)
def test_only_the_usual_message_is_read_here(frame: bytes) -> None:
    """Everything else is for the library, which knows what is wrong with it."""
    assert plain_message(b"before" + frame, 6, 1_000) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 1_000])
def test_the_usual_message_is_read_wherever_it_begins(size: int) -> None:
    """And what follows it is left."""
    data = b"before" + framed(BINARY, b"x" * size) + framed(TEXT, b"after")
    found = plain_message(data, 6, 1_000)
    assert found is not None
    assert found[:2] == (False, b"x" * size)
    assert plain_message(data, found[2], 1_000) == (True, b"after", len(data))
