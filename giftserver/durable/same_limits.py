"""Processes of one database keep the same limits: each says its own in the name of its connections, and reads others'.

So nothing is stored, and nobody is counted who has ended.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

LIMITS: Final = ("limit_day_coins", "limit_first_day_coins", "minors")
"""Settings that each process applies by itself, and that mean nothing where another one applies another."""

OTHERS: Final = text("""
    SELECT DISTINCT current_setting('application_name') AS own, application_name AS other FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'giftserver % % %'
""")


def connection_name(limits: Mapping[str, object]) -> str:
    """Name of the connections of a process with these LIMITS; PostgreSQL keeps 63 bytes, this is at most 47."""
    return " ".join(("giftserver", *(str(limits[name]) for name in LIMITS)))


async def limits_that_differ(database: AsyncEngine) -> list[str]:
    """What this process has otherwise than another one that is connected now, each in words with the way out.

    Nothing for a process whose connections do not say its limits. Raises the driver's errors when it is away.
    """
    async with database.connect() as connection:
        rows = (await connection.execute(OTHERS)).all()
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for own, other in rows:
        for name, mine, theirs in zip(LIMITS, own.split()[1:], other.split()[1:], strict=False):
            if mine != theirs:
                found[name, mine].add(theirs)
    return [
        f"GIFTSERVER_{name.upper()} is {mine} here and {', '.join(sorted(theirs))} in another process: set it alike"
        for (name, mine), theirs in found.items()
    ]
