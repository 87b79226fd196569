"""Sixty-four people who give as fast as a server takes it: raw frames, many on their way on each socket.

A gift's bytes are ready but for its number, its key and, now and then, a mark (loadtest/crowd.py) in its note: a gift
with a note is shown by itself, so that each viewer can count the marks and time them. Answers are counted, not decoded,
and are taken in the order of the gifts, as the server gives them on one socket.
"""

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import msgpack

from loadtest.crowd import MARK
from loadtest.frames import BINARY, END_OF_HEAD, PONG, framed, handshake

SUBPROTOCOL: Final = "giftserver.v1.msgpack"
REPLY: Final = b"\xa4type\xa5reply"
ERROR: Final = b"\xa4type\xa5error"
LONGEST: Final = max(len(REPLY), len(ERROR))
IN_FLIGHT_MAX: Final = 120
"""Gifts on their way on one socket; the server takes 128."""

STEP_S: Final = 0.002
COME_S: Final = 30.0
ERRORS_MAX: Final = 5
NUMBER: Final = 0x7FFF_FFFF
KEY: Final = "0" * 36
STAMP: Final = "9" * 19


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of gift: its id and price, and its bytes but for number, key and the time of its mark."""

    coins: int
    marked: bool
    parts: tuple[bytes, bytes, bytes]

    def frame(self, number: int, key: bytes, stamp_ns: int) -> bytes:
        """The command's frame."""
        before, between, after = self.parts
        stamp = b"%019d" % stamp_ns if self.marked else b""
        return b"".join((before, number.to_bytes(4, "big"), between, key, after, stamp))


def kind(gift: str, coins: int, *, marked: bool = False) -> Kind:
    """A kind of the catalogue."""
    command = {"type": "send_gift", "id": NUMBER, "key": KEY, "gift": gift, "quantity": 1}
    if marked:
        command["note"] = MARK.decode() + STAMP
    whole = framed(msgpack.packb(command), BINARY)
    before, _, rest = whole.partition(NUMBER.to_bytes(4, "big"))
    between, _, after = rest.partition(KEY.encode())
    return Kind(coins, marked, (before, between, after.removesuffix(STAMP.encode())))


