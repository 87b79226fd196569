"""Claims: disputes and refunds of payments, from what a provider says to what is booked.

A claim waits until its buyer's wallet is on hold in Redis and every gift before that is in PostgreSQL. Then what is
unspent of the purchase is frozen. Won, it takes nothing. Lost, the frozen coins are gone; for the spent ones the
creators give back diamonds that are not theirs for good yet, and the buyer owes the coins.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Act, Actor, Detail, log_act
from giftserver.durable.claim_tables import claim
from giftserver.durable.holds import place_hold, release_hold
from giftserver.durable.own_affairs import check_other
from giftserver.durable.payment_tables import payment
from giftserver.durable.payments import ask_soon

# Holds before all else: whatever moves beside them finds them placed.
DUE: Final = text("""
    SELECT c.*, p.user_id, p.provider, p.provider_ref, p.currency, p.amount_minor AS paid_minor, p.transfer
    FROM claim AS c JOIN payment AS p ON p.id = c.payment
    WHERE c.state <> c.wanted AND p.transfer IS NOT NULL AND c.next_at <= now()
        AND (c.state, c.wanted) NOT IN (('waiting', 'warning'), ('frozen', 'warning'), ('lost', 'open'),
            ('lost', 'warning'), ('won', 'open'), ('won', 'lost'), ('won', 'warning'))
        AND NOT (c.kind = 'dispute' AND c.state = 'frozen' AND c.wanted = 'open')
    ORDER BY c.state <> 'waiting', c.next_at LIMIT :limit
""")

# Coins that come back may be spent at once: holds that are on their way come first.
HOLD_IS_COMING: Final = text("""
    SELECT EXISTS (SELECT FROM wallet_state WHERE user_id = :user AND held AND applied_number < number)
        OR EXISTS (SELECT FROM claim WHERE payment = :payment AND state = 'waiting' AND wanted IN ('open', 'lost'))
""")


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """A claim that has to move, with what its payment says; amounts in minor units of `currency`."""

    id: str
    payment: str
    kind: str
    reason: str
    amount_minor: int
    wanted: str
    state: str
    coins: int
    frozen_coins: int
    owed_coins: int
    user: str
    provider: str
    provider_ref: str
    currency: str
    paid_minor: int
    transfer: int


def hold_reference(id: str) -> str:
    """Under which name a claim puts its buyer's wallet on hold."""
    return f"claim:{id}"


async def due_claims(engine: AsyncEngine, limit: int) -> list[ClaimRecord]:
    """Claims that stand elsewhere than they should, longest first."""
    fields = ClaimRecord.__dataclass_fields__
    async with engine.connect() as connection:
        rows = (await connection.execute(DUE, {"limit": limit})).all()
    return [
        ClaimRecord(**{name: getattr(row, "user_id" if name == "user" else name) for name in fields}) for row in rows
    ]


async def begin(engine: AsyncEngine, due: ClaimRecord) -> None:
    """Put the buyer's wallet on hold. Nothing when the claim has moved meanwhile."""
    async with engine.begin() as connection:
        if not await locked(connection, due):
            return
        await place_hold(connection, due.user, hold_reference(due.id), f"payment {due.payment}: {due.kind}")
        await change(connection, due.id, state="holding")


async def give_up(engine: AsyncEngine, due: ClaimRecord) -> None:
    """A claim that is over before anything was booked just ends. Nothing when it has moved meanwhile."""
    async with engine.begin() as connection:
        if await locked(connection, due):
            await let_go(connection, due)
            await change(connection, due.id, state="won")


async def put_off(engine: AsyncEngine, id: str, wait_s: float) -> None:
    """Look at a claim again after a while: others first."""
    later = update(claim).where(claim.c.id == id).values(next_at=func.now() + timedelta(seconds=wait_s))
    async with engine.begin() as connection:
        await connection.execute(later)


async def locked(connection: AsyncConnection, due: ClaimRecord) -> bool:
    """Lock the payment and its claims, as debts are; whether the claim is as it was read, and wanted as it was.

    Another claim that was won may have left it coins since then.
    """
    await connection.execute(select(payment.c.id).where(payment.c.id == due.payment).with_for_update())
    columns = claim.c
    query = (
        select(columns.id, columns.state, columns.wanted, columns.coins, columns.frozen_coins)
        .where(columns.payment == due.payment)
        .order_by(columns.opened_at, columns.id)
        .with_for_update()
    )
    rows = {id: rest for id, *rest in await connection.execute(query)}
    return rows.get(due.id) == [due.state, due.wanted, due.coins, due.frozen_coins]


