"""Time zones that are changed: nobody travels to a new day or month."""

import random
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from giftserver.durable.limits import Standing, standing_of, windows_of, zones_of
from giftserver.ledger.limits import UTC_ZONE, Windows, windows
from giftserver.zones import is_place
from tests.giftserver.conftest import Web
from tests.giftserver.limits.soon import midnight_in
from tests.giftserver.limits.test_sending import of, put, refused
from tests.giftserver.web.sockets import NewKey, balance, joined

EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"
PLACES = [*sorted(filter(is_place, available_timezones())), *[EAST, WEST, UTC_ZONE] * 40]
DAY_S = 86_400
Change = tuple[str, datetime]
From = Callable[[Windows], int]


def at(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of 2026 in UTC."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def standing(*changes: Change) -> Standing:
    """Of somebody who changed to these zones, after UTC."""
    zones = [UTC_ZONE, *(zone for zone, _ in changes)]
    before = [(zone, moment) for zone, (_, moment) in zip(zones, changes, strict=False)]
    return Standing(zone=zones[-1] if changes else None, zones_before=before[::-1])


@pytest.mark.parametrize(
    ("changes", "spent", "then"),
    [
        # A month that the east had begun and used up does not begin again.
        (((EAST, at(9, 5)), (UTC_ZONE, at(10, 31, 10, 30))), at(10, 31, 10, 20), at(11, 1, 0, 1)),
        (((EAST, at(9, 5)), (WEST, at(10, 31, 10, 30))), at(10, 31, 10, 20), at(11, 1, 11, 1)),
        # … nor after a second change, nor after one back.
        (((EAST, at(9, 5)), (UTC_ZONE, at(11, 1, 10, 1)), ("Europe/London", at(11, 2, 10, 1))),
         at(10, 31, 12), at(11, 2, 10, 2)),
        (((EAST, at(9, 5)), (WEST, at(11, 1, 10, 1)), (EAST, at(11, 2, 10, 1)), (WEST, at(11, 3, 10, 2))),
         at(10, 31, 10, 20), at(11, 25)),
        # The east has the new month already: what the west's month still counts is counted until that ends.
        (((WEST, at(9, 5)), (EAST, at(10, 31, 12))), at(10, 31, 9, 59), at(11, 1, 10, 59)),
        # The first choice is a change from UTC.
        (((WEST, at(11, 1, 1)),), at(11, 1, 0, 1), at(11, 5)),
    ],
)  # fmt: skip
def test_a_month_that_was_used_up_does_not_begin_again(
    changes: tuple[Change, ...], spent: datetime, then: datetime
) -> None:
    """Wherever one says to live then; with the start of the next one, it does."""
    around = windows_of(standing(*changes), then.timestamp())
    assert around.month_from_s <= spent.timestamp() < then.timestamp() < around.month_until_s
    assert around.month_until_s <= spent.timestamp() + 33 * DAY_S
    later = windows_of(standing(*changes), around.month_until_s)
    assert later.month_from_s > spent.timestamp()


def test_a_zone_that_was_left_counts_a_week_for_days_and_a_month_for_months() -> None:
    """Then the new one alone does."""
    moved = standing((EAST, at(1, 5)), ("Asia/Tokyo", at(5, 10)))
    held = f"Asia/Tokyo {EAST}"
    for day, zones in ((11, held), (17, held), (18, f"Asia/Tokyo;{held}"), (31, f"Asia/Tokyo;{held}")):
        assert zones_of(moved, at(5, day).timestamp()) == zones
    late = at(6, 15).timestamp()
    assert zones_of(moved, late) == "Asia/Tokyo"
    assert windows_of(moved, late) == windows("Asia/Tokyo", late)


@dataclass
class Walk:
    """Somebody who changes zones and spends a whole limit whenever that may be; Unix seconds."""

    changes: list[Change]
    begins_s: int
    ends_s: int

    def at(self, at_s: float) -> Standing:
        """What the server knows at a moment."""
        return standing(*self.changes[: bisect_right([moment.timestamp() for _, moment in self.changes], at_s)])

    def spend(self, moments: list[int], begin: From) -> list[int]:
        """When they spent, of these moments."""
        spent: list[int] = []
        for moment in moments:
            if not spent or begin(windows_of(self.at(moment), moment)) > spent[-1]:
                spent.append(moment)
        return spent

    def moments(self, dice: random.Random, share: float) -> list[int]:
        """Those at which something begins in one of the zones or is about to, and some others, a share of them."""
        found = {int(moment.timestamp()) + more for _, moment in self.changes for more in (-1, 0, 1)}
        for zone in {UTC_ZONE, *(zone for zone, _ in self.changes)}:
            begins_s = windows(zone, self.begins_s).day_until_s
            while begins_s < self.ends_s:
                found |= {begins_s - 1, begins_s, begins_s + dice.randrange(DAY_S)}
                begins_s = windows(zone, begins_s).day_until_s
        return sorted(moment for moment in found if dice.random() < share)


def walked(dice: random.Random) -> Walk:
    """One change or many, seldom or as often as can be, often around the turn of a month."""
    begins = datetime(2026, dice.randrange(1, 13), dice.choice([1, 20, 26]), tzinfo=UTC)
    changes, moment = [], begins + timedelta(days=2)
    for _ in range(dice.choice([1, 1, 2, 3, 8, 20])):
        moment += timedelta(seconds=DAY_S + dice.choice([0, dice.randrange(DAY_S), dice.randrange(12 * DAY_S)]))
        changes.append((dice.choice(PLACES), moment))
    return Walk(changes, int(begins.timestamp()), int(moment.timestamp()) + 40 * DAY_S)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.3, 1.0]))