class Keys:
    """Idempotency keys that nobody else makes: UUIDv7, whose random part counts up."""

    def __init__(self) -> None:
        self._tail = f"-7{secrets.token_hex(2)[:3]}-8{secrets.token_hex(2)[:3]}-".encode()
        self._numbers = itertools.count(secrets.randbits(40))

    def some(self, count: int) -> Iterator[bytes]:
        """So many keys of now."""
        now = b"%012x" % (time.time_ns() // 1_000_000)
        head = now[:8] + b"-" + now[8:] + self._tail
        return (b"%b%012x" % (head, number) for number in itertools.islice(self._numbers, count))


class Giver(asyncio.Protocol):
    """One person's socket."""

    def __init__(self, givers: "Givers", request: bytes) -> None:
        self._givers, self._request = givers, request
        self._tail = b""
        self._due_ns: deque[int] = deque()
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.free = 0
        """Gifts that may follow those answered."""

    @property
    def in_flight(self) -> int:
        """Gifts without an answer."""
        return len(self._due_ns)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def give(self, kinds: Sequence[Kind], due_ns: Sequence[int]) -> None:
        """Send gifts that were due at these moments (time.time_ns)."""
        assert self._transport is not None
        frames = []
        for one, due, key in zip(kinds, due_ns, self._givers.keys.some(len(kinds)), strict=True):
            self._number += 1
            frames.append(one.frame(self._number, key, due))
        self._due_ns += due_ns
        self._transport.write(b"".join(frames))

    def data_received(self, data: bytes) -> None:
        """Count answers; everything else that the room is shown passes by."""
        whole = self._tail + data
        self._tail = whole[-LONGEST + 1 :]
        if not self.ready.done():
            self._open(whole)
            return
        if b"\x89" in data and b"\x89\x00" in data and self._transport is not None:
            self._transport.write(PONG)
        if ERROR in whole:
            self._givers.errors.append(whole[whole.index(ERROR) :][:300])
        count = whole.count(REPLY)
        if count:
            now_ns = time.time_ns()
            took = [now_ns - self._due_ns.popleft() for _ in range(count)]
            self._givers.answered(self, took)

    def _open(self, whole: bytes) -> None:
        head, end, _ = whole.partition(END_OF_HEAD)
        if not end:
            self._tail = whole
        elif head.startswith(b"HTTP/1.1 1"):
            self.ready.set_result(None)
        else:
            self.ready.set_exception(ConnectionError(head.split(b"\r\n")[0].decode(errors="replace")))

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed it, or the givers leave."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was open"))
        elif self._due_ns:
            self._givers.errors.append(b"a socket was closed with gifts on their way")

    def leave(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()


class Givers:
    """All of them. `menu` says kind after kind what is given next; `unshown` how many accepted gifts nobody saw yet."""

    def __init__(self, menu: Iterator[Kind], unshown: Callable[[int], int] = lambda acked: 0) -> None:
        self._menu, self._unshown = menu, unshown
        self.keys = Keys()
        self.givers: list[Giver] = []
        self.sent = self.acked = self.coins = self.marks = 0
        self.unsent = 0
        """Gifts that were due and found no socket free to the end; what they waited is among the times taken."""
        self.took_ns: list[int] = []
        self.errors: list[bytes] = []
        self._owed: deque[int] = deque()
        self._greedy = False
        self.unshown_max = 0

    async def come(self, port: int, places: Sequence[tuple[str, str]]) -> None:
        """Open a socket for each (room, token). Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        for room, token in places:
            request = handshake("127.0.0.1", port, f"/v1/rooms/{room}/ws", SUBPROTOCOL, token)
            giver = Giver(self, request)
            await loop.create_connection(lambda giver=giver: giver, "127.0.0.1", port)  # type: ignore[misc]
            self.givers.append(giver)
        async with asyncio.timeout(COME_S):
            await asyncio.gather(*(giver.ready for giver in self.givers))

    def answered(self, giver: Giver, took_ns: list[int]) -> None:
        """Gifts of this giver were accepted."""
        self.acked += len(took_ns)
        self.took_ns += took_ns
        if self._greedy:
            giver.free += len(took_ns)
            self._go_on(giver)

    def _go_on(self, giver: Giver) -> None:
        count = giver.free
        if self.unshown_max:
            count = min(count, max(0, self.unshown_max - self._unshown(self.acked)))
        if count:
            giver.free -= count
            self._give(giver, [time.time_ns()] * count)

    def _give(self, giver: Giver, due_ns: Sequence[int]) -> None:
        kinds = list(itertools.islice(self._menu, len(due_ns)))
        self.sent += len(kinds)
        self.coins += sum(one.coins for one in kinds)
        self.marks += sum(one.marked for one in kinds)
        giver.give(kinds, due_ns)

    async def as_fast(self, window: int, seconds: float) -> None:
        """Keep so many gifts on their way on each socket, as long as viewers are shown them."""
        self._greedy = True
        for giver in self.givers:
            giver.free = window - giver.in_flight
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and len(self.errors) < ERRORS_MAX:
            for giver in self.givers:
                self._go_on(giver)
            await asyncio.sleep(STEP_S)
        self._greedy = False

    async def at_rate(self, per_s: float, seconds: float) -> None:
        """Give at a steady rate; a gift that has to wait for a socket is as late as it was due."""
        started_ns, made, turn = time.time_ns(), 0, itertools.cycle(self.givers)
        while (passed_s := (time.time_ns() - started_ns) / 1e9) < seconds and len(self.errors) < ERRORS_MAX:
            due = int(passed_s * per_s)
            self._owed.extend(started_ns + int(number * 1e9 / per_s) for number in range(made, due))
            made = due
            self._share_out(turn)
            await asyncio.sleep(STEP_S)
        self.unsent += len(self._owed)
        self.took_ns += [time.time_ns() - due_ns for due_ns in self._owed]
        self._owed.clear()

    def _share_out(self, turn: Iterator[Giver]) -> None:
        for giver in itertools.islice(turn, len(self.givers)):
            share = min(-(-len(self._owed) // len(self.givers)), IN_FLIGHT_MAX - giver.in_flight)
            if share > 0:
                self._give(giver, [self._owed.popleft() for _ in range(share)])
            if not self._owed:
                return

    def leave(self) -> None:
        """Close all sockets."""
        for giver in self.givers:
            giver.leave()
