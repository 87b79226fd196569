"""One client's socket as a room sees it, whatever server carries its bytes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rooms.codec import Codec, Encoded
from rooms.codes import TOO_SLOW, CloseCode
from rooms.frames import Frame
from rooms.protocol import Goodbye
from rooms.tick import Tick

REASON_BYTES_MAX = 120

SKIP_LATEST_BYTES: Final = 65_536
"""Unsent bytes from which a viewer is not shown states of which only the newest counts."""

FOLD_BYTES: Final = 262_144
"""Unsent bytes from which small events are folded for a viewer."""

STALLED_S: Final = 10.0
"""A viewer that has been behind SKIP_LATEST_BYTES for so long is closed."""

AGAIN_S: Final = 2.0
"""A viewer that was written to as usual in between is not behind without a break."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who is behind a socket; `id` is None for someone who only watches."""

    id: str | None
    name: str
    role: str


class Outlet(Protocol):
    """Where a connection's bytes go: an ASGI task, or a raw transport."""

    def backlog(self) -> int:
        """Bytes accepted and not yet taken by the kernel."""
        ...

    def write(self, frame: Frame) -> None:
        """Send one WebSocket message; never blocks."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after what was written, then close."""
        ...

    def drop(self) -> None:
        """Forget what was written and not yet taken by the kernel."""
        ...


class Allowance:
    """A token bucket: `per_s` a second, bursts of twice that."""

    __slots__ = ("_at_s", "_left", "_per_s")

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left = 2.0 * per_s
        self._at_s = time.monotonic()

    def take(self) -> int:
        """0 when one more is allowed now, else the ms to wait for it."""
        now_s = time.monotonic()
        self._left = min(2.0 * self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left >= 1.0:
            self._left -= 1.0
            return 0
        return max(1, int((1.0 - self._left) / self._per_s * 1_000))


class Connection:
    """A socket in one room. Writes keep their order; a socket that reads too slowly is closed with 4008."""

    def __init__(self, outlet: Outlet, codec: Codec, member: Member, *, outbox_bytes: int, commands_per_s: float):
        self.codec = codec
        self.member = member
        self.commands = Allowance(commands_per_s)
        self.strikes = 0
        self.closed_with: CloseCode | None = None
        self.resumed = False
        self.backlog: Callable[[], int] = _endless
        """Unsent bytes; more than there can be while bytes may not go straight to the transport."""
        self.push: Callable[[bytes], None] = _nowhere
        """Send a frame's wire bytes, while `backlog` is small."""
        self.descriptor = -1
        """The socket's, to be written to while `backlog` is nothing; below zero where only the transport may."""
        self.clear = -1
        """The descriptor as long as nothing was given to the transport since `backlog` was nothing; else below zero."""
        self._direct: Callable[[], int] | None = None
        self._outlet = outlet
        self._outbox_bytes = outbox_bytes
        self._held: list[Frame] | None = None
        self._own: list[bytes] = []
        self._slow_s = self._slow_since_s = 0.0

    def send(self, *messages: Any) -> None:
        """Send messages to this client alone; those of one turn of the loop go in one frame, in order."""
        if self.closed_with is not None:
            return
        if not self._own:
            asyncio.get_running_loop().call_soon(self._send_own)
        self._own += [self.codec.encode(message) for message in messages]

    def _send_own(self) -> None:
        if self._own:
            own, self._own = self._own, []
            self.write(self.codec.frame(own))

    def write(self, frame: Frame) -> None:
        """Send one ready frame, or keep it while the connection is held."""
        if self.closed_with is not None:
            return
        if self._held is not None:
            self._held.append(frame)
            return
        if self._outlet.backlog() > self._outbox_bytes:
            self.close(TOO_SLOW)
            return
        self._outlet.write(frame)

    def write_carefully(self, tick: Tick, frame: Frame, *, whole: bool) -> None:
        """Send a tick, whose usual frame this is; less of it to a viewer with many unsent bytes, or close it."""
        if self._held is not None or self.closed_with is not None or self._outlet.backlog() <= SKIP_LATEST_BYTES:
            self.write(frame)
            return
        now_s = time.monotonic()
        if now_s - self._slow_s > AGAIN_S:
            self._slow_since_s = now_s
        self._slow_s = now_s
        if now_s - self._slow_since_s > STALLED_S:
            self.close(TOO_SLOW)
            return
        folded = not whole and self._outlet.backlog() > FOLD_BYTES
        self.write(tick.frame(self.codec, whole=whole, with_latest=False, folded=folded))

    def hold(self) -> None:
        """Keep frames back until `release`, so that what was missed can be sent before them."""
        self._held = []
        self.backlog, self.clear = _endless, -1

    def release(self, first: Sequence[Encoded]) -> None:
        """Send `first`, then every frame that was held."""
        held, self._held = self._held or [], None
        self._open()
        self.write(self.codec.frame([message.to(self.codec) for message in first]))
        for frame in held:
            self.write(frame)

    def direct(self, backlog: Callable[[], int], push: Callable[[bytes], None], descriptor: int = -1) -> None:
        """From now on the bytes of frames may go straight to the transport, or to its socket, until `quiet`."""
        self._direct, self.push, self.descriptor = backlog, push, descriptor
        self._open()

    def quiet(self) -> None:
        """The transport takes no bytes any more, or not just any."""
        self._direct, self.push, self.backlog, self.descriptor, self.clear = None, _nowhere, _endless, -1, -1

    def _open(self) -> None:
        if self._direct is not None and self._held is None and self.closed_with is None:
            self.backlog = self._direct

    def close(self, code: CloseCode, reason: str | None = None, reconnect_after_ms: int | None = None) -> None:
        """Say goodbye and close; the client knows from the code whether to come back."""
        if self.closed_with is not None:
            return
        self._send_own()
        if self.closed_with is not None:  # that was too much for it
            return
        text = (reason or code.meaning).encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        self._held = None
        if code is TOO_SLOW:
            self._outlet.drop()
        else:
            self._outlet.write(self.codec.frame([self.codec.encode(Goodbye(code.code, text, reconnect_after_ms))]))
        self.closed_with, self.backlog, self.clear = code, _endless, -1
        self._outlet.close(code.code, text)


def _endless() -> int:
    """More than a transport ever holds."""
    return 1 << 62


def _nowhere(wire: bytes) -> None:
    """Nobody is there."""
