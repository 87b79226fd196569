"""Credits: coins that start in PostgreSQL and reach Redis through a numbered outbox.

Transfer, entries and outbox row are one transaction. A user's credits are numbered 1, 2, … without a hole, so Redis
applies each exactly once, in order, however often it is offered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, insert, select, text, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.tables import COINS_SOLD, account, credit_outbox, entry, transfer
from giftserver.ledger.events import COINS_MAX

KINDS: Final = frozenset({"top_up", "grant"})
"""Kinds of credit that are made here: a demo's free coins, coins the platform gives. Paid ones: `recharges.py`."""

ADD: Final = text("""
    INSERT INTO credit_outbox (user_id, credit_no, transfer, coins)
    SELECT :user, coalesce(max(credit_no), 0) + 1, :transfer, :coins FROM credit_outbox WHERE user_id = :user
""")

TEXT_MAX: Final = 200
PENDING_MAX: Final = 10_000


class ReferenceReused(Exception):
    """The reference stands for another credit: another user, kind or amount. Nothing was credited."""


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit that stands in the ledger; `repeated` when an earlier call with this reference made it."""

    credit_no: int
    transfer: int
    coins: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class OutboxCredit:
    """A credit as Redis takes it: coins of a user under the user's own number."""

    user: str
    credit_no: int
    coins: int
    transfer: int


async def credit(engine: AsyncEngine, user: str, coins: int, kind: str, reference: str) -> Credit:
    """Credit coins to a user, once for each reference.

    Raises ValueError for an amount outside 1 … 10^12, an unknown kind or an empty name, ReferenceReused, and
    IntegrityError when the balance would leave the range that doubles hold exactly.
    """
    _check(user, coins, kind, reference)
    try:
        async with engine.begin() as connection:
            return await _credit(connection, user, coins, kind, reference)
    except IntegrityError:
        # The same reference for two users in parallel: the wallet's lock does not order them, the unique index does.
        async with engine.begin() as connection:
            known = await _known(connection, user, coins, kind, reference)
        if known is None:
            raise
        return known


def _check(user: str, coins: int, kind: str, reference: str) -> None:
    if type(coins) is not int or not 1 <= coins <= COINS_MAX:
        raise ValueError(f"coins of a credit are a whole number, 1 … 10^12, not {coins!r}")
    if kind not in KINDS:
        raise ValueError(f"a credit is one of {', '.join(sorted(KINDS))}, not {kind!r}")
    for name, value in (("user", user), ("reference", reference)):
        if not value or len(value) > TEXT_MAX or "\0" in value:
            raise ValueError(f"{name} of a credit has 1 … {TEXT_MAX} characters and no NUL")


async def _credit(connection: AsyncConnection, user: str, coins: int, kind: str, reference: str) -> Credit:
    wallet, balance, version = await _locked_wallet(connection, user)
    known = await _known(connection, user, coins, kind, reference)
    if known is not None:
        return known
    last_no = select(func.coalesce(func.max(credit_outbox.c.credit_no), 0)).where(credit_outbox.c.user_id == user)
    credit_no = (await connection.scalar(last_no) or 0) + 1
    transfer_id = await connection.scalar(
        insert(transfer)
        .values(kind=kind, coins=coins, reference=reference, event_at=func.now())
        .returning(transfer.c.id)
    )
    assert transfer_id is not None
    await connection.execute(
        update(account).where(account.c.id == wallet).values(balance=balance + coins, version=version + 1)
    )
    # After the wallet: platform accounts are locked last everywhere, so that nobody waits in a circle.
    sold = (
        await connection.execute(
            update(account)
            .where(account.c.id == COINS_SOLD)
            .values(balance=account.c.balance - coins, version=account.c.version + 1)
            .returning(account.c.balance, account.c.version)
        )
    ).one()
    await connection.execute(
        insert(entry).values(
            [
                _line(transfer_id, 1, COINS_SOLD, sold.version, -coins, sold.balance),
                _line(transfer_id, 2, wallet, version + 1, coins, balance + coins),
            ]
        )
    )
    await connection.execute(
        insert(credit_outbox).values(user_id=user, credit_no=credit_no, transfer=transfer_id, coins=coins)
    )
    return Credit(credit_no, transfer_id, coins, repeated=False)


