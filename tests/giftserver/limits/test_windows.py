"""Days and months of every time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftserver.ledger.limits import windows
from giftserver.zones import is_place

PLACES = sorted(filter(is_place, available_timezones()))
MOMENTS = st.integers(datetime(1990, 1, 1, tzinfo=UTC).timestamp().__int__(), 4_000_000_000)


@given(st.sampled_from(PLACES), MOMENTS)
def test_a_moment_is_in_its_day_and_its_month(zone: str, at_s: int) -> None:
    """In every zone, also where a clock is set at midnight; the windows follow each other without a gap."""
    around = windows(zone, at_s)
    assert around.day_from_s <= at_s < around.day_until_s
    assert around.month_from_s <= around.day_from_s
    assert around.day_until_s <= around.month_until_s
    assert windows(zone, around.day_until_s).day_from_s == around.day_until_s
    assert windows(zone, around.day_from_s - 1).day_until_s == around.day_from_s
    assert windows(zone, around.month_until_s).month_from_s == around.month_until_s
    assert 22 * 3_600 <= around.day_until_s - around.day_from_s <= 26 * 3_600 or zone.startswith(
        ("Pacific", "Antarctica")
    )


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 29), 23), ("Europe/Berlin", (2026, 10, 25), 25), ("Asia/Beirut", (2026, 3, 29), 23),
        ("America/Havana", (2026, 11, 1), 25), ("Asia/Kathmandu", (2026, 5, 1), 24),
    ],
)  # fmt: skip
def test_a_day_is_as_long_as_its_clock_says(zone: str, day: tuple[int, int, int], hours: int) -> None:
    """23 and 25 hours when the clock is set, at midnight too."""
    noon = datetime(*day, 12, tzinfo=ZoneInfo(zone)).timestamp()
    around = windows(zone, noon)
    assert around.day_until_s - around.day_from_s == hours * 3_600
    assert datetime.fromtimestamp(around.day_from_s, ZoneInfo(zone)).date() == datetime(*day).date()


def test_zones_are_places() -> None:
    """What a person may choose: no fixed offsets, no files of the system."""
    assert {"Europe/Berlin", "America/New_York", "Asia/Tokyo"} <= set(PLACES)
    assert not any(
        map(is_place, ("Etc/GMT+12", "localtime", "UTC", "../etc/passwd", "Mars/Olympus", "posix/Europe/Paris"))
    )
