"""Invariants of PostgreSQL alone. All are checked in one snapshot, so gifts may go on meanwhile.

Work goes through in ranges of ids, so memory stays bounded however long the book is.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from sqlalchemy import CheckConstraint, UniqueConstraint, text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable import case_tables as case_tables  # into the metadata
from giftserver.durable import claim_tables as claim_tables
from giftserver.durable import limit_tables as limit_tables
from giftserver.durable import payment_tables as payment_tables
from giftserver.durable import payout_tables as payout_tables
from giftserver.durable import reviews as reviews
from giftserver.durable import session_ends as session_ends
from giftserver.durable.proof import statements as sql
from giftserver.durable.proof.adjustments import adjustments_are_booked
from giftserver.durable.proof.audit_log import acts_are_chained
from giftserver.durable.proof.bans import banned_are_not_live
from giftserver.durable.proof.chain import gifts_are_chained
from giftserver.durable.proof.claims import claims_are_booked
from giftserver.durable.proof.gift_pairs import pairs_are_the_gifts
from giftserver.durable.proof.invariant import SHOWN_MAX, Invariant
from giftserver.durable.proof.payments import payments_are_booked
from giftserver.durable.proof.payouts import payouts_are_booked
from giftserver.durable.tables import GUARDS, gift_id, metadata
from giftserver.ledger.keys import SHARDS

RANGE: Final = 50_000
ID_MAX: Final = 2**63 - 1

Check = Callable[[AsyncConnection, Invariant], Awaitable[None]]


async def ranges(connection: AsyncConnection, table: str) -> AsyncIterator[tuple[int, int, int]]:
    """Ranges (after, up to, rows) that cover all ids of a table; the last has no end, for what has no row there."""
    after = -1
    while True:
        row = (await connection.execute(text(sql.NEXT_RANGE.format(table=table)), {"after": after, "n": RANGE})).one()
        if row.rows < RANGE:
            yield after, ID_MAX, row.rows
            return
        yield after, row.upto, row.rows
        after = row.upto


async def _find(connection: AsyncConnection, invariant: Invariant, query: str, **values: Any) -> None:
    """Run a query that returns one text a violation."""
    rows = await connection.execute(text(query + " LIMIT :shown"), {**values, "shown": SHOWN_MAX + 1})
    for (violation,) in rows:
        invariant.found(violation)


async def entries_sum_to_zero(connection: AsyncConnection, invariant: Invariant) -> None:
    """Each transfer's entries sum to zero in each asset, are numbered without a hole, and belong to something."""
    async for after, upto, rows in ranges(connection, "transfer"):
        invariant.checked += rows
        await _find(connection, invariant, sql.UNBALANCED, after=after, upto=upto)


async def entries_are_the_gifts(connection: AsyncConnection, invariant: Invariant) -> None:
    """A gift's entries move its coins and diamonds between its sender, the platform and its creator, nothing else."""
    async for after, upto, rows in ranges(connection, "transfer"):
        invariant.checked += rows
        await _find(connection, invariant, sql.UNLIKE_GIFT, after=after, upto=upto)


async def refunds_are_the_gifts(connection: AsyncConnection, invariant: Invariant) -> None:
    """A refund is a gift the other way round, entry by entry, and what came to a closed room has or gets one."""
    await _find(connection, invariant, sql.UNLIKE_REFUND)
    await _find(connection, invariant, sql.REFUND_UNASKED)
    await _find(connection, invariant, sql.WRONG_REFUNDED_DAY)
    async for after, upto, rows in ranges(connection, "transfer"):
        invariant.checked += rows
        await _find(connection, invariant, sql.LATE_AND_KEPT, after=after, upto=upto)


async def balances_are_the_entries(connection: AsyncConnection, invariant: Invariant) -> None:
    """Each balance is the sum of the account's entries, and each entry's balance follows from the one before."""
    async for after, upto, rows in ranges(connection, "account"):
        invariant.checked += rows
        await _find(connection, invariant, sql.WRONG_BALANCE, after=after, upto=upto)
        await _find(connection, invariant, sql.BROKEN_CHAIN, after=after, upto=upto)


