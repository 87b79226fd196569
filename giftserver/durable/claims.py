"""Claims: disputes and refunds of payments, from what a provider says to what is booked.

A claim waits until its buyer's wallet is on hold in Redis and every gift before that is in PostgreSQL. Then what is
unspent of the purchase is frozen. Won, all of it is as before. Lost, the frozen coins are gone; for the spent ones the
creators give back diamonds that are not theirs for good yet, and the buyer owes the coins.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Act, Actor, Detail, log_act
from giftserver.durable.claim_tables import claim
from giftserver.durable.holds import place_hold, release_hold
from giftserver.durable.own_affairs import check_other
from giftserver.durable.payment_tables import payment
from giftserver.recharge.money import AMOUNT_MAX_MINOR
from giftserver.recharge.provider import DisputeNews

OLDER_S: Final = 60
"""An answer of a provider that is older than this is not applied any more."""

DUE: Final = text("""
    SELECT c.*, p.user_id, p.provider, p.provider_ref, p.currency, p.amount_minor AS paid_minor, p.transfer
    FROM claim AS c JOIN payment AS p ON p.id = c.payment
    WHERE c.state <> c.wanted AND p.transfer IS NOT NULL AND c.next_at <= now()
        AND (c.state, c.wanted) NOT IN (('waiting', 'warning'), ('frozen', 'warning'), ('lost', 'open'),
            ('lost', 'warning'), ('won', 'open'), ('won', 'lost'), ('won', 'warning'))
        AND NOT (c.kind = 'dispute' AND c.state = 'frozen' AND c.wanted = 'open')
    ORDER BY c.next_at LIMIT :limit
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
        if not 1 <= news.amount_minor <= AMOUNT_MAX_MINOR:
            continue  # nothing is claimed
        values = {
            "id": news.ref, "payment": payment_id, "kind": "dispute", "reason": news.reason,
            "amount_minor": news.amount_minor, "wanted": news.state,
        }  # fmt: skip
        new += await _keep(connection, values)
    return new


async def hear_refunded(connection: AsyncConnection, payment_id: str, refunded_minor: int) -> int:
    """Keep that a provider gave money back that no refund of ours is about, in the caller's transaction.

    A refund that failed just now may be in an older answer as one that was paid.
    """
    ours = select(func.coalesce(func.sum(claim.c.amount_minor), 0)).where(
        claim.c.payment == payment_id, claim.c.kind == "refund",
        (claim.c.wanted != "won") | (claim.c.changed_at > func.now() - timedelta(seconds=OLDER_S)),
    )  # fmt: skip
    more_minor = refunded_minor - int(await connection.scalar(ours) or 0)
    if more_minor <= 0:
        return 0
    values = {
        "id": f"{payment_id}-refunded-{refunded_minor}", "payment": payment_id, "kind": "refund",
        "reason": "given back by the provider", "amount_minor": more_minor, "wanted": "lost",
    }  # fmt: skip
    return await _keep(connection, values)


async def hear_failed(connection: AsyncConnection, payment_id: str, refunds: tuple[str, ...]) -> int:
    """Keep that refunds of ours, which were told as paid, came back to the provider; how many were news.

    In the caller's transaction. The coins come back as they do for every claim that is won.
    """
    failed = (
        update(claim)
        .where(
            claim.c.payment == payment_id,
            claim.c.id.in_(refunds),
            claim.c.kind == "refund",
            claim.c.wanted.in_(("open", "lost")),
        )
        .values(wanted="won", changed_at=func.now(), next_at=func.now())
    )
    return (await connection.execute(failed)).rowcount if refunds else 0


async def _keep(connection: AsyncConnection, values: dict[str, Any]) -> int:
    made = insert(claim).values(values)
    said = made.excluded
    # Answers may overtake each other: what was decided is not open again because of an older one.
    newer = (claim.c.wanted != said.wanted) & (said.wanted.in_(("won", "lost")) | (claim.c.wanted == "warning"))
    waits = claim.c.state == "waiting"
    kept = made.on_conflict_do_update(
        index_elements=[claim.c.id],
        set_={
            "wanted": case((newer, said.wanted), else_=claim.c.wanted),
            "amount_minor": case((waits, said.amount_minor), else_=claim.c.amount_minor),
            "changed_at": func.now(),
            "next_at": func.now(),
        },
        where=(claim.c.payment == said.payment) & (newer | waits & (claim.c.amount_minor != said.amount_minor)),
    )
    return len((await connection.execute(kept.returning(claim.c.id))).all())


async def reopened(connection: AsyncConnection, payment_id: str) -> str | None:
    """A dispute that was won and then lost after all: what is to be done is for a person to say."""
    query = select(claim.c.id).where(claim.c.payment == payment_id, claim.c.state == "won", claim.c.wanted == "lost")
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
    """Lock the payment and the claim; whether the claim is as it was read, and wanted as it was."""
    await connection.execute(select(payment.c.id).where(payment.c.id == due.payment).with_for_update())
    query = select(claim.c.state, claim.c.wanted).where(claim.c.id == due.id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return row is not None and (row.state, row.wanted) == (due.state, due.wanted)


async def booked(connection: AsyncConnection, due: ClaimRecord) -> tuple[int, int]:
    """Minor units and coins of the payment that other claims have taken out already."""
    query = select(func.coalesce(func.sum(claim.c.amount_minor), 0), func.coalesce(func.sum(claim.c.coins), 0)).where(
        claim.c.payment == due.payment, claim.c.id != due.id, claim.c.state.in_(("frozen", "lost"))
    )
    minor, coins = (await connection.execute(query)).one()
    return int(minor), int(coins)


async def refund_decides_first(engine: AsyncEngine, due: ClaimRecord) -> bool:
    """Whether a refund has coins of the payment frozen that are this claim's too: unpaid, it gives them back first."""
    query = select(func.coalesce(func.sum(claim.c.amount_minor), 0)).where(
        claim.c.payment == due.payment, claim.c.id != due.id, claim.c.kind == "refund", claim.c.state == "frozen",
        claim.c.wanted != "lost",
    )  # fmt: skip
    async with engine.connect() as connection:
        undecided_minor = int(await connection.scalar(query) or 0)
    return undecided_minor > 0 and due.amount_minor + undecided_minor > due.paid_minor


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


async def want(engine: AsyncEngine, id: str, wanted: str, *, instead_of: str | None = None) -> None:
    """What is to become of a claim; only as long as it is what it was, where that is said."""
    values = {"wanted": wanted, "changed_at": func.now()}
    decided = update(claim).where(claim.c.id == id).values(values)
    if instead_of is not None:
        decided = decided.where(claim.c.wanted == instead_of)
    async with engine.begin() as connection:
        await connection.execute(decided)
