"""The crowd counts what is there: however the bytes are cut, and over a real server without a message missing."""

import asyncio
from typing import Any

import pytest

from loadtest.crowd import Crowd, Viewer, mark


class Nowhere:
    """A transport that takes everything."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data


def watching(crowd: Crowd, *, sampled: bool) -> tuple[Viewer, Nowhere]:
    """A viewer whose handshake is done."""
    viewer = Viewer(crowd, asyncio.get_running_loop().create_future(), sampled=sampled)
    transport: Any = Nowhere()
    viewer.connection_made(transport)
    viewer.data_received(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web")
    viewer.data_received(b"socket\r\n\r\n")
    crowd.viewers.append(viewer)
    return viewer, transport


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("step", [1, 2, 3, 7, 25, 10_000])
async def test_marks_are_counted_however_reads_are_cut(step: int, sampled: bool) -> None:
    """Each once; the sampled viewer times each once."""
    crowd = Crowd("ws://127.0.0.1:1/")
    viewer, _ = watching(crowd, sampled=sampled)
    stream = b"\x82\x30" + b"".join(b"...." + mark() + b"@@T" for _ in range(50))
    for start in range(0, len(stream), step):
        viewer.data_received(stream[start : start + step])
    assert viewer.seen == crowd.totals.deliveries == 50
    assert len(crowd.totals.lags_ns) == (50 if sampled else 0)
    assert all(0 <= lag < 60e9 for lag in crowd.totals.lags_ns)
    assert crowd.totals.bytes == len(stream)


async def test_pings_are_answered_and_refusals_raised() -> None:
    """A server that asks keeps its viewers; one that refuses says why."""
    crowd = Crowd("ws://127.0.0.1:1/", hello=b"hello")
    viewer, transport = watching(crowd, sampled=False)
    viewer.data_received(b"\x82\x01.\x89\x00\x82\x01.")
    assert transport.written.endswith(b"hello\x8a\x80\x00\x00\x00\x00")
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    refused = Viewer(crowd, ready, sampled=False)
    elsewhere: Any = Nowhere()
    refused.connection_made(elsewhere)
    refused.data_received(b"HTTP/1.1 429 Too Many Requests\r\n\r\n")
    with pytest.raises(ConnectionError, match="429"):
        await ready


async def test_whoever_watches_reads_everything() -> None:
    """The viewers that `watch` names have somebody who reads along, from the first frame on."""
    read: list[bytes] = []
    crowd = Crowd("ws://127.0.0.1:1/", watch=lambda number: read.append if number == 0 else None)
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    viewer = Viewer(crowd, ready, sampled=False, watch=read.append)
    elsewhere: Any = Nowhere()
    viewer.connection_made(elsewhere)
    viewer.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x01a")
    viewer.data_received(b"\x82\x01b")
    assert b"".join(read) == b"\x82\x01a\x82\x01b"
    assert viewer.bytes == crowd.totals.bytes == 6