async def sequences_are_contiguous(connection: AsyncConnection, invariant: Invariant) -> None:
    """Each shard's gifts are numbered 1, 2, … to the flush cursor, across epochs, without a hole or a repeat."""
    for shard in range(SHARDS):
        values = {"shard": shard, "first": gift_id(shard, 0, 0), "end": gift_id(shard + 1, 0, 0)}
        counted = await connection.scalar(text(sql.COUNT_GIFTS), values)
        invariant.checked += int(counted or 0)
        await _find(connection, invariant, sql.BROKEN_SEQUENCE, **values)
        await _find(connection, invariant, sql.CURSOR_ELSEWHERE, **values)


async def keys_are_unique(connection: AsyncConnection, invariant: Invariant) -> None:
    """No sender has two gifts of one key, and a constraint that is in force keeps it so."""
    invariant.checked += int(await connection.scalar(text(sql.COUNT_KEYS)) or 0)
    await _find(connection, invariant, sql.KEY_CONSTRAINT_MISSING)
    await _find(connection, invariant, sql.REPEATED_KEY)


async def credits_are_numbered(connection: AsyncConnection, invariant: Invariant) -> None:
    """Each user's credits are numbered 1, 2, … and each is in the outbox with the coins of its transfer."""
    invariant.checked += int(await connection.scalar(text(sql.COUNT_CREDITS)) or 0)
    await _find(connection, invariant, sql.MISNUMBERED_CREDIT)
    await _find(connection, invariant, sql.CREDIT_UNLIKE_TRANSFER)


async def nobody_is_below_zero(connection: AsyncConnection, invariant: Invariant) -> None:
    """No wallet and no creator is below zero, now or after any entry."""
    invariant.checked += int(await connection.scalar(text("SELECT count(*) FROM account")) or 0)
    await _find(connection, invariant, sql.BELOW_ZERO)
    await _find(connection, invariant, sql.WAS_BELOW_ZERO)


async def days_are_the_gifts(connection: AsyncConnection, invariant: Invariant) -> None:
    """The sums a day, creator and room are those of the gifts."""
    invariant.checked += int(await connection.scalar(text("SELECT count(*) FROM gift_day")) or 0)
    for shard in range(SHARDS):
        values = {"shard": shard, "first": gift_id(shard, 0, 0), "end": gift_id(shard + 1, 0, 0)}
        await _find(connection, invariant, sql.WRONG_DAY, **values)


async def rules_are_in_force(connection: AsyncConnection, invariant: Invariant) -> None:
    """Every trigger and constraint that the ledger relies on is there, enabled and validated."""
    triggers = {tuple(row) for row in await connection.execute(text(sql.TRIGGERS_IN_FORCE))}
    constraints = {tuple(row) for row in await connection.execute(text(sql.CONSTRAINTS_IN_FORCE))}
    for table, names in GUARDS.items():
        for name in names:
            invariant.checked += 1
            if (table, name) not in triggers:
                invariant.found(f"trigger {name} of {table} is missing or disabled")
    for owner in metadata.sorted_tables:
        for constraint in owner.constraints:
            if isinstance(constraint, CheckConstraint | UniqueConstraint):
                invariant.checked += 1
                if (owner.name, constraint.name) not in constraints:
                    invariant.found(f"constraint {constraint.name} of {owner.name} is missing or not validated")


CHECKS: Final[dict[str, Check]] = {
    "entries sum to zero per transfer and asset": entries_sum_to_zero,
    "entries are what the gifts say": entries_are_the_gifts,
    "refunds are the gifts the other way round": refunds_are_the_gifts,
    "payments are what the ledger has": payments_are_booked,
    "claims are what the ledger has": claims_are_booked,
    "payouts are what the ledger has": payouts_are_booked,
    "adjustments are what the ledger has": adjustments_are_booked,
    "nobody banned from live has an open room": banned_are_not_live,
    "each act in the audit log follows from the one before": acts_are_chained,
    "balance = sum of entries": balances_are_the_entries,
    "sequences are contiguous": sequences_are_contiguous,
    "each gift's hash follows from the one before": gifts_are_chained,
    "(sender, key) is unique": keys_are_unique,
    "credits are numbered without a hole": credits_are_numbered,
    "nobody is below zero": nobody_is_below_zero,
    "daily sums = gifts": days_are_the_gifts,
    "sums of who gave whom = gifts": pairs_are_the_gifts,
    "the database enforces the rules": rules_are_in_force,
}
