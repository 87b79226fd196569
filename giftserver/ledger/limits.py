"""What a person may spend, as their wallet in Redis carries it: limits, and what was spent in each window.

A window is a day or a month of the person's time zone, as seconds since 1970; zones and their rules are applied here,
the gift script compares numbers with its own clock.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import structlog

log = structlog.get_logger()

NONE: Final = -1
"""No limit; of a day: the platform's."""

UTC_ZONE: Final = "Etc/UTC"

Kind = Literal["gift", "day", "month", "session", "locked", "new"]
"""Which limit stands in the way; `new`: of what somebody buys at first."""


class Limits(msgspec.Struct, array_like=True, frozen=True):
    """Limits in coins, NONE where there is none. A session's is a budget from one second to another.

    Nothing can be sent before `locked_until_s`.
    """

    gift_coins: int = NONE
    day_coins: int = NONE
    month_coins: int = NONE
    session_coins: int = NONE
    session_from_s: int = 0
    session_until_s: int = 0
    locked_until_s: int = 0


class Spent(msgspec.Struct, array_like=True, frozen=True):
    """Coins sent in the day and month that end at those seconds, and of the session that began then."""

    day_until_s: int
    day_coins: int
    month_until_s: int
    month_coins: int
    session_from_s: int
    session_coins: int


@dataclass(frozen=True, slots=True)
class Windows:
    """The day and the month around a moment; the first second is in, the last is not."""

    day_from_s: int
    day_until_s: int
    month_from_s: int
    month_until_s: int


@dataclass(frozen=True, slots=True)
class Spending:
    """Limits for a wallet that is being loaded, under their number, with what PostgreSQL has of each window."""

    number: int
    zone: str
    limits: Limits
    windows: Windows
    day_coins: int = 0
    month_coins: int = 0
    session_coins: int = 0


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The limit in the way: what it is, what is spent of it, and when it ends (0: it does not). Coins, seconds."""

    kind: Kind
    coins: int
    spent_coins: int
    until_s: int


def windows(zone: str, at_s: float) -> Windows:
    """The day and month of this zone around a moment; in UTC for a zone that this machine does not know (any more)."""
    try:
        place: tzinfo = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):  # nobody's wallet may wait for a name that left the time zone database
        log.error("time_zone_unknown", zone=zone)
        place = UTC
    today = datetime.fromtimestamp(at_s, place).date()
    first = today.replace(day=1)
    next_month = (first + timedelta(days=31)).replace(day=1)
    return Windows(
        _begin(today, place), _begin(today + timedelta(days=1), place), _begin(first, place), _begin(next_month, place)
    )


def _begin(day: date, zone: tzinfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def unlimited(at_s: float) -> Spending:
    """Of somebody who never chose anything, and of whom PostgreSQL has no gift."""
    return Spending(0, UTC_ZONE, Limits(), windows(UTC_ZONE, at_s))


def unlimited_fields() -> dict[str, str | int | bytes]:
    """Fields of a wallet without limits whose windows never end."""
    limits, spent = msgspec.msgpack.encode(Limits()), msgspec.msgpack.encode(Spent(2**40, 0, 2**40, 0, 0, 0))
    return {"limits_no": 0, "limits": limits, "zone": UTC_ZONE, "spent": spent}


def read_limit(detail: str) -> LimitReached:
    """What the gift script says of the limit in the way."""
    kind, coins, spent, until_s = detail.split()
    return LimitReached(kind, int(coins), int(spent), int(until_s))  # type: ignore[arg-type]
