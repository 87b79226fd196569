"""One payment from its order to who bears what of it, for whoever answers its buyer."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.history import public_transfer
from giftserver.durable.payments import PaymentRecord, Step, payment_by_id, steps_of
from giftserver.recharge.money import in_words

# Of a payment that was never credited nothing is booked: how a claim of it stands is what the provider says.
STANDS: Final = "CASE WHEN p.transfer IS NULL AND c.wanted IN ('won', 'lost') THEN c.wanted ELSE c.state END"

CLAIMS: Final = text(f"""
    SELECT c.*, {STANDS} AS stands FROM claim AS c JOIN payment AS p ON p.id = c.payment
    WHERE c.payment = :payment ORDER BY c.opened_at, c.id
""")

DISPUTES: Final = text(f"""
    SELECT DISTINCT ON (c.payment) c.payment, {STANDS} AS state FROM claim AS c JOIN payment AS p ON p.id = c.payment
    WHERE c.kind = 'dispute' AND c.payment = ANY(CAST(:payments AS text[]))
    ORDER BY c.payment, c.opened_at DESC, c.id DESC
""")

GIFTS: Final = text("""
    SELECT g.claim, g.coins AS reached_coins, g.diamonds AS reached_diamonds, t.*
    FROM claim_gift AS g JOIN claim AS c ON c.id = g.claim JOIN transfer AS t ON t.id = g.gift
    WHERE c.payment = :payment ORDER BY g.claim, t.id
""")


@dataclass(frozen=True, slots=True)
class ReachedGift:
    """A gift of a lost claim: coins of the purchase in it, and diamonds its creator gave back."""

    transfer: str
    creator: str
    coins: int
    diamonds: int


@dataclass(frozen=True, slots=True)
class ClaimStory:
    """A claim of a payment and who bears it; amounts in minor units, coins, diamonds."""

    id: str
    kind: str
    reason: str
    state: str
    amount_minor: int
    coins: int
    frozen_coins: int
    owed_coins: int
    repaid_coins: int
    clawed_diamonds: int
    lost_diamonds: int
    opened_at: datetime
    gifts: list[ReachedGift]


@dataclass(frozen=True, slots=True)
class PaymentStory:
    """A payment, its steps, its claims."""

    payment: PaymentRecord
    steps: list[Step]
    claims: list[ClaimStory]


async def payment_story(engine: AsyncEngine, id: str) -> PaymentStory | None:
    """Everything about one payment, None when there is none."""
    payment = await payment_by_id(engine, id)
    return None if payment is None else PaymentStory(payment, await steps_of(engine, id), await claims_of(engine, id))


async def claims_of(engine: AsyncEngine, payment: str) -> list[ClaimStory]:
    """The claims of a payment, oldest first."""
    async with engine.connect() as connection:
        claims = (await connection.execute(CLAIMS, {"payment": payment})).all()
        gifts = (await connection.execute(GIFTS, {"payment": payment})).all()
    return [_claim(row, [gift for gift in gifts if gift.claim == row.id]) for row in claims]


async def disputes_of(engine: AsyncEngine, payments: list[str]) -> dict[str, str]:
    """How the newest dispute of each of these payments stands; those without one are not there."""
    async with engine.connect() as connection:
        return {row.payment: row.state for row in await connection.execute(DISPUTES, {"payments": payments})}


def _claim(row: Any, gifts: list[Any]) -> ClaimStory:
    reached = [ReachedGift(public_transfer(g), g.creator, g.reached_coins, g.reached_diamonds) for g in gifts]
    return ClaimStory(
        row.id, row.kind, row.reason, row.stands, row.amount_minor, row.coins, row.frozen_coins, row.owed_coins,
        row.repaid_coins, row.clawed_diamonds, row.lost_diamonds, row.opened_at, reached,
    )  # fmt: skip


def payment_lines(told: PaymentStory) -> Iterator[str]:
    """The story as text."""
    payment = told.payment
    paid = in_words(payment.amount_minor, payment.currency)
    bonus = f" + {payment.bonus_coins:,} bonus ({payment.promotion})" if payment.bonus_coins else ""
    yield f"{payment.id}: {payment.user_id}, {payment.coins:,} coins{bonus} for {paid} by {payment.provider}"
    yield f"  price list {payment.price_version}, {payment.country}, the provider's {payment.provider_ref or '-'}"
    for step in told.steps:
        yield f"  {step.at:%Y-%m-%d %H:%M:%S}Z  {step.state:<18}  {step.source:<10}  {step.detail}"
    booked = "not booked" if payment.transfer is None else f"booked as transfer {payment.transfer}"
    yield f"  {payment.state}, {booked}" + (f"; LOOK AT IT: {payment.review}" if payment.review else "")
    for claim in told.claims:
        yield from _claim_lines(claim, payment.currency)


def _claim_lines(claim: ClaimStory, currency: str) -> Iterator[str]:
    amount = in_words(claim.amount_minor, currency)
    yield f"{claim.kind.capitalize()} {claim.id} of {amount} ({claim.reason}): {claim.state}"
    if claim.state == "frozen":
        yield f"  {claim.frozen_coins:,} of {claim.coins:,} coins are frozen; the others were spent"
    if claim.state == "lost":
        yield f"  the buyer gave up {claim.frozen_coins:,} unspent coins and owes {claim.owed_coins:,} spent ones"
        if claim.repaid_coins:
            yield f"  {claim.repaid_coins:,} of these were paid for by what the buyer bought later"
        lost = f"{claim.lost_diamonds:,} are the platform's loss"
        yield f"  creators gave back {claim.clawed_diamonds:,} diamonds; {lost}"
        for gift in claim.gifts:
            yield f"    {gift.transfer}: {gift.coins:,} coins, {gift.diamonds:,} diamonds from {gift.creator}"
    if claim.state == "won":
        yield "  nobody bears anything of it"
