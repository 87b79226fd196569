"""Who is of age: by birthdate, country and day."""

from datetime import date

import pytest

from giftserver.auth.ages import birthdate_of, is_minor


@pytest.mark.parametrize(
    ("country", "birthdate", "today", "minor"),
    [
        ("US", date(2008, 11, 27), date(2026, 11, 26), True),
        ("US", date(2008, 11, 26), date(2026, 11, 26), False),
        ("KR", date(2008, 11, 26), date(2026, 11, 26), True),
        ("KR", date(2007, 11, 26), date(2026, 11, 26), False),
        ("JP", date(2007, 11, 26), date(2026, 11, 26), True),
        ("JP", date(2006, 11, 26), date(2026, 11, 26), False),
        (None, date(2008, 2, 29), date(2026, 2, 28), True),
        (None, date(2008, 2, 29), date(2026, 3, 1), False),
    ],
)
def test_people_are_of_age_on_their_birthday(country: str | None, birthdate: date, today: date, minor: bool) -> None:
    """18, in Korea 19, in Japan 20."""
    assert is_minor(birthdate, country, today) is minor


@pytest.mark.parametrize(
    "text", ["", "2008", "2008-13-01", "20081126", "2008-11-26T00:00:00", "1899-01-01", "9999-12-31"]
)
def test_what_is_no_birthdate(text: str) -> None:
    """A date nobody can be born on is refused, not taken for an adult's."""
    assert birthdate_of(text) is None
