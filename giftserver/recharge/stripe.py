"""Stripe's Checkout through its official library: sessions in payment mode, one for each payment.

Needs the extra `payments`. Stripe knows by itself where its webhooks go, so an order's `webhook_url` is not sent.
"""

import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import stripe  # type: ignore[import-not-found, unused-ignore]

from giftserver.recharge.provider import (
    Capabilities,
    CheckoutOrder,
    DisputeNews,
    Movement,
    PayoutNews,
    PayoutOrder,
    ProviderAway,
    ProviderEvent,
    ProviderRefused,
    Rejected,
    Snapshot,
)
from giftserver.recharge.states import State
from giftserver.recharge.stripe_movements import list_movements
from giftserver.recharge.stripe_warnings import list_warnings

TIMEOUT_S: Final = 5.0
STAMP_S: Final = 300
"""A webhook's stamp may differ so much from our clock, in both directions: the library refuses only old ones."""

LIFE_MIN_S: Final = 1_860
LIFE_MAX_S: Final = 86_340
"""Stripe allows 30 minutes to 24 hours, by its own clock: a minute away from both ends."""

FIND_S: Final = 7_200
PAGE: Final = 100
PAGES_MAX: Final = 50
PI: Final = "pi:"
EXPAND: Final = "payment_intent.latest_charge"
# By the digits of Stripe's smallest unit: https://docs.stripe.com/currencies
WHOLE: Final = frozenset({"CLP", "JPY", "KRW", "VND"})
HUNDREDTHS: Final = frozenset({
    "AED", "AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "IDR", "INR", "MXN", "NOK", "NZD", "PLN", "SAR",
    "SEK", "SGD", "THB", "TRY", "USD", "ZAR",
})  # fmt: skip
THOUSANDTHS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
CURRENCIES: Final = WHOLE | HUNDREDTHS | THOUSANDTHS
"""Stripe counts these in the same minor unit as we do (money.py), so that no amount is ever converted."""

KINDS: Final = (
    "checkout.session.", "payment_intent.", "charge.refunded", "refund.", "charge.dispute.",
    "radar.early_fraud_warning.created",
)  # fmt: skip
"""Events that say it is worth asking, by the beginning of their kind; all others are taken and left alone."""

DISPUTES: Final = {
    "warning_needs_response": "warning", "warning_under_review": "warning", "warning_closed": "won",
    "needs_response": "open", "under_review": "open", "prevented": "won", "won": "won", "lost": "lost",
}  # fmt: skip
REFUNDS: Final = {"succeeded": True, "failed": False, "canceled": False}


class _Charge(msgspec.Struct, frozen=True):
    amount_refunded: int
    payment_method_details: dict[str, Any] | None = None

    @property
    def method(self) -> str | None:
        return str((self.payment_method_details or {}).get("type") or "") or None


class _Intent(msgspec.Struct, frozen=True):
    id: str
    status: str
    last_payment_error: dict[str, Any] | None = None
    latest_charge: _Charge | None = None

    @property
    def decline(self) -> str | None:
        error = self.last_payment_error or {}
        return str(error.get("decline_code") or error.get("code") or "") or None


class _Session(msgspec.Struct, frozen=True):
    """Ours have all of it; the account's other sessions, subscriptions say, are in the same lists with less."""

    id: str
    livemode: bool
    status: str | None = None
    payment_status: str | None = None
    currency: str | None = None
    amount_total: int | None = None
    url: str | None = None
    client_reference_id: str | None = None
    payment_intent: _Intent | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[_Session]
    has_more: bool


class _Refund(msgspec.Struct, frozen=True):
    status: str
    amount: int = 0
    metadata: dict[str, str] | None = None


class _Refunds(msgspec.Struct, frozen=True):
    data: list[_Refund]


class _Dispute(msgspec.Struct, frozen=True):
    id: str
    amount: int
    currency: str
    status: str
    reason: str


class _Disputes(msgspec.Struct, frozen=True):
    data: list[_Dispute]


class _Object(msgspec.Struct, frozen=True):
    id: str
    payment_intent: str | None = None
    client_reference_id: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def payment(self) -> str:
        return (self.metadata or {}).get("payment") or self.client_reference_id or ""


