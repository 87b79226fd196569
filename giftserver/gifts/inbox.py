"""Turns notices from other processes into pushes to the sockets of this one."""

import asyncio
import secrets

import structlog

from giftserver.auth.session_ends import SessionEnds
from giftserver.gifts.messages import Balance, Person, Refunded, Settled, Shown, TestGift
from giftserver.gifts.notices import (
    BalanceChanged,
    GiftRefunded,
    GiftsSettled,
    Notice,
    OffsetsShown,
    OverlayRotated,
    RoomChanged,
    SessionsEnded,
    TestGiftSent,
)
from giftserver.gifts.rooms import RoomDirectory
from giftserver.people import People
from rooms.codes import BAD_TOKEN
from rooms.hub import Hub
from rooms.protocol import RoomStatus

log = structlog.get_logger()

STUDIO_ROLES = ("creator", "admin")
TEST_ROLES = ("overlay", "creator", "admin")


class Inbox:
    """Handles each notice once; none of them moves money."""

    def __init__(self, rooms: RoomDirectory, hub: Hub, people: People, session_ends: SessionEnds) -> None:
        self._rooms, self._hub, self._people, self._session_ends = rooms, hub, people, session_ends
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, notice: Notice) -> None:
        """Show a notice to those it concerns."""
        match notice:
            case GiftsSettled(transfers):
                for user, ids in transfers.items():
                    self._people.tell(user, Settled(ids))
            case BalanceChanged(user, coins):
                self._people.tell(user, Balance(coins))
            case GiftRefunded(user, room_id, transfer, coins, diamonds, reason):
                told = Refunded(transfer=transfer, coins=coins, diamonds=diamonds, reason=reason)
                self._people.tell(user, told)
                if room := self._hub.rooms.get(room_id):
                    room.push_to(STUDIO_ROLES, told)
            case OffsetsShown(room_id, offsets):
                if room := self._hub.rooms.get(room_id):
                    room.push_to(STUDIO_ROLES, Shown(offsets))
            case TestGiftSent(room_id, gift, name, coins):
                if room := self._hub.rooms.get(room_id):
                    sender = Person(f"test-{secrets.token_hex(4)}", name)
                    room.push_to(TEST_ROLES, TestGift(gift=gift, sender=sender, quantity=1, coins=coins))
            case OverlayRotated(room_id):
                if room := self._hub.rooms.get(room_id):
                    room.close_all(BAD_TOKEN, roles=("overlay",))
            case SessionsEnded(user, before_s):
                self._session_ends.hear(user, before_s)
            case RoomChanged(room_id):
                self._rooms.forget(room_id)
                if room_id in self._hub.rooms:
                    task = asyncio.create_task(self._show_status(room_id))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def _show_status(self, room_id: str) -> None:
        try:
            record = await self._rooms.get(room_id)
        except Exception as problem:  # the driver's errors differ by cause
            log.warning("room_status_not_shown", room=room_id, error=type(problem).__name__)
            return
        room = self._hub.rooms.get(room_id)
        if room is not None and record is not None:
            room.push_latest(RoomStatus("live" if record.live else "offline", record.title, record.stream_url))
