"""What a room's socket is asked to do: frames in, replies and refusals out."""

import asyncio
import time
from functools import partial
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError

from giftserver.auth.tokens import Identity
from giftserver.errors import Refusal
from giftserver.gifts.messages import Commands, Receipt, Rendered, SendGift, in_words
from giftserver.gifts.notices import OffsetsShown, send_notice
from giftserver.in_flight import InFlight
from giftserver.people import People
from giftserver.services import Services
from rooms import codes
from rooms.connection import Connection
from rooms.protocol import Error, Reply

log = structlog.get_logger()

STRIKES_MAX: Final = 10
IN_FLIGHT_MAX: Final = 128


class CommandReader:
    """Reads the commands of one socket; nothing a client sends raises out of `on_message`."""

    def __init__(
        self, services: Services, people: People, room_id: str, identity: Identity, connection: Connection
    ) -> None:
        self._services, self._people = services, people
        self._room_id, self._identity, self._connection = room_id, identity, connection
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight = InFlight(services.in_flight)

    def on_message(self, raw: bytes, text: bool) -> None:
        """Take one message, which came as text or not."""
        connection = self._connection
        if connection.closed_with is not None:
            return
        if text is connection.codec.binary:
            wanted = "binary (msgpack)" if connection.codec.binary else "text (JSON)"
            self._services.metrics.bad_messages.inc()
            connection.close(codes.BAD_MESSAGE, f"This subprotocol takes {wanted} frames.")
            return
        wait_ms = connection.commands.take()
        if wait_ms:
            refusal = Refusal(codes.RATE_LIMITED, "Too many commands. Slow down.", {"retry_after_ms": wait_ms})
            self._refuse(command_id(connection, raw), refusal)
            self._strike(codes.TOO_MANY)
            return
        try:
            command = connection.codec.decode(raw, Commands)
        except msgspec.DecodeError as problem:
            self._services.metrics.bad_messages.inc()
            self._refuse(command_id(connection, raw), Refusal(codes.BAD_REQUEST, in_words(problem)))
            self._strike(codes.BAD_MESSAGE)
            return
        if isinstance(command, SendGift):
            self._start_gift(command)
        else:
            self._start(self._rendered(command))

    def _strike(self, code: codes.CloseCode) -> None:
        self._connection.strikes += 1
        if self._connection.strikes > STRIKES_MAX:
            self._connection.close(code)

    def _refuse(self, command: int | None, refusal: Refusal) -> None:
        self._connection.send(Error(id=command, **refusal.body()))

    def _start_gift(self, command: SendGift) -> None:
        if self._identity.user is not None:
            if time.time() > self._identity.expires_s or self._services.session_ends.ended(self._identity):
                self._refuse(command.id, Refusal(codes.UNAUTHORIZED, "Your session ended. Fetch a new ticket."))
                self._connection.close(codes.BAD_TOKEN)
                return
            wait_ms = self._people.take_gift(self._identity.user)
            if wait_ms or self._in_flight.count >= IN_FLIGHT_MAX:
                details = {"retry_after_ms": wait_ms or 100}
                self._refuse(
                    command.id, Refusal(codes.RATE_LIMITED, "Too many gifts at once. Nothing was charged.", details)
                )
                return
        self._in_flight.begin()
        self._services.gifts.post(self._identity, self._room_id, command, partial(self._answer, command.id))

    def _answer(self, command: int, reply: Receipt | Refusal) -> None:
        self._in_flight.end()
        if isinstance(reply, Refusal):
            self._refuse(command, reply)
        else:
            self._connection.send(Reply(command, reply))

    def _start(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self._in_flight.begin()
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._in_flight.end()

    async def _rendered(self, command: Rendered) -> None:
        if self._identity.role != "overlay":
            self._refuse(command.id, Refusal(codes.FORBIDDEN, "Only an overlay tells what it has shown."))
            return
        try:
            await self._services.history.mark_shown(self._room_id, command.offsets)
            await send_notice(self._services.rooms_redis, OffsetsShown(self._room_id, command.offsets))
        except (RedisError, OSError, TimeoutError) as problem:
            log.warning("shown_not_kept", room=self._room_id, error=type(problem).__name__)

    async def finish(self, timeout_s: float) -> None:
        """Give commands in flight time to end; what is decided stays decided either way."""
        await self._in_flight.wait(timeout_s)


class _OnlyId(msgspec.Struct):
    id: int | None = None


def command_id(connection: Connection, raw: bytes) -> int | None:
    """The id of a command that could not be read whole, so that its error finds the caller."""
    try:
        found: int | None = connection.codec.decode(raw, _OnlyId).id
    except msgspec.DecodeError:
        return None
    return found if found is not None and 0 < found < 2**53 else None
