"""What a provider says of disputes and of money that was given back, kept as what is to become of the claims.

The provider's totals are true. Claims of refunds that are wanted lost come to what it gave back: what no refund of ours
explains is one of the provider's own, and what came back to it takes those back. An answer that is older than the last
change of the payment's refunds says nothing about them: it is asked for again.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.claim_tables import claim
from giftserver.durable.payments import ask_soon
from giftserver.recharge.money import AMOUNT_MAX_MINOR
from giftserver.recharge.provider import DisputeNews, Snapshot

BY_PROVIDER: Final = "-refunded-"
"""What the ids of refunds that were made at the provider have between the payment's id and what is given back then."""


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


async def hear_refunds(
    connection: AsyncConnection, payment_id: str, news: Snapshot, asked_at: datetime | None
) -> tuple[int, str | None]:
    """Have claims say what a provider gave back, in the caller's transaction, which has the payment locked.

    How many claims changed, and what cannot be, in words: less was given back than refunds of ours say. `asked_at` is
    when the question began, by the database's clock; None when that is not known.
    """
    own = (claim.c.payment == payment_id) & (claim.c.kind == "refund")
    changed_at = await connection.scalar(select(func.max(claim.c.changed_at)).where(own))
    new = await _hear_failed(connection, payment_id, news.failed_refunds)
    sums = select(
        *(func.coalesce(func.sum(claim.c.amount_minor).filter(claim.c.wanted == one), 0) for one in ("lost", "open"))
    )
    told, undecided = map(int, (await connection.execute(sums.where(own))).one())
    more = news.refunded_minor - told
    if 0 <= more <= undecided:  # which of it is a refund that is being asked for is known once that is decided
        return new, None
    if asked_at is None or (changed_at is not None and asked_at <= changed_at):
        await ask_soon(connection, payment_id)
        return new, None
    if more > 0:
        await _given_back(connection, payment_id, news.refunded_minor, more - undecided)
        return new + 1, None
    taken, left_minor = await _take_back(connection, payment_id, news.refunded_minor, -more)
    wrong = f"the provider has given back {news.refunded_minor}, we have {told} {news.currency} in minor units"
    return new + taken, wrong if left_minor else None


async def _given_back(connection: AsyncConnection, payment_id: str, refunded_minor: int, amount_minor: int) -> None:
    """A claim for money that was given back at the provider; the same sum may be reached again once one failed."""
    id = f"{payment_id}{BY_PROVIDER}{refunded_minor}"
    same = await connection.scalar(
        select(func.count()).where(claim.c.payment == payment_id, claim.c.id.startswith(id, autoescape=True))
    )
    values = {
        "id": f"{id}-{same + 1}" if same else id, "payment": payment_id, "kind": "refund",
        "reason": "given back by the provider", "amount_minor": amount_minor, "wanted": "lost",
    }  # fmt: skip
    await connection.execute(insert(claim).values(values))


async def _take_back(
    connection: AsyncConnection, payment_id: str, refunded_minor: int, amount_minor: int
) -> tuple[int, int]:
    """So much of what was given back at the provider came back to it: that one refund, or else the newest ones.

    How many claims changed, and how much is left that no such refund explains.
    """
    columns = claim.c
    query = (
        select(columns.id, columns.amount_minor)
        .where(columns.payment == payment_id, columns.wanted == "lost")
        .where(columns.id.startswith(f"{payment_id}{BY_PROVIDER}", autoescape=True))
        .order_by(columns.amount_minor != amount_minor, columns.opened_at.desc(), columns.id.desc())
    )
    left, taken = amount_minor, []
    for row in (await connection.execute(query)).all():
        if left > 0:
            taken.append(row.id)
            left -= row.amount_minor
    back = update(claim).where(columns.id.in_(taken))
    await connection.execute(back.values(wanted="won", changed_at=func.now(), next_at=func.now()))
    if left < 0:  # two refunds that were heard of as one
        await _given_back(connection, payment_id, refunded_minor, -left)
    return len(taken), max(0, left)


async def _hear_failed(connection: AsyncConnection, payment_id: str, refunds: tuple[str, ...]) -> int:
    """Refunds of ours, which may have been told as paid, did not reach the buyer; how many were news."""
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