def test_no_sequence_of_zones_allows_more_than_one_of_them_alone(seed: int, share: float) -> None:
    """Of a day's limit in any week, of a month's in any month: as often as the zone at its beginning would, at most."""
    dice = random.Random(seed)
    walk = walked(dice)
    moments = walk.moments(dice, share)

    def day(around: Windows) -> int:
        return around.day_from_s

    def month(around: Windows) -> int:
        return around.month_from_s

    for begin, span_s in ((day, 7 * DAY_S), (month, 31 * DAY_S)):
        spent = walk.spend(moments, begin)
        for place, first in enumerate(spent):
            zone = walk.at(first).zone or UTC_ZONE
            span = [moment for moment in spent[place:] if moment <= first + span_s]
            alone = {begin(windows(zone, moment)) for moment in span}
            assert len(span) == len(alone), (begin.__name__, zone, walk.changes, span)


def far_zone() -> str:
    """A zone whose midnight is hours away."""
    return EAST if datetime.now(UTC).hour not in range(7, 13) else UTC_ZONE


async def live_in(web: Web, zone: str, hours_ago: int) -> None:
    """Let ana have chosen a zone that holds since then."""
    decided = text(
        "INSERT INTO limit_change (user_id, scope, field, zone, by_user, asked_at, from_at) "
        "VALUES ('ana', 'own', 'zone', :zone, 'ana', now() - make_interval(hours => :h + 24), "
        "now() - make_interval(hours => :h))"
    )
    async with web.engines.database.begin() as connection:
        await connection.execute(decided, {"zone": zone, "h": hours_ago})


async def test_the_midnight_of_a_zone_that_was_left_is_not_the_new_ones(
    rich: Web, new_key: NewKey, tmp_path: Path
) -> None:
    """In Redis too, while the wallet is there: the new zone's day goes on, and what was sent in it stays counted."""
    with midnight_in(tmp_path, 2.0) as (soon, ends_s):
        await live_in(rich, soon, 24 * 60)
        await live_in(rich, far_zone(), 1)
        await put(rich, day_coins=40)
        async with joined(rich) as ana:
            assert (await ana.gift(1, new_key(), quantity=30))["type"] == "reply"
            assert time.time() < ends_s
            while time.time() < ends_s + 1:
                assert await balance(rich) == 970
            await refused(ana, new_key(), 11, "day", 10)
            assert of(await put(rich, gift_coins=20), "day")["sent_coins"] == 30
            assert (await ana.gift(2, new_key(), quantity=10))["type"] == "reply"


async def test_zones_are_told_by_the_database(web: Web) -> None:
    """Those that were left within the last weeks, the latest first; one that was replaced before it began is none."""
    for zone, hours_ago in ((WEST, 24 * 60), ("Asia/Tokyo", 24 * 50), ("Asia/Seoul", 24 * 20), (EAST, 24 * 3)):
        await live_in(web, zone, hours_ago)
    await live_in(web, "Europe/Rome", -12)
    await live_in(web, "Europe/Oslo", -13)
    found, waiting = await standing_of(web.engines.database, "ana")
    assert [one.zone for one in waiting] == ["Europe/Oslo"]
    assert zones_of(found, time.time()) == f"{EAST} Asia/Seoul;{EAST} Asia/Seoul Asia/Tokyo"
    assert ZoneInfo(found.zone or "") == ZoneInfo(EAST)
