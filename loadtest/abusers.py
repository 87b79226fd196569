"""Those who mean harm, in a process of their own: `python -m loadtest.abusers PORT ROOM TOKEN COUNT SECONDS`.

Each does its one thing again and again until the time is over. Printed as JSON: by kind, how often its connection ended
in which way: with a close code, an HTTP status, "left" (by itself), or "cut" (without a word).
"""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop

from loadtest.frames import END_OF_HEAD, TEXT, framed, handshake

SUBPROTOCOL: Final = "giftserver.v1.json"
ANSWER_S: Final = 8.0
SMALL_BUFFER: Final = 4_096
CLOSE: Final = 0x88
PAUSE_S: Final = 0.1

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def gift() -> bytes:
    """A command for a gift that there is not."""
    tail = secrets.token_hex(8)
    key = f"{time.time_ns() // 1_000_000:012x}7{tail[:3]}8{tail[3:6]}{tail[4:16]:0<12}"
    name = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:32]}"
    command = {"type": "send_gift", "id": 1, "key": name, "gift": "none", "quantity": 1}
    return framed(json.dumps(command).encode(), TEXT)


def long_message() -> bytes:
    """A message of one MiB, whose head says so."""
    return bytes((TEXT, 0xFF)) + (1 << 20).to_bytes(8, "big") + bytes(4) + b"x" * (1 << 20)


class Abuser:
    """One of them."""

    def __init__(self, port: int, room: str, token: str, ended: Callable[[str], None]) -> None:
        self._port, self._path, self._token, self._ended = port, f"/v1/rooms/{room}/ws", token, ended

    async def open(self, *, buffer: int | None = None) -> Streams | None:
        """A socket that was let in; None for one that was not."""
        sock = socket.socket()
        sock.setblocking(False)
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=SMALL_BUFFER if buffer else 1 << 16)
        writer.write(handshake("127.0.0.1", self._port, self._path, SUBPROTOCOL, self._token))
        head = await reader.readuntil(END_OF_HEAD)
        if head[9:12] == b"101":
            return reader, writer
        self._ended(head[9:12].decode())
        writer.transport.abort()
        return None

    async def sends(self, data: bytes) -> None:
        """Open a socket, send this, and see how it ends."""
        streams = await self.open()
        if streams is not None:
            streams[1].write(data)
            self._ended(await how_it_ends(streams[0]))
            streams[1].transport.abort()

    async def malformed(self) -> None:
        """Text that is no JSON."""
        await self.sends(framed(b"{", TEXT) * 30)

    async def long(self) -> None:
        """A message sixty-four times as long as one may be."""
        await self.sends(long_message())

    async def flood(self) -> None:
        """Hundreds of commands at once."""
        await self.sends(b"".join(gift() for _ in range(400)))

    async def pings(self) -> None:
        """Thousands of pings at once."""
        await self.sends(framed(b"", 0x89) * 2_000)

    async def reconnect(self) -> None:
        """In and out."""
        streams = await self.open()
        if streams is not None:
            streams[1].transport.abort()
            self._ended("left")

    async def stalled(self) -> None:
        """Reads nothing at all."""
        streams = await self.open(buffer=SMALL_BUFFER)
        if streams is not None:
            streams[1].transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(5)
            streams[1].transport.abort()
            self._ended("left")

    async def slow(self) -> None:
        """Reads a few bytes now and then."""
        streams = await self.open(buffer=SMALL_BUFFER)
        if streams is not None:
            for _ in range(20):
                if not await streams[0].read(10):
                    break
                await asyncio.sleep(0.2)
            streams[1].transport.abort()
            self._ended("left")

    async def half_open(self) -> None:
        """Sends half a handshake, and waits."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(handshake("127.0.0.1", self._port, self._path)[:60])
        async with asyncio.timeout(ANSWER_S):
            self._ended((await reader.read())[9:12].decode() or "cut")
        writer.transport.abort()


KINDS: Final = ("malformed", "long", "flood", "pings", "reconnect", "stalled", "slow", "half_open")


async def how_it_ends(reader: asyncio.StreamReader) -> str:
    """The close code that comes, whatever comes before it; "cut" for none."""
    try:
        async with asyncio.timeout(ANSWER_S):
            while True:
                first, length = await reader.readexactly(2)
                if length == 126:
                    length = int.from_bytes(await reader.readexactly(2), "big")
                elif length == 127:
                    length = int.from_bytes(await reader.readexactly(8), "big")
                payload = await reader.readexactly(length)
                if first == CLOSE:
                    return str(int.from_bytes(payload[:2], "big"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return "cut"
    except TimeoutError:
        return "open"


async def again_and_again(deed: Callable[[], Awaitable[None]], until_s: float) -> None:
    """Until the time is over, whatever comes of it."""
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            await deed()
        await asyncio.sleep(PAUSE_S)


async def run(port: int, room: str, token: str, count: int, seconds: float) -> dict[str, Counter[str]]:
    """`count` abusers, of each kind as many; by kind, how their connections ended."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    until_s, tasks = time.monotonic() + seconds, []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]

        def ended(how: str, kind: str = kind) -> None:
            found[kind][how] += 1

        abuser = Abuser(port, room, token, ended)
        tasks.append(again_and_again(getattr(abuser, kind), until_s))
    await asyncio.gather(*tasks)
    return found


if __name__ == "__main__":
    os.nice(5)
    port, room, token, count, seconds = sys.argv[1:]
    print(json.dumps(uvloop.run(run(int(port), room, token, int(count), float(seconds)))))
