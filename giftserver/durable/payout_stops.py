"""Stops of all payouts, such as after a restore: nothing is asked for, nothing is sent, until an operator lifts them.

Whoever asks for a payout or sends one comes before a stop, or sees it: both take turns with whoever places it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Act, Actor, log_act
from giftserver.durable.payout_tables import payout, payout_stop

KEEPER: Final = "keeper"
"""Who places a stop that nobody asked for."""

NAMED_MAX: Final = 5
"""Payouts that the reason of a stop names."""

OTHERS: Final = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('payouts are stopped', 0))")
ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('payouts are stopped', 0))")


class PayoutsStopped(Exception):
    """Payouts are stopped. Nothing was made and nothing is sent."""


@dataclass(frozen=True, slots=True)
class PayoutStop:
    """A stop that is in force."""

    id: int
    reason: str
    placed_by: str
    placed_at: datetime


async def check_not_stopped(connection: AsyncConnection) -> None:
    """Go on only if payouts are not stopped, and keep it so until this transaction ends. Raises PayoutsStopped."""
    await connection.execute(OTHERS)
    if await _stop(connection) is not None:
        raise PayoutsStopped


async def stop_in_force(engine: AsyncEngine) -> PayoutStop | None:
    """The newest stop that is in force; None when payouts go on."""
    async with engine.connect() as connection:
        return await _stop(connection)


async def stop_payouts(engine: AsyncEngine, by: Actor, reason: str) -> PayoutStop:
    """Stop all payouts, as an operator decided; nothing where they are stopped already."""
    async with engine.begin() as connection:
        await connection.execute(ALONE)
        known = await _stop(connection)
        if known is not None:
            return known
        made = await _place(connection, reason, by.id, [])
        await log_act(connection, Act(by, "stop_payouts", "payouts", "all", reason))
        return made


async def let_payouts_go(engine: AsyncEngine, by: Actor, reason: str) -> None:
    """Lift every stop that is in force; nothing where none is."""
    async with engine.begin() as connection:
        await connection.execute(ALONE)
        lifted = update(payout_stop).where(payout_stop.c.lifted_at.is_(None))
        done = await connection.execute(lifted.values(lifted_by=by.id, lifted_at=func.clock_timestamp()))
        if done.rowcount:
            await log_act(connection, Act(by, "go_on_with_payouts", "payouts", "all", reason, {"stops": done.rowcount}))


async def stop_for_strange(engine: AsyncEngine, provider: str, payouts: Collection[str]) -> list[str]:
    """Stop all payouts because a provider knows some that were never sent by this database's word; which these are.

    Those that an earlier stop was about are left out: somebody has looked at them, or will.
    """
    async with engine.begin() as connection:
        sent = select(payout.c.id).where(payout.c.id.in_(payouts), payout.c.sent_at.is_not(None))
        known = set((await connection.execute(sent)).scalars())
        if not set(payouts) - known:
            return []
        await connection.execute(ALONE)
        known |= set((await connection.execute(select(func.unnest(payout_stop.c.unknown)))).scalars())
        strange = sorted(set(payouts) - known)
        if strange:
            more = f" and {len(strange) - NAMED_MAX} more" if len(strange) > NAMED_MAX else ""
            named = ", ".join(strange[:NAMED_MAX]) + more
            reason = f"{provider} knows payouts that this database never sent: {named}"
            await _place(connection, reason, KEEPER, strange)
        return strange


async def _stop(connection: AsyncConnection) -> PayoutStop | None:
    query = select(payout_stop).where(payout_stop.c.lifted_at.is_(None)).order_by(payout_stop.c.id.desc()).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else PayoutStop(row.id, row.reason, row.placed_by, row.placed_at)


async def _place(connection: AsyncConnection, reason: str, by: str, unknown: list[str]) -> PayoutStop:
    await connection.execute(insert(payout_stop).values(reason=reason, placed_by=by, unknown=unknown))
    made = await _stop(connection)
    assert made is not None
    return made
