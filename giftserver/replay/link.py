"""One WebSocket after another to the same room, for as long as it is wanted."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from giftserver.replay.api import Refused, Unreachable, read_answer

FIRST_PAUSE_S: Final = 0.25
MOST_PAUSE_S: Final = 5.0
STABLE_S: Final = 5.0
OPEN_S: Final = 5.0
SILENT_S: Final = 60.0
FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
FINAL_CLOSES: Final = range(4500, 5000)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One subprotocol: its name on the wire and its codec, of plain maps and lists."""

    name: str
    subprotocol: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    binary: bool


MSGPACK: Final = Dialect(
    "msgpack", "giftserver.v1.msgpack", msgspec.msgpack.encode, msgspec.msgpack.decode, binary=True
)
JSON: Final = Dialect("json", "giftserver.v1.json", msgspec.json.encode, msgspec.json.decode, binary=False)


class Ended(Exception):
    """The server wants no further connection of this client; the text says why."""


class Link:
    """Connects, decodes frames, reconnects with full jitter. Where to connect is asked anew each time.

    `address` gives the URL and headers of the next connection; `on_messages` gets each frame that is not empty.
    """

    def __init__(
        self, dialect: Dialect, address: Callable[[], Awaitable[tuple[str, dict[str, str]]]],
        on_messages: Callable[[list[Any]], None], chance: random.Random,
    ) -> None:  # fmt: skip
        self.dialect = dialect
        self.connections = 0
        self._address, self._on_messages, self._chance = address, on_messages, chance
        self._socket: ClientConnection | None = None
        self._leaving: asyncio.Queue[bytes] = asyncio.Queue()
        self._failures = 0
        self._asked_s: float = 0.0

    def send(self, message: dict[str, Any]) -> bool:
        """Hand a command to the open socket; False when there is none. No promise that it arrives."""
        if self._socket is None:
            return False
        self._leaving.put_nowait(self.dialect.encode(message))
        return True

    def cut(self) -> None:
        """Break the connection without a goodbye, as a failing network does."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def run(self) -> None:
        """Stay connected until cancelled. Raises Ended, or Refused when the server will never let us in."""
        while True:
            try:
                await self._connect()
            except InvalidStatus as problem:
                refused = _refusal(problem)
                if refused.code != "rate_limited" and not refused.temporary:
                    raise refused from problem
            except Refused as refused:
                if not refused.temporary:
                    raise
            except (OSError, TimeoutError, InvalidHandshake, WebSocketException, Unreachable):
                pass
            await asyncio.sleep(self._pause_s())

    async def _connect(self) -> None:
        url, headers = await self._address()
        async with connect(
            url, subprotocols=[Subprotocol(self.dialect.subprotocol)], additional_headers=headers, compression=None,
            max_size=FRAME_BYTES_MAX, open_timeout=OPEN_S, close_timeout=1.0, ping_interval=None, proxy=None,
        ) as socket:  # fmt: skip
            self._socket, self._leaving = socket, asyncio.Queue()
            self.connections += 1
            opened_s = asyncio.get_running_loop().time()
            writer = asyncio.create_task(self._write(socket, self._leaving))
            try:
                await self._listen(socket)
            finally:
                self._socket = None
                writer.cancel()
                if asyncio.get_running_loop().time() - opened_s > STABLE_S:
                    self._failures = 0

    async def _write(self, socket: ClientConnection, leaving: asyncio.Queue[bytes]) -> None:
        with contextlib.suppress(WebSocketException, OSError):  # the listener finds out as well
            while True:
                await socket.send(await leaving.get(), text=not self.dialect.binary)

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            while True:
                async with asyncio.timeout(SILENT_S):
                    data = await socket.recv(decode=False)
                messages = self.dialect.decode(data)
                for message in messages:
                    if message["type"] == "goodbye":
                        self._asked_s = (message.get("reconnect_after_ms") or 0) / 1_000
                if messages:
                    self._on_messages(messages)
        except WebSocketException as problem:
            close = socket.close_code
            if close in FINAL_CLOSES:
                raise Ended(f"the server closed the socket for good: {socket.close_reason or close}") from problem

    def _pause_s(self) -> float:
        ceiling_s = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        asked_s, self._asked_s = self._asked_s, 0.0
        pause_s: float = asked_s + self._chance.random() * ceiling_s
        return pause_s


def _refusal(problem: InvalidStatus) -> Refused:
    try:
        read_answer("", problem.response.status_code, bytes(problem.response.body or b""))
    except (Refused, Unreachable) as answer:
        if isinstance(answer, Refused):
            return answer
    return Refused(problem.response.status_code, {})
