"""Wallets on hold: nothing is spent from them until every reason is gone.

PostgreSQL says so first, under a number that grows; Redis takes the newest number, also when it loads the wallet anew.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.claim_tables import wallet_hold, wallet_state
from giftserver.durable.tables import account

RENUMBER: Final = text("""
    INSERT INTO wallet_state AS known (user_id, number, held) VALUES (:user, 1, :held)
    ON CONFLICT (user_id) DO UPDATE SET number = known.number + 1, held = excluded.held
    WHERE known.held <> excluded.held
""")


@dataclass(frozen=True, slots=True)
class PendingState:
    """A wallet whose newest state Redis may not have."""

    user: str
    number: int
    held: bool


@dataclass(frozen=True, slots=True)
class Aside:
    """What of a person's coins is set aside, and whether the wallet is on hold; None where that is not known."""

    on_hold: bool | None
    frozen_coins: int | None
    owed_coins: int | None


async def place_hold(connection: AsyncConnection, user: str, reference: str, reason: str) -> None:
    """Put a wallet on hold in the caller's transaction, once for each reference."""
    values = {"user_id": user, "reference": reference, "reason": reason}
    placed = insert(wallet_hold).values(values).on_conflict_do_nothing().returning(wallet_hold.c.reference)
    if (await connection.execute(placed)).one_or_none() is not None:
        await _renumber(connection, user)


async def hold_again(connection: AsyncConnection, user: str, reference: str, reason: str) -> None:
    """Put a wallet on hold in the caller's transaction, also for a reference that was released before."""
    again = (
        update(wallet_hold)
        .where(wallet_hold.c.reference == reference, wallet_hold.c.released_at.is_not(None))
        .values(released_at=None)
    )
    if (await connection.execute(again)).rowcount:
        await _renumber(connection, user)
    else:
        await place_hold(connection, user, reference, reason)


async def release_hold(connection: AsyncConnection, user: str, reference: str) -> None:
    """Take one reason away in the caller's transaction; the hold ends with the last one."""
    statement = (
        update(wallet_hold)
        .where(wallet_hold.c.reference == reference, wallet_hold.c.released_at.is_(None))
        .values(released_at=func.now())
    )
    if (await connection.execute(statement)).rowcount:
        await _renumber(connection, user)


async def in_turn(connection: AsyncConnection, user: str) -> None:
    """Wait for whoever changes this person's hold now; they wait for the caller's transaction from here on."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('hold:' || :user, 0))"), {"user": user}
    )


async def _renumber(connection: AsyncConnection, user: str) -> None:
    # In turn for each person: two reasons that come and go at once must not overlook each other.
    await in_turn(connection, user)
    reasons = select(func.count()).where(wallet_hold.c.user_id == user, wallet_hold.c.released_at.is_(None))
    held = bool(await connection.scalar(reasons))
    await connection.execute(RENUMBER, {"user": user, "held": held})


async def pending_states(engine: AsyncEngine, limit: int) -> list[PendingState]:
    """Wallets whose state is to be brought to Redis."""
    columns = wallet_state.c
    query = (
        select(columns.user_id, columns.number, columns.held)
        .where(columns.applied_number < columns.number)
        .order_by(columns.user_id)
        .limit(limit)
    )
    async with engine.connect() as connection:
        return [PendingState(*row) for row in await connection.execute(query)]


async def mark_state(engine: AsyncEngine, user: str, number: int) -> None:
    """Redis has this number; an older one changes nothing."""
    statement = (
        update(wallet_state)
        .where(wallet_state.c.user_id == user, wallet_state.c.applied_number < number)
        .values(applied_number=number)
    )
    async with engine.begin() as connection:
        await connection.execute(statement)


async def set_aside(engine: AsyncEngine, user: str) -> Aside:
    """Whether this person's wallet is on hold, and what is frozen and owed."""
    held = select(wallet_state.c.held).where(wallet_state.c.user_id == user)
    query = select(account.c.kind, account.c.balance).where(
        account.c.owner == user, account.c.kind.in_(("frozen", "owed"))
    )
    async with engine.connect() as connection:
        on_hold = bool(await connection.scalar(held))
        balances = {row.kind: row.balance for row in await connection.execute(query)}
    return Aside(on_hold, balances.get("frozen", 0), balances.get("owed", 0))


async def is_in_a_case(engine: AsyncEngine, user: str) -> bool:
    """Whether this person's wallet is on hold because of a case that an operator decides."""
    async with engine.connect() as connection:
        return await has_case_hold(connection, user)


async def has_case_hold(connection: AsyncConnection, user: str) -> bool:
    """The same in the caller's transaction: after `in_turn` no such hold comes or goes until that ends."""
    query = select(func.count()).where(
        wallet_hold.c.user_id == user, wallet_hold.c.released_at.is_(None), wallet_hold.c.reference.like("case:%")
    )
    return bool(await connection.scalar(query))


async def holds_of(engine: AsyncEngine, user: str) -> list[str]:
    """Why this person's wallet is on hold now, oldest first; nothing when it is not."""
    query = (
        select(wallet_hold.c.reason)
        .where(wallet_hold.c.user_id == user, wallet_hold.c.released_at.is_(None))
        .order_by(wallet_hold.c.placed_at)
    )
    async with engine.connect() as connection:
        return list((await connection.execute(query)).scalars())
