"""One payout from its request to where its money is, for whoever answers its creator."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payout_accounts import masked
from giftserver.durable.payouts import PayoutRecord, PayoutStep, payout_by_id, steps_of
from giftserver.recharge.money import in_words
from giftserver.recharge.payout_states import OPEN, PayoutState

TRANSFERS: Final = text("""
    SELECT t.id, t.kind FROM unnest(ARRAY['requested', 'paid', 'undone', 'returned']) WITH ORDINALITY AS step (name, n)
    JOIN transfer AS t ON t.reference = 'payout-' || step.name || ':' || CAST(:payout AS text) ORDER BY step.n
""")


@dataclass(frozen=True, slots=True)
class PayoutStory:
    """A payout, its steps, and the numbers and kinds of the transfers that booked it."""

    payout: PayoutRecord
    steps: list[PayoutStep]
    transfers: list[tuple[int, str]]


async def payout_story(engine: AsyncEngine, id: str) -> PayoutStory | None:
    """Everything about one payout, None when there is none."""
    found = await payout_by_id(engine, id)
    if found is None:
        return None
    steps = await steps_of(engine, id)
    async with engine.connect() as connection:
        transfers = [(row.id, row.kind) for row in await connection.execute(TRANSFERS, {"payout": id})]
    return PayoutStory(found, steps, transfers)


def payout_lines(told: PayoutStory) -> Iterator[str]:
    """The story as text; the address is masked."""
    found = told.payout
    amount = in_words(found.amount_minor, found.currency)
    yield f"{found.id}: {found.diamonds:,} diamonds of {found.user_id} for {amount} by {found.provider}"
    yield f"  to {masked(found.address)}, rate {found.rate_version}, the provider's {found.provider_ref or '-'}"
    for step in told.steps:
        yield f"  {step.at:%Y-%m-%d %H:%M:%S}Z  {step.state:<10}  {step.source:<8}  {step.detail}".rstrip()
    booked = ", ".join(f"{kind} as transfer {number}" for number, kind in told.transfers)
    yield f"  {found.state}, booked: {booked}" + (f"; LOOK AT IT: {found.review}" if found.review else "")
    yield f"  {_where(found)}"


def _where(found: PayoutRecord) -> str:
    if found.state in OPEN:
        return "the diamonds are set aside, no money is booked yet"
    if found.state is PayoutState.PAID:
        return "the creator has the money, the diamonds are gone"
    return "the creator has the diamonds again"
