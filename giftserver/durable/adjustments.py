"""Adjustments: coins that one operator proposes to give or take, and that are booked once another one approved.

Coins are given from the platform's account `adjustments`, and taken to it. They are taken only from a wallet that is
on hold and still: Redis takes no gifts from it, and PostgreSQL has every gift from before; so what is there is known.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Act, Actor, Detail, log_act
from giftserver.durable.bookkeeping import ADJUSTMENTS, wallet
from giftserver.durable.case_tables import adjustment
from giftserver.durable.cases import new_id
from giftserver.durable.claim_tables import wallet_state
from giftserver.durable.credits import add_to_outbox
from giftserver.durable.holds import in_turn
from giftserver.durable.own_affairs import OwnAffair, check_other
from giftserver.durable.posting import open_accounts, post
from giftserver.durable.tables import transfer

COINS_MAX: Final = 1_000_000
"""Coins of one adjustment; a larger one is several."""

PAGE_MAX: Final = 100

State = Literal["proposed", "approved", "rejected"]

WALLET: Final = text("""
    SELECT balance FROM account WHERE kind = 'wallet' AND owner = :user AND asset = 'coins' FOR NO KEY UPDATE
""")


class Decided(Exception):
    """Somebody has decided it otherwise. Nothing was changed."""


class NotStill(Exception):
    """The wallet is not on hold, or was not when it was looked at. Nothing was changed."""


class DoesNotFit(Exception):
    """The wallet has not the coins that are to be taken, or no room for those to be given. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class NewAdjustment:
    """What is proposed: coins above zero are given, below zero taken."""

    key: str
    user: str
    coins: int
    reason: str
    case: str | None


@dataclass(frozen=True, slots=True)
class AdjustmentRecord:
    """An adjustment as stored; `transfer` is what it was booked as."""

    id: str
    key: str
    user_id: str
    coins: int
    reason: str
    case_id: str | None
    proposed_by: str
    proposed_at: datetime
    state: State
    decided_by: str | None
    decided_at: datetime | None
    transfer: int | None

    def is_of(self, new: NewAdjustment) -> bool:
        """Whether it is what this request asks for."""
        return (self.user_id, self.coins, self.reason, self.case_id) == (new.user, new.coins, new.reason, new.case)


async def propose_adjustment(engine: AsyncEngine, new: NewAdjustment, by: Actor) -> AdjustmentRecord:
    """The adjustment of this operator's key, proposed if there is none; the caller looks whether it is the same.

    Raises OwnAffair for coins of the operator's own, and IntegrityError when there is no such case, or the coins are 0
    or more than COINS_MAX.
    """
    check_other(by, new.user)
    values = {
        "id": new_id("adj"), "key": new.key, "user_id": new.user, "coins": new.coins, "reason": new.reason,
        "case_id": new.case, "proposed_by": by.id,
    }  # fmt: skip
    made = postgresql.insert(adjustment).values(values)
    made = made.on_conflict_do_nothing(index_elements=["proposed_by", "key"])
    async with engine.begin() as connection:
        row = (await connection.execute(made.returning(adjustment))).one_or_none()
        if row is not None:
            details: dict[str, Detail] = {"coins": new.coins, "case": new.case}
            await log_act(connection, Act(by, "propose_adjustment", "adjustment", row.id, new.reason, details))
            return _record(row)
        known = select(adjustment).where(adjustment.c.proposed_by == by.id, adjustment.c.key == new.key)
        return _record((await connection.execute(known)).one())


async def approve_adjustment(
    engine: AsyncEngine, id: str, by: Actor, still: int | None, reason: str
) -> AdjustmentRecord | None:
    """Book an adjustment that somebody else proposed; None when there is none, and once however often it is asked.

    `still`: number of the wallet's state under which it was seen on hold with every gift booked; None: it was not.
    Raises PermissionError for who proposed it, OwnAffair for whose wallet it is, Decided, NotStill, DoesNotFit.
    """
    async with engine.begin() as connection:
        found = await _deciding(connection, id, by, "approved")
        if found is None or found.state == "approved":
            return found
        # The wallet's account before its hold, as claims do, so that nobody waits in a circle.
        await _check_room(connection, found)
        if found.coins < 0:
            await _check_still(connection, found.user_id, still)
        number = await _book(connection, found)
        decided = await _decide(connection, id, by, state="approved", transfer=number)
        details: dict[str, Detail] = {"coins": found.coins, "transfer": str(number)}
        await log_act(connection, Act(by, "approve_adjustment", "adjustment", id, reason, details))
        return decided


