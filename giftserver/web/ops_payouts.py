"""Payouts for operators: whose, where they stand, which need a look; and stopping one that was not sent."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.history import at_ms
from giftserver.durable.own_affairs import check_other
from giftserver.durable.payout_accounts import masked
from giftserver.durable.payout_moves import Decision
from giftserver.durable.payouts import PAGE_MAX, PayoutRecord, PayoutStep, find_payouts, steps_of
from giftserver.errors import PAYOUT_NOT_FOUND, PAYOUT_UNDER_WAY, REVIEW_REFUSED, Refusal
from giftserver.gifts.messages import PRINTED, Identifier
from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.payout_states import STOPPABLE, PayoutState
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.ops_payout_stops import OpsPayoutStop, payout_stop
from giftserver.web.prices import OPERATORS


class OpsPayoutStep(msgspec.Struct, frozen=True):
    """Something that happened; `source` is who told: creator, operator, keeper, provider."""

    state: str
    source: str
    detail: str
    at_ms: int


class OpsPayout(msgspec.Struct, frozen=True):
    """A payout as operators see it; steps are empty in lists.

    `review`: why a person has to look at it, null when nobody has to. `voidable`: it was not sent yet.
    """

    id: str
    user: str
    state: str
    diamonds: int
    amount_minor: int
    currency: str
    exponent: int
    rate_version: int
    provider: str
    provider_ref: str | None
    address_masked: str
    reason: str | None
    review: str | None
    voidable: bool
    created_at_ms: int
    updated_at_ms: int
    steps: list[OpsPayoutStep]


class OpsPayoutsQuery(msgspec.Struct, frozen=True):
    """Which payouts: of a person, in a state, or only those somebody has to look at; `before` is the last id of the
    page before it.
    """

    user: Identifier | None = None
    state: PayoutState | None = None
    review: bool = False
    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class OpsPayoutsAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next` is null on the last page. `stop`: why nobody is paid out now, null when payouts go on."""

    payouts: list[OpsPayout]
    next: str | None
    stop: OpsPayoutStop | None


class VoidRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is stopped: for the audit log, and for the creator, who reads it."""

    reason: Annotated[str, Meta(max_length=200, pattern=PRINTED)]


class DecideRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is true of a payout in review, and how that is known: for the audit log.

    `paid` and `failed` are booked so, of one that is sending; `dismiss` ends the review of any other.
    """

    decision: Decision
    reason: Annotated[str, Meta(max_length=200, pattern=PRINTED)]


def _payout(found: PayoutRecord, steps: list[PayoutStep]) -> OpsPayout:
    return OpsPayout(
        id=found.id,
        user=found.user_id,
        state=found.state.value,
        diamonds=found.diamonds,
        amount_minor=found.amount_minor,
        currency=found.currency,
        exponent=EXPONENTS[found.currency],
        rate_version=found.rate_version,
        provider=found.provider,
        provider_ref=found.provider_ref,
        address_masked=masked(found.address),
        reason=found.reason,
        review=found.review,
        voidable=found.state in STOPPABLE,
        created_at_ms=at_ms(found.created_at),
        updated_at_ms=at_ms(found.updated_at),
        steps=[OpsPayoutStep(step.state, step.source, step.detail, at_ms(step.at)) for step in steps],
    )


async def list_all_payouts(call: Call[None, OpsPayoutsQuery]) -> OpsPayoutsAnswer:
    """Payouts of everybody."""
    query = call.query
    found = await find_payouts(
        call.services.database, query.user, query.state, review=query.review, before=query.before, limit=query.limit
    )
    more = len(found) == query.limit
    next_one = found[-1].id if more else None
    return OpsPayoutsAnswer([_payout(one, []) for one in found], next_one, await payout_stop(call))


async def get_any_payout(call: Call[None, None]) -> OpsPayout | Refusal:
    """One payout with its steps. Nobody looks at their own here."""
    services = call.services
    found = await services.payouts.anybodys(_id(call))
    if isinstance(found, Refusal):
        return found
    check_other(call.actor, found.user_id)
    return _payout(found, await steps_of(services.database, found.id))


async def void_payout(call: Call[VoidRequest, None]) -> OpsPayout | Refusal:
    """Stop a payout that was not sent yet; its diamonds are back then. Nobody decides about their own."""
    services = call.services
    done = await services.payouts.void(_id(call), call.actor, call.body.reason)
    return done if isinstance(done, Refusal) else _payout(done, await steps_of(services.database, done.id))


async def decide_payout(call: Call[DecideRequest, None]) -> OpsPayout | Refusal:
    """End the review of a payout, as the provider's own pages say. Nobody decides about their own."""
    services, body = call.services, call.body
    done = await services.payouts.decide(_id(call), body.decision, call.actor, body.reason)
    return done if isinstance(done, Refusal) else _payout(done, await steps_of(services.database, done.id))


def _id(call: Call[Any, Any]) -> str:
    return str(call.request.path_params["payout"])


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/ops/payouts", "Payouts of everybody", list_all_payouts, OpsPayoutsAnswer, query=OpsPayoutsQuery,
        roles=OPERATORS,
    ),
    Endpoint(
        "GET", "/v1/ops/payouts/{payout}", "One payout of anybody and its steps", get_any_payout, OpsPayout,
        roles=OPERATORS, refusals=(PAYOUT_NOT_FOUND,),
    ),
    Endpoint(
        "POST", "/v1/ops/payouts/{payout}/void", "Stop a payout", void_payout, OpsPayout, body=VoidRequest,
        roles=OPERATORS, refusals=(PAYOUT_NOT_FOUND, PAYOUT_UNDER_WAY),
    ),
    Endpoint(
        "POST", "/v1/ops/payouts/{payout}/decide", "Decide about a payout in review", decide_payout, OpsPayout,
        body=DecideRequest, roles=OPERATORS, refusals=(PAYOUT_NOT_FOUND, REVIEW_REFUSED),
    ),
)  # fmt: skip
