"""Calendar months in a time zone: how they are written, and the instants at which they begin."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

WRITTEN: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
YEARS: Final = range(1970, 3000)


class Month(NamedTuple):
    """A month of a calendar, written `2026-03`."""

    year: int
    number: int

    @classmethod
    def parse(cls, written: str) -> "Month | None":
        """The month that is written so, of the years 1970 to 2999; None for anything else."""
        found = WRITTEN.fullmatch(written)
        month = cls(int(found[1]), int(found[2])) if found else None
        return month if month is not None and month.year in YEARS else None

    @classmethod
    def of(cls, moment: datetime, zone: tzinfo) -> "Month":
        """The month that it is there at an instant."""
        there = moment.astimezone(zone)
        return cls(there.year, there.month)

    @property
    def following(self) -> "Month":
        """The month after it."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def begins(self, zone: tzinfo) -> datetime:
        """When it begins there, in UTC. A midnight that a change of clocks leaves out is the instant of the change."""
        return datetime(self.year, self.number, 1, tzinfo=zone).astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


def months(first: Month, last: Month) -> list[Month]:
    """All months from the first to the last, both counted; only the first when the last is before it."""
    found = [first]
    while found[-1] < last:
        found.append(found[-1].following)
    return found
