"""Viewers who come back: each follows the offsets of its room, and resumes where it stopped when its socket ends.

They wait as the browser's SDK does: what the server asked for, and a random time below a ceiling that doubles.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Final, cast

import msgspec

from loadtest.frames import END_OF_HEAD, Messages, framed, handshake

SUBPROTOCOL: Final = "giftserver.v1.json"
CLOSE: Final = 0x88
FIRST_S, MOST_S = 0.5, 15.0


class Item(msgspec.Struct):
    """An item of `gifts_folded`, or of something else."""

    quantity: int = 0


class Told(msgspec.Struct):
    """What matters of a message."""

    type: str
    offset: int = -1
    quantity: int = 0
    items: list[Item] = []
    epoch: str = ""
    resumed: bool = False
    reconnect_after_ms: int | None = None


_decode = msgspec.json.Decoder(list[Told]).decode


@dataclass
class Homecoming:
    """What happened to all of them."""

    back_s: list[float] = field(default_factory=list)
    """Seconds from the end of a socket to the next welcome."""

    resumed: int = 0
    restarted: int = 0
    """Came back to a snapshot: something was missed."""

    repeated: int = 0
    """Messages whose offset was told before."""

    sent_away: int = 0
    tries: int = 0


class Returner(asyncio.Protocol):
    """One viewer, through all of its sockets."""

    def __init__(self, address: tuple[str, int], room: str, home: Homecoming, chance: random.Random) -> None:
        self._address, self._room, self._home, self._chance = address, room, home, chance
        self._epoch, self.offset = "", -1
        self.since = self.gifts = 0
        """The offset of its last beginning, and how many gifts it was told of since."""

        self._transport: asyncio.Transport | None = None
        self._head: bytes | None = b""
        self._messages = Messages()
        self._lost_s: float | None = None
        self._asked_s = 0.0
        self._failures = 0
        self._leaving = False
        self.here = False

    async def come(self) -> None:
        """Try to open a socket; one that fails tries again by itself."""
        if self._leaving:
            return
        self._home.tries += 1
        self._head, self._messages = b"", Messages()
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
        except OSError:
            self._again()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for what followed the last offset."""
        self._transport = cast(asyncio.Transport, transport)
        if self._leaving:
            self._transport.abort()
            return
        resume = f"?epoch={self._epoch}&offset={self.offset}" if self._epoch else ""
        self._transport.write(handshake(*self._address, f"/v1/rooms/{self._room}/ws{resume}", SUBPROTOCOL))

    def data_received(self, data: bytes) -> None:
        """Follow the offsets."""
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(END_OF_HEAD)
            if not end:
                return
            self._head = None
            if not head.startswith(b"HTTP/1.1 101"):
                assert self._transport is not None
                self._transport.abort()
                return
        for payload in self._messages.of(data):
            for told in _decode(payload):
                self._take(told)

    def _take(self, told: Told) -> None:
        if told.type == "welcome":
            self._welcomed(told)
        elif told.type == "goodbye":
            self._asked_s = (told.reconnect_after_ms or 0) / 1_000
            self._home.sent_away += 1
        elif told.offset >= 0:
            self._home.repeated += told.offset <= self.offset
            self.offset = told.offset
            if told.type != "combo_ended":  # which tells its gifts once more
                self.gifts += told.quantity + sum(item.quantity for item in told.items)

    def _welcomed(self, told: Told) -> None:
        home = self._home
        self.here, self._failures = True, 0
        if self._lost_s is not None:
            home.back_s.append(time.monotonic() - self._lost_s)
            home.resumed += told.resumed
            home.restarted += not told.resumed
            self._lost_s = None
        if not told.resumed:
            self.since = self.offset = told.offset
            self.gifts = 0
        self._epoch = told.epoch

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back, unless it leaves."""
        if self.here:
            self.here, self._lost_s = False, time.monotonic()
        self._again()

    def _again(self) -> None:
        if self._leaving:
            return
        ceiling_s = min(MOST_S, FIRST_S * 2**self._failures)
        self._failures += 1
        wait_s, self._asked_s = self._asked_s + self._chance.random() * ceiling_s, 0.0
        loop = asyncio.get_running_loop()
        loop.call_later(wait_s, lambda: loop.create_task(self.come()))

    def vanish(self) -> None:
        """Lose the socket, and come back."""
        if self._transport is not None:
            self._transport.abort()

    def leave(self, *, politely: bool = False) -> None:
        """Close the socket for good; politely, by a close frame."""
        self._leaving = True
        if self._transport is None or self._transport.is_closing():
            return
        if politely:
            self._transport.write(framed((1_000).to_bytes(2, "big"), CLOSE))
        else:
            self._transport.abort()
