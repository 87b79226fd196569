"""What wallets in Redis count as sent in their day against the gifts of that day: never less."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.intake import FlushedGift
from giftserver.durable.spending import key_from
from giftserver.ledger.limits import Spent, windows

DAY_MAX_S: Final = 2**33
"""Days end before this, but those of benchmarks, which are not counted."""

SENT: Final = text("""
    SELECT w.user_id, coalesce(sum(t.coins), 0)::bigint AS coins
    FROM unnest(CAST(:users AS text[]), CAST(:from_s AS bigint[]), CAST(:until_s AS bigint[]), CAST(:keys AS text[]))
        AS w (user_id, from_s, until_s, oldest)
    JOIN transfer AS t ON t.sender = w.user_id AND t.key >= w.oldest AND t.kind = 'gift' AND t.id <= :upto
        AND t.event_at >= to_timestamp(w.from_s) AND t.event_at < to_timestamp(w.until_s)
    GROUP BY w.user_id
""")

_decode = msgspec.msgpack.Decoder(Spent, strict=False).decode


@dataclass(slots=True)
class Day:
    """A wallet's day: its seconds, what Redis counts, and what the gifts come to."""

    from_s: int
    until_s: int
    counted_coins: int
    sent_coins: int = 0

    def add(self, gift: FlushedGift) -> None:
        """Count a gift, if it is of this day."""
        if self.from_s <= gift.event_at.timestamp() < self.until_s:
            self.sent_coins += gift.event.coins


def day_of(spent: bytes | None, zone: bytes | None) -> Day | None:
    """The day that a wallet counts now, None of one that counts none. Raises ValueError for damaged fields."""
    if spent is None or zone is None:
        return None
    try:
        counted = _decode(spent)
    except msgspec.DecodeError as problem:
        raise ValueError("what it counts as sent cannot be read") from problem
    if counted.day_until_s >= DAY_MAX_S:
        return None
    around = windows(zone.decode(), counted.day_until_s - 1)
    return Day(around.day_from_s, counted.day_until_s, counted.day_coins)


async def add_booked(connection: AsyncConnection, days: Mapping[str, Day], upto: int) -> None:
    """Count the gifts that are booked, up to a transfer."""
    values = {
        "users": list(days), "from_s": [day.from_s for day in days.values()], "upto": upto,
        "until_s": [day.until_s for day in days.values()], "keys": [key_from(day.from_s) for day in days.values()],
    }  # fmt: skip
    for row in await connection.execute(SENT, values):
        days[row.user_id].sent_coins += row.coins


def counted_less(days: Mapping[str, Day]) -> list[str]:
    """Wallets that sent more than they count."""
    return [
        f"wallet of {user}: {day.counted_coins} coins counted as sent in its day, its gifts are {day.sent_coins}"
        for user, day in days.items()
        if day.sent_coins > day.counted_coins
    ]
