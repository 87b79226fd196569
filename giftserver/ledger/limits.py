"""What a person may spend, as their wallet in Redis carries it: limits, and what was spent in each window.

A window is a day or a month by the person's time zone or zones, as seconds since 1970; zones and their rules are
applied here, the gift script compares numbers with its own clock.
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
    """Limits for a wallet that is being loaded, under their number, with what PostgreSQL has of each window.

    `zones` as `windows` takes them.
    """

    number: int
    zones: str
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


def windows(zones: str, at_s: float) -> Windows:
    """The day and month around a moment (Unix seconds) by all of these zones, whose names have blanks between them.

    It begins where the first of them begins, and ends with that one; the next one begins where it did by another zone,
    before this one's end. So what one zone still counts is counted. Zones of months follow a `;` where they differ.
    """
    days, _, months = zones.partition(";")
    by_day = [_windows(zone, at_s) for zone in days.split()]
    by_month = [_windows(zone, at_s) for zone in (months or days).split()]
    day = min(by_day, key=lambda around: (around.day_from_s, -around.day_until_s))
    month = min(by_month, key=lambda around: (around.month_from_s, -around.month_until_s))
    return Windows(day.day_from_s, day.day_until_s, month.month_from_s, month.month_until_s)


def several(zones: str) -> bool:
    """Whether a window that ends by these zones may leave something counted in the next one."""
    return " " in zones


def _windows(zone: str, at_s: float) -> Windows:
    """In UTC for a zone that this machine does not know (any more)."""
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