async def booked(connection: AsyncConnection, due: ClaimRecord) -> list[Any]:
    """The payment's other claims that have coins out of it, or would if there were any left, oldest first."""
    query = (
        select(claim)
        .where(claim.c.payment == due.payment, claim.c.id != due.id, claim.c.state.in_(("frozen", "lost")))
        .order_by(claim.c.opened_at, claim.c.id)
    )
    return list((await connection.execute(query)).all())


async def hold_is_coming(engine: AsyncEngine, due: ClaimRecord) -> bool:
    """Whether the buyer's wallet is about to be on hold, for another claim of the payment or whatever it is."""
    async with engine.connect() as connection:
        return bool(await connection.scalar(HOLD_IS_COMING, {"user": due.user, "payment": due.payment}))


async def claimed_beside(engine: AsyncEngine, due: ClaimRecord) -> int:
    """Minor units of the payment that other claims are about, which were not won, and of which none only warns."""
    query = select(func.coalesce(func.sum(claim.c.amount_minor), 0)).where(
        claim.c.payment == due.payment, claim.c.id != due.id, claim.c.wanted.not_in(("won", "warning"))
    )
    async with engine.connect() as connection:
        return int(await connection.scalar(query) or 0)


async def change(connection: AsyncConnection, id: str, **changes: Any) -> None:
    """Write down where a claim stands."""
    values = {**changes, "changed_at": func.now()}
    await connection.execute(update(claim).where(claim.c.id == id).values(values))


async def let_go(connection: AsyncConnection, due: ClaimRecord) -> None:
    """The claim needs the wallet on hold no more."""
    await release_hold(connection, due.user, hold_reference(due.id))


async def ask_refund(
    engine: AsyncEngine, payment_id: str, id: str, amount_minor: int, reason: str, by: Actor | None = None
) -> tuple[str, int, str] | None:
    """Keep a refund that an operator asks for, once for each id: its state, amount and reason.

    The caller compares these: the id may stand for another refund. None when the payment has not so much left that was
    neither given back nor disputed. Raises OwnAffair for who bought.
    """
    async with engine.begin() as connection:
        columns = payment.c
        query = select(columns.user_id, columns.amount_minor, columns.transfer).where(columns.id == payment_id)
        row = (await connection.execute(query.with_for_update())).one()
        if by is not None:
            check_other(by, row.user_id)
        asked = select(claim.c.state, claim.c.amount_minor, claim.c.reason).where(claim.c.id == id)
        known = (await connection.execute(asked)).one_or_none()
        if known is not None:
            return known.state, known.amount_minor, known.reason
        taken = select(func.coalesce(func.sum(claim.c.amount_minor), 0)).where(
            claim.c.payment == payment_id, claim.c.wanted.not_in(("won", "warning"))
        )
        if row.transfer is None or amount_minor > row.amount_minor - int(await connection.scalar(taken) or 0):
            return None
        values = {
            "id": id, "payment": payment_id, "kind": "refund", "reason": reason, "amount_minor": amount_minor,
            "wanted": "open",
        }  # fmt: skip
        await connection.execute(insert(claim).values(values))
        if by is not None:
            details: dict[str, Detail] = {"claim": id, "amount_minor": amount_minor}
            await log_act(connection, Act(by, "refund", "payment", payment_id, reason, details))
        return "waiting", amount_minor, reason


async def want(engine: AsyncEngine, id: str, wanted: str) -> None:
    """What is to become of a claim, whatever it was to be."""
    decided = update(claim).where(claim.c.id == id).values(wanted=wanted, changed_at=func.now())
    async with engine.begin() as connection:
        await connection.execute(decided)


async def decide_refund(engine: AsyncEngine, due: ClaimRecord, wanted: str) -> None:
    """What became of a refund that was open: `lost` when it was paid. The provider is asked about the payment again:
    only now it is known which of the money that it gave back is this refund's.
    """
    decided = (
        update(claim)
        .where(claim.c.id == due.id, claim.c.wanted == "open")
        .values(wanted=wanted, changed_at=func.now(), next_at=func.now())
    )
    async with engine.begin() as connection:
        await ask_soon(connection, due.payment)  # the payment first, as everybody locks them
        await connection.execute(decided)