class _Event(msgspec.Struct, frozen=True):
    id: str
    type: str
    livemode: bool
    data: dict[str, msgspec.Raw]


class _Http(stripe.HTTPXClient):  # type: ignore[misc, unused-ignore]
    """Hands httpx a form as a form: the library does it in a way that httpx warns about."""

    async def request_async(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        form = dict(parse_qsl(post_data, keep_blank_values=True)) if post_data else None
        return await super().request_async(method, url, headers, form)


class StripeProvider:
    """One Stripe account, by its secret key and its webhook endpoint's secret. `api_base` is for tests."""

    name: Final = "stripe"
    capabilities: Final = Capabilities("Stripe", ("Card", "Wallet", "Bank debit"), CURRENCIES, True, movements=True)

    def __init__(self, secret_key: str, webhook_secret: str, *, api_base: str | None = None) -> None:
        self.live = "_live_" in secret_key[:8]
        self._webhook_secret = webhook_secret
        stripe.enable_telemetry = False  # else the library keeps an id in the home folder and sends it along
        self._http = _Http(timeout=TIMEOUT_S)
        addresses: Any = {} if api_base is None else {"api": api_base}
        more: Any = {"http_client": self._http, "max_network_retries": 0, "base_addresses": addresses}
        self._api = stripe.StripeClient(secret_key, **more).v1
        self._sessions = self._api.checkout.sessions

    async def create(self, order: CheckoutOrder) -> Snapshot:
        """See Provider. The payment's id is the idempotency key.

        A session ends at a time of the clock, so asking later asks for something else, which Stripe refuses to take
        for the same key: then the session that the key stands for is looked up.
        """
        life_s = min(max(order.expires_in_s, LIFE_MIN_S), LIFE_MAX_S)
        about = {"payment": order.payment}
        price: Any = {"currency": order.currency.lower(), "unit_amount": _unit_amount(order)}
        params: Any = {
            "mode": "payment", "client_reference_id": order.payment, "metadata": about,
            "line_items": [{"price_data": {**price, "product_data": {"name": order.description}}, "quantity": 1}],
            "payment_intent_data": {"metadata": about}, "success_url": order.return_url,
            "cancel_url": order.return_url, "expires_at": int(time.time()) + life_s, "expand": [EXPAND],
        }  # fmt: skip
        try:
            made = self._sessions.create_async(params, {"idempotency_key": order.payment})
            return _snapshot(await _ask(made, _Session))
        except _KeyUsed:
            if (found := await self.find(order.payment)) is None:
                raise
            return found

    async def fetch(self, ref: str) -> Snapshot | None:
        """See Provider. `pi:` and the id of a payment intent stands for the session it belongs to."""
        try:
            if ref.startswith(PI):
                sessions = (await self._page({"payment_intent": ref.removeprefix(PI), "limit": 1})).data
            else:
                sessions = [await self._session(ref)]
        except _NotThere:
            return None
        return await self._disputed(sessions[0]) if sessions else None

    async def find(self, payment: str) -> Snapshot | None:
        """See Provider. Looks through the sessions of the last two hours, of which Stripe's list lacks none.

        Creating again with the same key would open a session that was never there, and needs the order besides; the
        search index lags. A session older than that has ended, and nobody paid it, because nobody was given its page:
        None is safe to say. Raises ProviderAway, not None, when there are more sessions than are looked through.
        """
        asked: dict[str, Any] = {"created": {"gte": int(time.time()) - FIND_S}, "limit": PAGE}
        for _ in range(PAGES_MAX):
            page = await self._page(asked)
            for session in page.data:
                if session.client_reference_id == payment:
                    return _snapshot(session)
            if not page.has_more or not page.data:
                return None
            asked["starting_after"] = page.data[-1].id
        raise ProviderAway("too many sessions to look through")

    async def cancel(self, ref: str) -> Snapshot:
        """See Provider. Expires the session; asked about later, Stripe calls it expired."""
        try:
            ended = _snapshot(await _ask(self._sessions.expire_async(ref, {"expand": [EXPAND]}), _Session))
        except ProviderRefused:  # it is paid, or it ended already: what is true now says which
            if (found := await self.fetch(ref)) is None:
                raise
            return found
        return replace(ended, state=State.CANCELLED) if ended.state is State.EXPIRED else ended

    async def refund(self, ref: str, amount_minor: int, key: str) -> bool:
        """See Provider. Stripe forgets idempotency keys after a day, so the key is written on the refund as well.

        Raises ProviderAway while the refund is on its way.
        """
        intent = (await self._session(ref)).payment_intent
        if intent is None:
            raise ProviderRefused("nothing was paid")
        known = await _ask(self._api.refunds.list_async({"payment_intent": intent.id, "limit": PAGE}), _Refunds)
        made = next((one for one in known.data if (one.metadata or {}).get("key") == key), None)
        if made is None:
            params: Any = {"payment_intent": intent.id, "amount": amount_minor, "metadata": {"key": key}}
            made = await _ask(self._api.refunds.create_async(params, {"idempotency_key": key}), _Refund)
        if made.status not in REFUNDS:
            raise ProviderAway(f"the refund is {made.status[:32]}")
        return REFUNDS[made.status]

    async def payout(self, order: PayoutOrder) -> PayoutNews:
        """See Provider. Stripe pays others only through Connect: docs/decisions/0016-payments.md."""
        raise ProviderRefused("Stripe pays nobody out here")

    async def find_payout(self, payout: str, ref: str = "") -> PayoutNews | None:
        """See Provider."""
        raise ProviderRefused("Stripe pays nobody out here")

    async def movements(self, from_s: float, until_s: float) -> list[Movement]:
        """See Provider."""
        return await list_movements(self._api, _ask, from_s, until_s)

    def verify(self, headers: Mapping[str, str], raw: bytes, now_s: float) -> list[ProviderEvent] | Rejected:
        """See Provider. Stripe's scheme, and stamps of the future are refused as old ones are.

        Only a session's own events carry its reference. Refunds, disputes and warnings carry the payment intent: their
        reference is `pi:` and its id, which `fetch` resolves.
        """
        header = headers.get("stripe-signature", "")
        try:
            stripe.WebhookSignature.verify_header(raw, header, self._webhook_secret, None)
            stamp_s = next(int(part[2:]) for part in header.split(",") if part.startswith("t="))
        except (stripe.SignatureVerificationError, ValueError, TypeError, StopIteration):
            return Rejected("the signature is not right")
        if abs(now_s - stamp_s) > STAMP_S:
            return Rejected("the stamp is too old" if stamp_s < now_s else "the stamp is of the future")
        try:
            event = msgspec.json.decode(raw, type=_Event)
            if not event.type.startswith(KINDS):
                return []
            about = msgspec.json.decode(event.data.get("object", b""), type=_Object)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Rejected("the body is not an event")
        ref = _ref(event.type, about)
        return [] if ref is None else [ProviderEvent(event.id, event.type, ref, about.payment, event.livemode)]

    async def close(self) -> None:
        """See Provider."""
        await self._http.close_async()  # type: ignore[no-untyped-call, unused-ignore]

    async def _session(self, ref: str) -> _Session:
        session: _Session = await _ask(self._sessions.retrieve_async(ref, {"expand": [EXPAND]}), _Session)
        return session

    async def _disputed(self, session: _Session) -> Snapshot:
        """The session with its disputes, whose amounts may be in another currency: then all of it is disputed."""
        found, intent = _snapshot(session), session.payment_intent
        if found.state is not State.SUCCEEDED or intent is None:
            return found
        news = []
        listed = await _ask(self._api.disputes.list_async({"payment_intent": intent.id, "limit": PAGE}), _Disputes)
        for one in listed.data:
            if one.status not in DISPUTES:
                raise ProviderAway(f"unknown state of a dispute {one.status[:32]}")
            amount = one.amount if one.currency == session.currency else found.captured_minor
            news.append(DisputeNews(one.id, amount, DISPUTES[one.status], one.reason))
        news += await list_warnings(self._api, _ask, intent.id, found.captured_minor)
        made = await _ask(self._api.refunds.list_async({"payment_intent": intent.id, "limit": PAGE}), _Refunds)
        failed = [one for one in made.data if REFUNDS.get(one.status) is False]
        keys = tuple(key for one in failed if (key := (one.metadata or {}).get("key")))
        given = sum(one.amount for one in made.data if one not in failed)
        refunded = min(found.refunded_minor, given) if failed and len(made.data) < PAGE else found.refunded_minor
        return replace(found, disputes=tuple(news), failed_refunds=keys, refunded_minor=refunded)

    async def _page(self, asked: dict[str, Any]) -> _Page:
        params: Any = {**asked, "expand": [f"data.{EXPAND}"]}
        page: _Page = await _ask(self._sessions.list_async(params), _Page)
        return page


class _NotThere(ProviderRefused):
    """HTTP 404."""


class _KeyUsed(ProviderRefused):
    """The idempotency key stands for other parameters."""


def _unit_amount(order: CheckoutOrder) -> int:
    if order.currency not in CURRENCIES:
        raise ProviderRefused(f"Stripe does not take {order.currency}")
    if order.amount_minor <= 0:
        raise ProviderRefused("the amount is not positive")
    if order.currency in THOUSANDTHS and order.amount_minor % 10:
        raise ProviderRefused(f"Stripe takes {order.currency} with two decimals only")
    return order.amount_minor


async def _ask(call: Awaitable[Any], kind: Any) -> Any:
    """What Stripe answers. Errors are told without Stripe's sentences, which may quote what was sent."""
    try:
        return msgspec.convert((await call).to_dict(), type=kind)
    except stripe.StripeError as problem:
        raise _said(problem) from None
    except (msgspec.ValidationError, AttributeError, KeyError, TypeError, ValueError):
        raise ProviderAway("the answer cannot be read") from None


def _said(problem: stripe.StripeError) -> ProviderAway | ProviderRefused:
    status = problem.http_status
    if status is None or isinstance(problem, stripe.APIConnectionError):
        return ProviderAway(type(problem.__cause__ or problem).__name__)
    said = f"HTTP {status} {problem.code or type(problem).__name__}"
    if isinstance(problem, stripe.IdempotencyError):
        return _KeyUsed(said)
    if isinstance(problem, stripe.RateLimitError) or status < 400 or status in (408, 409) or status >= 500:
        return ProviderAway(said)
    return _NotThere(said) if status == 404 else ProviderRefused(said)


def _ref(kind: str, about: _Object) -> str | None:
    """The reference of the checkout that an event is about; None when it cannot be one of ours."""
    if kind.startswith("checkout.session."):
        return about.id if about.payment else None
    if kind.startswith("payment_intent."):
        return PI + about.id if about.payment else None
    return None if about.payment_intent is None else PI + about.payment_intent


def _state(session: _Session) -> State:
    intent = None if session.payment_intent is None else session.payment_intent.status
    if session.payment_status == "paid":
        return State.SUCCEEDED
    if session.status == "open":
        return State.REQUIRES_ACTION if intent == "requires_action" else State.PENDING
    if session.status == "expired":
        return State.EXPIRED
    if session.status != "complete" or session.payment_status != "unpaid":
        raise ProviderAway(f"unknown state {session.status} {session.payment_status}"[:64])
    ends = {"requires_payment_method": State.FAILED, "canceled": State.CANCELLED}
    return ends.get(intent or "", State.AUTHORISED)  # a bank debit, say, which takes days


def _snapshot(session: _Session) -> Snapshot:
    intent, state, currency, amount = session.payment_intent, _state(session), session.currency, session.amount_total
    if currency is None or amount is None:
        raise ProviderAway("the answer cannot be read")
    charge = None if intent is None else intent.latest_charge
    return Snapshot(
        ref=session.id, payment=session.client_reference_id or "", state=state, currency=currency.upper(),
        captured_minor=amount if state is State.SUCCEEDED else 0,
        refunded_minor=0 if charge is None else charge.amount_refunded, live=session.livemode, url=session.url,
        method=None if charge is None else charge.method, decline=None if intent is None else intent.decline,
    )  # fmt: skip
