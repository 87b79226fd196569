"""The caller's payments: order, follow, ask again, cancel; and the providers' webhooks."""

import time
from math import ceil
from typing import Annotated, Any, Final

import msgspec
import structlog
from msgspec import Meta
from starlette.responses import Response

from giftserver.durable.history import at_ms
from giftserver.durable.payment_story import disputes_of
from giftserver.durable.payments import PAGE_MAX, PaymentRecord, Step, may_ask, payments_of, steps_of
from giftserver.durable.provider_events import keep_events
from giftserver.errors import (
    AGE_RESTRICTED,
    KEY_REUSED,
    LIMIT_REACHED,
    NOT_SOLD_HERE,
    PAYMENT_NOT_FOUND,
    PRICE_CHANGED,
    PROMOTION_REFUSED,
    RECHARGES_OFF,
    TOO_LARGE,
    WALLET_FROZEN,
    WEBHOOK_REFUSED,
    Refusal,
)
from giftserver.gifts.messages import CURRENCY, Identifier, Key
from giftserver.recharge.money import AMOUNT_MAX_MINOR, EXPONENTS
from giftserver.recharge.provider import ProviderEvent, Rejected
from giftserver.recharge.service import CHECK_AFTER_MS, Wish
from giftserver.recharge.states import OPEN, State
from giftserver.services import Services
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.store import Code, Coins, PackId, country_of
from giftserver.web.wallet import PEOPLE
from rooms.codes import BAD_REQUEST, RATE_LIMITED, UNAVAILABLE

log = structlog.get_logger()

WEBHOOK_BYTES_MAX: Final = 262_144
EVENT_CHARACTERS_MAX: Final = 255
"""Of each text that is kept of a provider's event; theirs are shorter."""

CANCEL_EVERY_S: Final = 0.5
"""A buyer has the provider close a checkout so often at most."""


class PaymentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order: a `pack` or a number of `coins`, and the price and bonus that were shown for it.

    Asked again with the same `key` it is the same order.
    """

    key: Key
    provider: Identifier
    amount_minor: Annotated[int, Meta(ge=1, le=AMOUNT_MAX_MINOR)]
    currency: Annotated[str, Meta(pattern=CURRENCY)]
    bonus_coins: Annotated[int, Meta(ge=0)] = 0
    pack: PackId | None = None
    coins: Coins | None = None
    code: Code | None = None


class StepAnswer(msgspec.Struct, frozen=True):
    """Something that happened to the payment."""

    state: str
    at_ms: int
    detail: str


class PaymentAnswer(msgspec.Struct, frozen=True):
    """A payment. `checkout_url` while it can be paid; `decline`: why the last attempt failed, in the provider's word.

    `in_review`: a person looks at it, and nobody can pay it. `dispute`: how its newest dispute stands, `open`, `won` or
    `lost`. `transfer`: where the coins are in the statement.
    """

    id: str
    state: str
    provider: str
    method: str | None
    coins: int
    bonus_coins: int
    pack: str | None
    amount_minor: int
    currency: str
    exponent: int
    decline: str | None
    in_review: bool
    dispute: str | None
    transfer: str | None
    checkout_url: str | None
    created_at_ms: int
    expires_at_ms: int
    steps: list[StepAnswer]


class PaymentsQuery(msgspec.Struct, frozen=True):
    """A page of payments: `before` is the last id of the page before it."""

    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


class PaymentsAnswer(msgspec.Struct, frozen=True):
    """Newest first, without steps; `next` is null on the last page."""

    payments: list[PaymentAnswer]
    next: str | None


class WebhookAnswer(msgspec.Struct, frozen=True):
    """The events are kept; what they mean is found out a moment later."""

    kept: int


DISPUTES: Final = {"holding": "open", "frozen": "open", "won": "won", "lost": "lost"}
"""State of a dispute's claim → what its buyer is told of it; one that only warns is told to nobody."""


