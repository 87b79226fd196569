"""Where creators are paid out to. An address is personal data: it is shown masked, and never logged.

A first account can be used at once. Another one can be used a day later, so that who got into somebody else's session
cannot take their money away before they see it. One that could be used before it was changed can be used at once when
it is set again, however often accounts were changed meanwhile: so its owner undoes what somebody else did.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.payout_tables import payout_account

WAIT: Final = timedelta(hours=24)
"""So long a changed account is not paid out to."""

CHANGES_MAX: Final = 10
"""Accounts that one person sets within a day; those that could be used before do not count."""

# Of each account of a person, in order: until when it was in force, and whether it could be used once before.
ACCOUNTS: Final = """
    WITH stood AS (
        SELECT *, row_number() OVER one = 1 AS first, lead(set_at) OVER one AS until FROM payout_account
        WHERE user_id = :user WINDOW one AS (ORDER BY id)
    ), used AS (
        SELECT provider, address, min(id) AS id FROM stood
        WHERE first OR until >= set_at + CAST(:wait AS interval) GROUP BY 1, 2
    )
"""
NEWEST: Final = text(f"""{ACCOUNTS}
    SELECT stood.id, provider, address, set_at, clock_timestamp() AS now,
        first OR coalesce(used.id < stood.id, false) AS at_once
    FROM stood LEFT JOIN used USING (provider, address) ORDER BY stood.id DESC LIMIT 1
""")
KNOWN: Final = text(f"""{ACCOUNTS}
    SELECT EXISTS (SELECT 1 FROM used WHERE provider = :provider AND address = :address) AS used_before, (
        SELECT count(*) FROM stood LEFT JOIN used USING (provider, address)
        WHERE set_at > clock_timestamp() - interval '1 day' AND coalesce(used.id >= stood.id, true)
    ) AS lately
""")

IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('payouts of:' || :user, 0))")


class TooManyChanges(Exception):
    """This person set CHANGES_MAX accounts within a day. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class PayoutAccount:
    """Where somebody is paid out to, and from when on; `now` is the database's clock as it was read."""

    id: int
    provider: str
    address: str = field(repr=False)
    usable_at: datetime
    now: datetime

    @property
    def usable(self) -> bool:
        """Whether it can be paid out to now."""
        return self.usable_at <= self.now


async def in_turn(connection: AsyncConnection, user: str) -> None:
    """Wait until nobody else asks for a payout of this person, or sets their account."""
    await connection.execute(IN_TURN, {"user": user})


def masked(address: str) -> str:
    """An address as it is shown: m…@example.org, or m… of what has no @."""
    name, at, domain = address.rpartition("@")
    if not at:
        return f"{address[:1]}…" if len(address) > 1 else "…"
    return f"{name[:1] if len(name) > 1 else ''}…@{domain}"


async def account_of(connection: AsyncConnection, user: str) -> PayoutAccount | None:
    """The account that counts now, None where none was ever set."""
    row = (await connection.execute(NEWEST, {"user": user, "wait": WAIT})).one_or_none()
    return None if row is None else _record(row)


async def set_account(engine: AsyncEngine, user: str, provider: str, address: str) -> PayoutAccount:
    """Pay somebody out to this address from now on; the same as before changes nothing. Raises TooManyChanges."""
    async with engine.begin() as connection:
        await in_turn(connection, user)
        known = await account_of(connection, user)
        if known is not None and (known.provider, known.address) == (provider, address):
            return known
        values = {"user": user, "provider": provider, "address": address, "wait": WAIT}
        row = (await connection.execute(KNOWN, values)).one()
        if not row.used_before and row.lately >= CHANGES_MAX:
            raise TooManyChanges
        await connection.execute(insert(payout_account).values(user_id=user, provider=provider, address=address))
        made = await account_of(connection, user)
        assert made is not None
        return made


async def addresses_of(engine: AsyncEngine, accounts: set[int]) -> dict[int, str]:
    """The addresses of these accounts."""
    query = select(payout_account.c.id, payout_account.c.address).where(payout_account.c.id.in_(accounts))
    async with engine.connect() as connection:
        return {row.id: row.address for row in await connection.execute(query)}


def _record(row: Any) -> PayoutAccount:
    usable_at = row.set_at if row.at_once else row.set_at + WAIT
    return PayoutAccount(row.id, row.provider, row.address, usable_at, row.now)
