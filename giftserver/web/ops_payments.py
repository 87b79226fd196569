"""Payments for operators: which need a look, one with all that is known, and giving money back."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.claims import ask_refund
from giftserver.durable.history import at_ms
from giftserver.durable.holds import holds_of
from giftserver.durable.payment_story import ClaimStory, claims_of, disputes_of
from giftserver.durable.payments import ID, PAGE_MAX, PaymentRecord, find_payments, payment_by_id, steps_of
from giftserver.errors import KEY_REUSED, PAYMENT_NOT_FOUND, REFUND_TOO_LARGE, Refusal
from giftserver.gifts.messages import PRINTED, Identifier, Key
from giftserver.recharge.money import AMOUNT_MAX_MINOR
from giftserver.recharge.states import State
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.prices import OPERATORS

NOT_FOUND_WORDS: Final = "There is no payment of this id."


class OpsStep(msgspec.Struct, frozen=True):
    """Something that happened; `source` is who told."""

    state: str
    source: str
    detail: str
    at_ms: int


class OpsGift(msgspec.Struct, frozen=True):
    """A gift that a lost claim reached."""

    transfer: str
    creator: str
    coins: int
    diamonds: int


class OpsClaim(msgspec.Struct, frozen=True):
    """A dispute or refund, and who bears what of it."""

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
    gifts: list[OpsGift]


class OpsPayment(msgspec.Struct, frozen=True):
    """A payment as operators see it; steps, claims and holds are empty in lists.

    `dispute`: the state of its newest dispute, null without one. `holds`: why its buyer's wallet is on hold now.
    """

    id: str
    user: str
    state: str
    provider: str
    provider_ref: str | None
    coins: int
    bonus_coins: int
    amount_minor: int
    currency: str
    promotion: str | None
    decline: str | None
    review: str | None
    dispute: str | None
    transfer: str | None
    created_at_ms: int
    updated_at_ms: int
    steps: list[OpsStep]
    claims: list[OpsClaim]
    holds: list[str]


class OpsQuery(msgspec.Struct, frozen=True):
    """Which payments: of a person, in a state, or only those somebody has to look at."""

    user: Identifier | None = None
    state: State | None = None
    review: bool = False
    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class OpsPaymentsAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next` is null on the last page."""

    payments: list[OpsPayment]
    next: str | None


class RefundRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much to give back, and why; the same person, asking for the same with the same key, means one refund."""

    key: Key
    amount_minor: Annotated[int, Meta(ge=1, le=AMOUNT_MAX_MINOR)]
    reason: Annotated[str, Meta(max_length=200, pattern=PRINTED)]


class RefundAnswer(msgspec.Struct, frozen=True):
    """The refund goes its way: unspent coins are frozen, then the provider pays. `won` means that it did not."""

    id: str
    state: str
    amount_minor: int


def _answer(
    payment: PaymentRecord, dispute: str | None, steps: list[OpsStep], claims: list[ClaimStory], holds: list[str]
) -> OpsPayment:
    return OpsPayment(
        id=payment.id,
        user=payment.user_id,
        state=payment.state.value,
        provider=payment.provider,
        provider_ref=payment.provider_ref,
        coins=payment.coins,
        bonus_coins=payment.bonus_coins,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        promotion=payment.promotion,
        decline=payment.decline,
        review=payment.review,
        dispute=dispute,
        transfer=None if payment.transfer is None else str(payment.transfer),
        created_at_ms=at_ms(payment.created_at),
        updated_at_ms=at_ms(payment.updated_at),
        steps=steps,
        claims=msgspec.convert(claims, list[OpsClaim], from_attributes=True),
        holds=holds,
    )


async def list_all_payments(call: Call[None, OpsQuery]) -> OpsPaymentsAnswer:
    """Payments of everybody."""
    query = call.query
    found = await find_payments(
        call.services.database, query.user, query.state, review=query.review, before=query.before, limit=query.limit
    )
    more = len(found) == query.limit
    disputes = await disputes_of(call.services.database, [one.id for one in found])
    listed = [_answer(one, disputes.get(one.id), [], [], []) for one in found]
    return OpsPaymentsAnswer(listed, found[-1].id if more else None)


async def get_any_payment(call: Call[None, None]) -> OpsPayment | Refusal:
    """One payment with its steps and claims, and why its buyer's wallet is on hold."""
    database, id = call.services.database, str(call.request.path_params["payment"])
    payment = await payment_by_id(database, id) if ID.fullmatch(id) else None
    if payment is None:
        return Refusal(PAYMENT_NOT_FOUND, NOT_FOUND_WORDS)
    steps = [OpsStep(step.state, step.source, step.detail, at_ms(step.at)) for step in await steps_of(database, id)]
    dispute = (await disputes_of(database, [id])).get(id)
    return _answer(payment, dispute, steps, await claims_of(database, id), await holds_of(database, payment.user_id))


async def refund_payment(call: Call[RefundRequest, None]) -> RefundAnswer | Refusal:
    """Give money back: the unspent coins it bought are frozen, then the provider pays. Spent coins are not refunded."""
    database, id, body = call.services.database, str(call.request.path_params["payment"]), call.body
    if not ID.fullmatch(id) or await payment_by_id(database, id) is None:
        return Refusal(PAYMENT_NOT_FOUND, NOT_FOUND_WORDS)
    refund = f"{id}-refund-{body.key}"
    reason = f"{call.user}: {body.reason}"
    asked = await ask_refund(database, id, refund, body.amount_minor, reason, call.actor)
    if asked is None:
        return Refusal(REFUND_TOO_LARGE, "The payment has not so much left that was neither refunded nor disputed.")
    state, *known = asked
    if known != [body.amount_minor, reason]:
        words = (
            "This key was used for another refund: another amount or reason, or by another operator. Make a new key."
        )
        return Refusal(KEY_REUSED, words)
    return RefundAnswer(refund, state, body.amount_minor)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/ops/payments", "Payments of everybody", list_all_payments, OpsPaymentsAnswer, query=OpsQuery,
        roles=OPERATORS,
    ),
    Endpoint(
        "GET", "/v1/ops/payments/{payment}", "One payment, whosoever", get_any_payment, OpsPayment, roles=OPERATORS,
        refusals=(PAYMENT_NOT_FOUND,),
    ),
    Endpoint(
        "POST", "/v1/ops/payments/{payment}/refund", "Give money back", refund_payment, RefundAnswer,
        body=RefundRequest, roles=OPERATORS, refusals=(PAYMENT_NOT_FOUND, REFUND_TOO_LARGE, KEY_REUSED),
    ),
)  # fmt: skip