def answer_of(payment: PaymentRecord, steps: list[Step], dispute: str | None) -> PaymentAnswer:
    """A payment as its buyer sees it: what a step says is shown, who said it is not."""
    payable = payment.state in OPEN and payment.state is not State.SUCCEEDED and payment.review is None
    return PaymentAnswer(
        id=payment.id,
        state=payment.state.value,
        provider=payment.provider,
        method=payment.method,
        coins=payment.coins,
        bonus_coins=payment.bonus_coins,
        pack=payment.pack,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        exponent=EXPONENTS[payment.currency],
        decline=payment.decline,
        in_review=payment.review is not None,
        dispute=DISPUTES.get(dispute or ""),
        transfer=None if payment.transfer is None else str(payment.transfer),
        checkout_url=payment.checkout_url if payable else None,
        created_at_ms=at_ms(payment.created_at),
        expires_at_ms=at_ms(payment.expires_at),
        steps=[StepAnswer(step.state, at_ms(step.at), step.detail) for step in steps],
    )


async def _answer(call: Call[Any, Any], payment: PaymentRecord | Refusal) -> PaymentAnswer | Refusal:
    if isinstance(payment, Refusal):
        return payment
    database = call.services.database
    dispute = (await disputes_of(database, [payment.id])).get(payment.id)
    return answer_of(payment, await steps_of(database, payment.id), dispute)


async def create_payment(call: Call[PaymentRequest, None]) -> PaymentAnswer | Refusal:
    """Order coins; the answer's `checkout_url` is where to pay. Nothing is charged here."""
    body = call.body
    if (body.pack is None) == (body.coins is None):
        return Refusal(BAD_REQUEST, "Order a `pack` or a number of `coins`.")
    assert call.identity is not None
    if refusal := await call.services.limits.too_young(call.identity):
        return refusal
    wish = Wish(
        body.key, body.provider, body.pack, body.coins, body.code, body.amount_minor, body.bonus_coins, body.currency
    )
    client = call.request.client
    if wait_ms := call.services.order_allowance.take(client.host if client else ""):
        words = "Many orders were tried from this network within an hour. Wait a few minutes, then try again."
        return Refusal(RATE_LIMITED, words, {"retry_after_ms": wait_ms})
    return await _answer(call, await call.services.recharges.buy(call.user, country_of(call), wish))


async def get_payment(call: Call[None, None]) -> PaymentAnswer | Refusal:
    """One of the caller's payments, with its steps."""
    return await _answer(call, await _own(call))


async def check_payment(call: Call[None, None]) -> PaymentAnswer | Refusal:
    """Ask the provider now, whatever webhooks said or did not say; once in three seconds at most."""
    own = await _own(call)
    if isinstance(own, PaymentRecord):
        own = await _in_turn(call, own, CHECK_AFTER_MS / 1_000) or await call.services.recharges.check(own)
    return await _answer(call, own)


async def cancel_payment(call: Call[None, None]) -> PaymentAnswer | Refusal:
    """Close a checkout that was not paid; one that was paid stays so and is credited. Twice in a second at most."""
    own = await _own(call)
    if isinstance(own, PaymentRecord) and own.state in OPEN:
        own = await _in_turn(call, own, CANCEL_EVERY_S) or await call.services.recharges.cancel(own)
    return await _answer(call, own)


async def _own(call: Call[None, None]) -> PaymentRecord | Refusal:
    return await call.services.recharges.own(call.user, str(call.request.path_params["payment"]))


async def _in_turn(call: Call[None, None], own: PaymentRecord, every_s: float) -> Refusal | None:
    """Refused when the provider was asked about this payment just now: it answers only so many questions."""
    wait_s = await may_ask(call.services.database, own.id, every_s)
    words = "The provider was asked about this order just now. Wait a moment, then ask again."
    return Refusal(RATE_LIMITED, words, {"retry_after_ms": ceil(wait_s * 1_000)}) if wait_s else None


