"""Who is of age: from the birthdate the platform's token tells, and the country's law."""

from datetime import date
from typing import Final

ADULT_AT: Final = 18
ADULT_AT_IN: Final = {"KR": 19, "JP": 20}
"""Countries (ISO 3166) where people buy and send coins only later; years."""

YEARS_MAX: Final = 150


def birthdate_of(text: str) -> date | None:
    """The day in YYYY-MM-DD (`birthdate` of OpenID Connect), or None when it is none that somebody can have."""
    try:
        found = date.fromisoformat(text) if len(text) == len("2000-01-31") else None
    except ValueError:
        return None
    return found if found is not None and 1900 <= found.year <= 9999 - YEARS_MAX else None


def is_minor(birthdate: date, country: str | None, today: date) -> bool:
    """Whether somebody is below the age of their country; born on 29 February one is older on 1 March."""
    years = ADULT_AT_IN.get(country or "", ADULT_AT)
    return (today.year, today.month, today.day) < (birthdate.year + years, birthdate.month, birthdate.day)
