"""Deciding about payments in review, for operators."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.payments import ID, payment_by_id
from giftserver.errors import PAYMENT_NOT_FOUND, REVIEW_REFUSED, Refusal
from giftserver.gifts.messages import PRINTED
from giftserver.recharge.reviews import Decision, decide
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.ops_payments import NOT_FOUND_WORDS, OpsPayment, get_any_payment
from giftserver.web.prices import OPERATORS
from rooms.codes import UNAVAILABLE


class ReviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do with a payment in review, and why.

    `credit` books its coins if the provider says that it is paid as ordered; `refund` gives back what was taken and
    never credited; `close` moves nothing: it was settled elsewhere, or was none.
    """

    decision: Decision
    reason: Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTED)]


async def review_payment(call: Call[ReviewRequest, None]) -> OpsPayment | Refusal:
    """Decide about a payment that a person has to look at; the provider is asked first. Again it is the same."""
    database, id, body = call.services.database, str(call.request.path_params["payment"]), call.body
    payment = await payment_by_id(database, id) if ID.fullmatch(id) else None
    if payment is None:
        return Refusal(PAYMENT_NOT_FOUND, NOT_FOUND_WORDS)
    inquiry = call.services.recharges.inquiry
    refusal = await decide(database, inquiry, payment, body.decision, body.reason, call.actor)
    return refusal or await get_any_payment(Call(call.services, call.request, call.identity, None, None))


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "POST", "/v1/ops/payments/{payment}/review", "Decide about a payment in review", review_payment, OpsPayment,
        body=ReviewRequest, roles=OPERATORS, refusals=(PAYMENT_NOT_FOUND, REVIEW_REFUSED, UNAVAILABLE),
    ),
)  # fmt: skip