async def list_payments(call: Call[None, PaymentsQuery]) -> PaymentsAnswer:
    """The caller's payments."""
    found = await payments_of(call.services.database, call.user, call.query.before, call.query.limit)
    more = len(found) == call.query.limit
    disputes = await disputes_of(call.services.database, [one.id for one in found])
    listed = [answer_of(one, [], disputes.get(one.id)) for one in found]
    return PaymentsAnswer(listed, found[-1].id if more else None)


async def take_webhook(call: Call[None, None]) -> WebhookAnswer | Refusal | Response:
    """Keep what a provider tells, if it is the provider who tells it. What it means is asked from the provider."""
    services, name = call.services, str(call.request.path_params["provider"])
    provider = services.recharges.providers.get(name)
    if provider is None:
        return _not_taken(services, "unknown", Refusal(RECHARGES_OFF, "There is no such provider here."))
    raw = bytearray()
    async for chunk in call.request.stream():
        raw += chunk
        if len(raw) > WEBHOOK_BYTES_MAX:
            too_large = Refusal(TOO_LARGE, f"The body is longer than {WEBHOOK_BYTES_MAX} bytes.")
            return _not_taken(services, name, too_large)
    events = provider.verify(call.request.headers, bytes(raw), time.time())
    if not isinstance(events, Rejected) and any(event.live != provider.live for event in events):
        events = Rejected("an event of the test mode" if provider.live else "an event of the live mode")
    if not isinstance(events, Rejected) and not all(_is_plain(event) for event in events):
        events = Rejected(f"an id that is no printable text of {EVENT_CHARACTERS_MAX} characters at most")
    if isinstance(events, Rejected):
        refusal = Refusal(WEBHOOK_REFUSED, f"Not believed: {events.reason}.")
        return _not_taken(services, name, refusal, events.reason)
    return WebhookAnswer(await keep_events(services.database, name, events))


def _is_plain(event: ProviderEvent) -> bool:
    """Whether what is kept of an event is text that a database and its index take: no NUL, no half of a character."""
    texts = (event.id, event.kind, event.ref, event.payment)
    return all(len(text) <= EVENT_CHARACTERS_MAX and text.isprintable() for text in texts)


def _not_taken(services: Services, provider: str, refusal: Refusal, reason: str = "") -> Refusal:
    """Log and count a webhook that is refused; `unknown` stands for every provider that is not here."""
    services.metrics.webhooks_refused.labels(provider).inc()
    log.warning("webhook_refused", provider=provider, reason=reason or refusal.message)
    return refusal


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "POST", "/v1/payments", "Order coins", create_payment, PaymentAnswer, body=PaymentRequest, roles=PEOPLE,
        refusals=(
            AGE_RESTRICTED, LIMIT_REACHED, KEY_REUSED, WALLET_FROZEN, PRICE_CHANGED, PROMOTION_REFUSED, NOT_SOLD_HERE,
            RECHARGES_OFF, RATE_LIMITED, UNAVAILABLE,
        ),
    ),
    Endpoint(
        "GET", "/v1/payments", "Your payments", list_payments, PaymentsAnswer, query=PaymentsQuery, roles=PEOPLE
    ),
    Endpoint(
        "GET", "/v1/payments/{payment}", "One payment and its steps", get_payment, PaymentAnswer, roles=PEOPLE,
        refusals=(PAYMENT_NOT_FOUND,),
    ),
    Endpoint(
        "POST", "/v1/payments/{payment}/check", "Ask the provider now", check_payment, PaymentAnswer, roles=PEOPLE,
        refusals=(PAYMENT_NOT_FOUND, RATE_LIMITED, UNAVAILABLE),
    ),
    Endpoint(
        "POST", "/v1/payments/{payment}/cancel", "Close an unpaid checkout", cancel_payment, PaymentAnswer,
        roles=PEOPLE, refusals=(PAYMENT_NOT_FOUND, RATE_LIMITED, UNAVAILABLE),
    ),
    Endpoint(
        "POST", "/v1/webhooks/{provider}", "What a payment provider tells", take_webhook, WebhookAnswer,
        refusals=(RECHARGES_OFF, WEBHOOK_REFUSED, TOO_LARGE),
    ),
)  # fmt: skip