async def reject_adjustment(engine: AsyncEngine, id: str, by: Actor, reason: str) -> AdjustmentRecord | None:
    """Decide that it is not booked; None when there is none.

    Raises PermissionError for who proposed it, OwnAffair for whose wallet it is, Decided.
    """
    async with engine.begin() as connection:
        found = await _deciding(connection, id, by, "rejected")
        if found is None or found.state == "rejected":
            return found
        decided = await _decide(connection, id, by, state="rejected")
        await log_act(connection, Act(by, "reject_adjustment", "adjustment", id, reason, {"coins": found.coins}))
        return decided


async def _deciding(connection: AsyncConnection, id: str, by: Actor, state: State) -> AdjustmentRecord | None:
    """The adjustment, locked. It may be decided already: in the same way by the same person."""
    query = select(adjustment).where(adjustment.c.id == id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    if row.proposed_by == by.id:
        raise PermissionError(id)
    check_other(by, row.user_id)
    if state == "approved" and row.proposed_by == row.user_id:  # from before nobody could
        raise OwnAffair(row.user_id)
    if row.state != "proposed" and (row.state, row.decided_by) != (state, by.id):
        raise Decided(row.state)
    return _record(row)


async def _check_still(connection: AsyncConnection, user: str, still: int | None) -> None:
    # Whoever would release the hold waits for this transaction, and brings its credits to Redis before the release.
    await in_turn(connection, user)
    query = select(wallet_state.c.number).where(wallet_state.c.user_id == user, wallet_state.c.held)
    number = await connection.scalar(query)
    if number is None or number != still:
        raise NotStill


async def _check_room(connection: AsyncConnection, found: AdjustmentRecord) -> None:
    await open_accounts(connection, [wallet(found.user_id)])
    balance = int(await connection.scalar(WALLET, {"user": found.user_id}) or 0)
    if not 0 <= balance + found.coins < 2**53:
        raise DoesNotFit


async def _book(connection: AsyncConnection, found: AdjustmentRecord) -> int:
    values = {
        "kind": "adjustment", "coins": abs(found.coins), "reference": f"adjustment:{found.id}",
        "note": found.reason[:200], "event_at": func.now(),
    }  # fmt: skip
    number = int((await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one())
    await post(connection, number, [(ADJUSTMENTS, -found.coins), (wallet(found.user_id), found.coins)])
    await add_to_outbox(connection, found.user_id, number, found.coins)
    return number


async def _decide(connection: AsyncConnection, id: str, by: Actor, **changes: Any) -> AdjustmentRecord:
    values = {**changes, "decided_by": by.id, "decided_at": func.now()}
    statement = update(adjustment).where(adjustment.c.id == id).values(values).returning(adjustment)
    return _record((await connection.execute(statement)).one())


def _record(row: Any) -> AdjustmentRecord:
    return AdjustmentRecord(**row._mapping)


async def adjustment_by_id(engine: AsyncEngine, id: str) -> AdjustmentRecord | None:
    """One adjustment."""
    async with engine.connect() as connection:
        row = (await connection.execute(select(adjustment).where(adjustment.c.id == id))).one_or_none()
    return None if row is None else _record(row)


async def find_adjustments(
    engine: AsyncEngine, user: str | None, state: State | None, case: str | None, before: str | None, limit: int
) -> list[AdjustmentRecord]:
    """Adjustments, newest first: of one person, in one state, of one case."""
    query = select(adjustment).order_by(adjustment.c.id.desc()).limit(max(1, min(limit, PAGE_MAX)))
    columns = adjustment.c
    for column, wanted in ((columns.user_id, user), (columns.state, state), (columns.case_id, case)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(columns.id < before)
    async with engine.connect() as connection:
        return [_record(row) for row in await connection.execute(query)]
