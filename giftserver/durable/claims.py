"""Claims: disputes and refunds of payments, from what a provider says to what is booked.

A claim waits until its buyer's wallet is on hold in Redis and every gift before that is in PostgreSQL. Then what is
unspent of the purchase is frozen. Won, all of it is as before. Lost, the frozen coins are gone; for the spent ones the
creators give back diamonds that are not theirs for good yet, and the buyer owes the coins.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.claim_tables import claim
from giftserver.durable.holds import place_hold, release_hold
from giftserver.durable.payment_tables import payment
from giftserver.recharge.provider import DisputeNews

DUE: Final = text("""
    SELECT c.*, p.user_id, p.provider, p.provider_ref, p.currency, p.amount_minor AS paid_minor, p.transfer
    FROM claim AS c JOIN payment AS p ON p.id = c.payment
    WHERE c.state <> c.wanted AND p.transfer IS NOT NULL
        AND (c.state, c.wanted) NOT IN (('waiting', 'warning'), ('frozen', 'warning'), ('lost', 'open'),
            ('lost', 'warning'), ('won', 'open'), ('won', 'lost'), ('won', 'warning'))
        AND NOT (c.kind = 'dispute' AND c.state = 'frozen' AND c.wanted = 'open')
    ORDER BY c.changed_at LIMIT :limit
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


async def hear_disputes(connection: AsyncConnection, payment_id: str, disputes: tuple[DisputeNews, ...]) -> int:
    """Keep what a provider says of a payment's disputes, in the caller's transaction; how many say something new."""
    new = 0
    for news in disputes:
        values = {
            "id": news.ref, "payment": payment_id, "kind": "dispute", "reason": news.reason,
            "amount_minor": news.amount_minor, "wanted": news.state,
        }  # fmt: skip
        new += await _keep(connection, values)
    return new


async def hear_refunded(connection: AsyncConnection, payment_id: str, refunded_minor: int) -> int:
    """Keep that a provider gave money back that no refund of ours is about, in the caller's transaction."""
    ours = select(func.coalesce(func.sum(claim.c.amount_minor), 0)).where(
        claim.c.payment == payment_id, claim.c.kind == "refund", claim.c.wanted != "won"
    )
    more_minor = refunded_minor - int(await connection.scalar(ours) or 0)
    if more_minor <= 0:
        return 0
    values = {
        "id": f"{payment_id}-refunded-{refunded_minor}", "payment": payment_id, "kind": "refund",
        "reason": "given back by the provider", "amount_minor": more_minor, "wanted": "lost",
    }  # fmt: skip
    return await _keep(connection, values)


async def _keep(connection: AsyncConnection, values: dict[str, Any]) -> int:
    statement = insert(claim).values(values)
    statement = statement.on_conflict_do_update(
        index_elements=[claim.c.id],
        set_={"wanted": statement.excluded.wanted, "changed_at": func.now()},
        where=claim.c.wanted != statement.excluded.wanted,
    )
    return len((await connection.execute(statement.returning(claim.c.id))).all())


async def reopened(connection: AsyncConnection, payment_id: str) -> str | None:
    """A dispute that was won and is open again: what then is true is for a person to find out."""
    query = select(claim.c.id).where(
        claim.c.payment == payment_id, claim.c.state == "won", claim.c.wanted.in_(("open", "lost"))
    )
    found: str | None = await connection.scalar(query.limit(1))
    return found


async def due_claims(engine: AsyncEngine, limit: int) -> list[ClaimRecord]:
    """Claims that stand elsewhere than they should, longest first."""
    fields = ClaimRecord.__dataclass_fields__
    async with engine.connect() as connection:
        rows = (await connection.execute(DUE, {"limit": limit})).all()
    return [
        ClaimRecord(**{name: getattr(row, "user_id" if name == "user" else name) for name in fields}) for row in rows
    ]


async def begin(engine: AsyncEngine, due: ClaimRecord) -> None:
    """Put the buyer's wallet on hold; a claim that is over before anything was booked just ends."""
    async with engine.begin() as connection:
        if due.wanted == "won":
            await change(connection, due.id, state="won")
            return
        await place_hold(connection, due.user, hold_reference(due.id), f"payment {due.payment}: {due.kind}")
        await change(connection, due.id, state="holding")


async def locked(connection: AsyncConnection, due: ClaimRecord) -> bool:
    """Lock the payment and the claim; whether the claim is as it was read."""
    await connection.execute(select(payment.c.id).where(payment.c.id == due.payment).with_for_update())
    query = select(claim.c.state).where(claim.c.id == due.id).with_for_update()
    return await connection.scalar(query) == due.state


async def booked_minor(connection: AsyncConnection, due: ClaimRecord) -> int:
    """Minor units of the payment that other claims have taken out already."""
    query = select(func.coalesce(func.sum(claim.c.amount_minor), 0)).where(
        claim.c.payment == due.payment, claim.c.id != due.id, claim.c.state.in_(("frozen", "lost"))
    )
    return int(await connection.scalar(query) or 0)


async def change(connection: AsyncConnection, id: str, **changes: Any) -> None:
    """Write down where a claim stands."""
    values = {**changes, "changed_at": func.now()}
    await connection.execute(update(claim).where(claim.c.id == id).values(values))


async def let_go(connection: AsyncConnection, due: ClaimRecord) -> None:
    """The claim needs the wallet on hold no more."""
    await release_hold(connection, due.user, hold_reference(due.id))


async def ask_refund(
    engine: AsyncEngine, payment_id: str, id: str, amount_minor: int, reason: str
) -> tuple[str, int] | None:
    """Keep a refund that an operator asks for, once for each id: its state and amount.

    None when the payment has not so much left that was neither given back nor disputed.
    """
    async with engine.begin() as connection:
        query = select(payment.c.amount_minor).where(payment.c.id == payment_id, payment.c.transfer.is_not(None))
        paid = await connection.scalar(query.with_for_update())
        known = (await connection.execute(select(claim.c.state, claim.c.amount_minor).where(claim.c.id == id))).all()
        if known:
            return known[0].state, known[0].amount_minor
        taken = select(func.coalesce(func.sum(claim.c.amount_minor), 0)).where(
            claim.c.payment == payment_id, claim.c.wanted != "won"
        )
        if paid is None or amount_minor > paid - int(await connection.scalar(taken) or 0):
            return None
        values = {
            "id": id, "payment": payment_id, "kind": "refund", "reason": reason, "amount_minor": amount_minor,
            "wanted": "open",
        }  # fmt: skip
        await connection.execute(insert(claim).values(values))
        return "waiting", amount_minor


async def want(engine: AsyncEngine, id: str, wanted: str) -> None:
    """What is to become of a claim."""
    async with engine.begin() as connection:
        await change(connection, id, wanted=wanted)
