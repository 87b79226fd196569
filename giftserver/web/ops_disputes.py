"""Disputes for operators: which are open, and who bears what of those that were lost."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.disputes import PAGE_MAX, DisputeRecord, Standing, find_disputes
from giftserver.durable.history import at_ms
from giftserver.gifts.messages import Identifier
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.prices import OPERATORS


class OpsDispute(msgspec.Struct, frozen=True):
    """A dispute of a payment.

    `owed_coins` its buyer spent and owes, of which `repaid_coins` are paid for by now; `clawed_diamonds` creators gave
    back, `lost_diamonds` they keep: the platform's loss.
    """

    id: str
    payment: str
    user: str
    reason: str
    state: str
    amount_minor: int
    currency: str
    coins: int
    frozen_coins: int
    owed_coins: int
    repaid_coins: int
    clawed_diamonds: int
    lost_diamonds: int
    opened_at_ms: int
    changed_at_ms: int


class DisputesQuery(msgspec.Struct, frozen=True):
    """Which disputes: those that are open, or ended so; `before` is the last id of the page before it."""

    state: Standing | None = None
    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class DisputesAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next` is null on the last page."""

    disputes: list[OpsDispute]
    next: str | None


def _answer(found: DisputeRecord) -> OpsDispute:
    return OpsDispute(
        found.id, found.payment, found.user, found.reason, found.state, found.amount_minor, found.currency,
        found.coins, found.frozen_coins, found.owed_coins, found.repaid_coins, found.clawed_diamonds,
        found.lost_diamonds, at_ms(found.opened_at), at_ms(found.changed_at),
    )  # fmt: skip


async def list_disputes(call: Call[None, DisputesQuery]) -> DisputesAnswer:
    """Disputes of everybody."""
    query = call.query
    found = await find_disputes(call.services.database, query.state, query.before, query.limit)
    more = len(found) == query.limit
    return DisputesAnswer([_answer(one) for one in found], found[-1].id if more else None)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/ops/disputes", "Disputes of everybody", list_disputes, DisputesAnswer, query=DisputesQuery,
        roles=OPERATORS,
    ),
)  # fmt: skip
