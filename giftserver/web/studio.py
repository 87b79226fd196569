"""The creator's desk: today's totals, the overlay link, test gifts, earnings. For the room's creator and admins."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from giftserver.auth.overlay_links import OverlayLinks
from giftserver.cluster.client import server_of
from giftserver.durable.earnings import PENDING_DAYS, earnings_of
from giftserver.durable.history import earned_today
from giftserver.durable.refunds import refunded_lately
from giftserver.errors import GIFT_UNAVAILABLE, Refusal
from giftserver.gifts.messages import Identifier
from giftserver.gifts.notices import OverlayRotated, TestGiftSent, send_notice
from giftserver.ledger import keys
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.rooms import OWNERS, own_room
from rooms.codes import ROOM_NOT_FOUND, UNAVAILABLE

DAYS_SHOWN: Final = 60


class StudioAnswer(msgspec.Struct, frozen=True):
    """The creator's UTC day over all own rooms, and this room's overlay.

    `diamonds_today` is live and holds every gift until `as_of_ms` of the ledger's clock; `gifts_today` counts settled
    gifts; neither holds gifts that were given back. `unshown` are offsets no overlay has shown yet, `refunded` the
    room's transfers that were given back within a day.
    """

    as_of_ms: int
    diamonds_today: int
    gifts_today: int
    overlay_url: str
    unshown: list[int]
    refunded: list[str]


class OverlayAnswer(msgspec.Struct, frozen=True):
    """The overlay link that is in force now."""

    overlay_url: str


class TestGiftRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which gift to show."""

    gift: Identifier


class TestGiftAnswer(msgspec.Struct, frozen=True):
    """The gift is on its way to the room's overlays and studios. No money moved."""

    gift: str
    coins: int


class EarningsDay(msgspec.Struct, frozen=True):
    """Diamonds of one UTC day (yyyy-mm-dd), and the day they become available."""

    day: str
    diamonds: int
    available_on: str


class EarningsAnswer(msgspec.Struct, frozen=True):
    """The creator's settled diamonds: earned lately, ready to be paid out, set aside for payouts that are on their way,
    paid out; days newest first.
    """

    pending_diamonds: int
    available_diamonds: int
    held_diamonds: int
    paid_diamonds: int
    days: list[EarningsDay]


async def get_studio(call: Call[None, None]) -> StudioAnswer | Refusal:
    """Today and the overlay."""
    room = await own_room(call)
    if isinstance(room, Refusal):
        return room
    services = call.services
    url = await _links(call).url(room.id)
    if isinstance(url, Refusal):
        return url
    now = datetime.now(UTC)
    settled = await earned_today(services.database, room.creator, now.date())
    live, as_of_ms = await _earned_live(services.ledger_redis, room.creator, f"{now:%Y%m%d}")
    return StudioAnswer(
        as_of_ms,
        max(live, settled.diamonds) - settled.refunded_diamonds,
        settled.gifts - settled.refunded_gifts,
        url,
        await services.history.unshown(room.id),
        await refunded_lately(services.database, room.id),
    )


async def rotate_overlay(call: Call[None, None]) -> OverlayAnswer | Refusal:
    """A new overlay link; the old one stops working."""
    room = await own_room(call)
    if isinstance(room, Refusal):
        return room
    url = await _links(call).rotate(room.id)
    if isinstance(url, Refusal):
        return url
    await send_notice(call.services.rooms_redis, OverlayRotated(room.id))
    return OverlayAnswer(url)


async def send_test_gift(call: Call[TestGiftRequest, None]) -> TestGiftAnswer | Refusal:
    """Show a gift on the overlay and in the studio only."""
    room = await own_room(call)
    if isinstance(room, Refusal):
        return room
    gift = call.services.catalog.get(call.body.gift)
    if gift is None:
        return Refusal(GIFT_UNAVAILABLE, f"There is no gift {call.body.gift} in the catalogue.")
    await send_notice(call.services.rooms_redis, TestGiftSent(room.id, gift.id, room.creator_name, gift.coins))
    return TestGiftAnswer(gift.id, gift.coins)


async def get_earnings(call: Call[None, None]) -> EarningsAnswer | Refusal:
    """What the room's creator earned, in all own rooms."""
    room = await own_room(call)
    if isinstance(room, Refusal):
        return room
    today = datetime.now(UTC).date()
    pending_since = today - timedelta(days=PENDING_DAYS - 1)
    earned = await earnings_of(call.services.database, room.creator, today - timedelta(days=DAYS_SHOWN - 1))
    pending = sum(diamonds for day, diamonds in earned.days if day >= pending_since)
    return EarningsAnswer(
        pending_diamonds=pending,
        available_diamonds=max(0, earned.balance_diamonds - pending),
        held_diamonds=earned.held_diamonds,
        paid_diamonds=max(0, earned.earned_diamonds - earned.balance_diamonds - earned.held_diamonds),
        days=[
            EarningsDay(day.isoformat(), diamonds, (day + timedelta(days=PENDING_DAYS)).isoformat())
            for day, diamonds in earned.days
        ],
    )


def _links(call: Call[None, None]) -> OverlayLinks:
    return OverlayLinks(call.services.settings, call.services.database, call.request.headers.get("host"))


async def _earned_live(redis: Redis, creator: str, day: str) -> tuple[int, int]:
    """Sum of the shards' slices, and the ledger's Unix ms of it; each slice is its own slot, so no transaction."""
    async with redis.pipeline(transaction=False) as pipe:
        for shard in range(keys.SHARDS):
            pipe.hget(keys.earned(shard, day), creator)
        slices = await pipe.execute()
    clock: Any = await server_of(redis, keys.meta(0))
    seconds, microseconds = await clock.time()
    return sum(int(slice_ or 0) for slice_ in slices), seconds * 1_000 + microseconds // 1_000


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/studio/{room}", "Today's totals and the overlay link", get_studio, StudioAnswer,
        roles=OWNERS, refusals=(ROOM_NOT_FOUND, UNAVAILABLE),
    ),
    Endpoint(
        "GET", "/v1/studio/{room}/earnings", "Pending, available and paid diamonds", get_earnings,
        EarningsAnswer, roles=OWNERS, refusals=(ROOM_NOT_FOUND,),
    ),
    Endpoint(
        "POST", "/v1/studio/{room}/overlay/rotate", "A new overlay link, the old one is void", rotate_overlay,
        OverlayAnswer, roles=OWNERS, refusals=(ROOM_NOT_FOUND, UNAVAILABLE),
    ),
    Endpoint(
        "POST", "/v1/studio/{room}/test-gift", "Show a gift on the overlay, without money", send_test_gift,
        TestGiftAnswer, body=TestGiftRequest, roles=OWNERS, refusals=(ROOM_NOT_FOUND, GIFT_UNAVAILABLE),
    ),
)  # fmt: skip