async def add_to_outbox(connection: AsyncConnection, user: str, transfer_id: int, coins: int) -> None:
    """Number a credit whose transfer the caller has posted, so that Redis takes it.

    The wallet's row is locked by the posting, so the user's credits are numbered one after the other.
    """
    await connection.execute(ADD, {"user": user, "transfer": transfer_id, "coins": coins})


def _line(transfer_id: int, n: int, account_id: int, version: int, amount: int, balance_after: int) -> dict[str, int]:
    return {
        "transfer": transfer_id,
        "n": n,
        "account": account_id,
        "version": version,
        "amount": amount,
        "balance_after": balance_after,
    }


async def _locked_wallet(connection: AsyncConnection, user: str) -> tuple[int, int, int]:
    """Id, balance and version of the user's wallet, made if missing and locked: the user's credits go one by one."""
    name = {"kind": "wallet", "owner": user, "asset": "coins"}
    find = select(account.c.id, account.c.balance, account.c.version).filter_by(**name).with_for_update(key_share=True)
    row = (await connection.execute(find)).one_or_none()
    if row is None:
        await connection.execute(postgresql.insert(account).values(**name).on_conflict_do_nothing())
        row = (await connection.execute(find)).one()
    return row.id, row.balance, row.version


async def _known(connection: AsyncConnection, user: str, coins: int, kind: str, reference: str) -> Credit | None:
    query = (
        select(
            transfer.c.id,
            transfer.c.kind,
            credit_outbox.c.user_id,
            credit_outbox.c.credit_no,
            transfer.c.coins,
        )
        .join_from(transfer, credit_outbox, credit_outbox.c.transfer == transfer.c.id, isouter=True)
        .where(transfer.c.reference == reference)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    if (row.user_id, row.coins, row.kind) != (user, coins, kind):
        raise ReferenceReused(f"reference {reference!r} stands for another credit")
    return Credit(row.credit_no, row.id, row.coins, repeated=True)


async def pending_credits(engine: AsyncEngine, limit: int = 1000, after: int = 0) -> list[OutboxCredit]:
    """Credits not yet marked as applied to Redis, oldest first, a user's in the order of their numbers.

    At most `limit`, of transfers after `after`: the last one of a page begins the next.
    """
    query = (
        select(
            credit_outbox.c.user_id,
            credit_outbox.c.credit_no,
            credit_outbox.c.coins,
            credit_outbox.c.transfer,
        )
        .where(credit_outbox.c.applied_at.is_(None), credit_outbox.c.transfer > after)
        .order_by(credit_outbox.c.transfer)
        .limit(min(limit, PENDING_MAX))
    )
    async with engine.connect() as connection:
        return [OutboxCredit(*row) for row in await connection.execute(query)]


async def credits_after(engine: AsyncEngine, user: str, credit_no: int, limit: int = 1000) -> list[OutboxCredit]:
    """A user's credits with a number above `credit_no`, marked or not, in order: what a rolled-back Redis lacks."""
    query = (
        select(
            credit_outbox.c.user_id,
            credit_outbox.c.credit_no,
            credit_outbox.c.coins,
            credit_outbox.c.transfer,
        )
        .where(credit_outbox.c.user_id == user, credit_outbox.c.credit_no > credit_no)
        .order_by(credit_outbox.c.credit_no)
        .limit(min(limit, PENDING_MAX))
    )
    async with engine.connect() as connection:
        return [OutboxCredit(*row) for row in await connection.execute(query)]


async def mark_applied(engine: AsyncEngine, applied: Iterable[tuple[str, int]]) -> int:
    """Mark (user, credit_no) pairs as applied to Redis; marking again changes nothing. Returns how many were new."""
    pairs = list(applied)
    if not pairs:
        return 0
    statement = (
        update(credit_outbox)
        .where(
            tuple_(credit_outbox.c.user_id, credit_outbox.c.credit_no).in_(pairs),
            credit_outbox.c.applied_at.is_(None),
        )
        .values(applied_at=func.now())
    )
    async with engine.begin() as connection:
        return (await connection.execute(statement)).rowcount


async def unmark_applied(engine: AsyncEngine, applied: Iterable[tuple[str, int]]) -> None:
    """Take marks back: Redis may not have these (user, credit_no) any more. They are offered again."""
    pairs = list(applied)
    if pairs:
        statement = (
            update(credit_outbox)
            .where(tuple_(credit_outbox.c.user_id, credit_outbox.c.credit_no).in_(pairs))
            .values(applied_at=None)
        )
        async with engine.begin() as connection:
            await connection.execute(statement)
