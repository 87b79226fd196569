"""PayPal through its REST API, Orders v2: the buyer approves an order at PayPal, and `fetch` captures it."""

import asyncio
import base64
import contextlib
import time
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.paypal_certificates import Certificates
from giftserver.recharge.paypal_disputes import dispute_news
from giftserver.recharge.paypal_payouts import PAYOUTS, about_payout, find_payout, pay_out
from giftserver.recharge.paypal_reading import (
    CURRENCIES,
    PayPalNo,
    decimal,
    list_at,
    read_answer,
    sum_minor,
    text_at,
    value_at,
)
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

log = structlog.get_logger()

TIMEOUT_S: Final = 5.0
EARLY_S: Final = 300
AGE_S: Final = 4 * 86_400
"""PayPal sends an event for three days until it is taken, and does not say that a copy has a new time: so an old time
is no reason to refuse what is signed. An event's id is kept once, and an event is only a reason to ask."""

TOKEN_EARLY_S: Final = 60
REFS_MAX: Final = 10_000
ORDERS: Final = ("v2", "checkout", "orders")
DISPUTES: Final = ("v1", "customer", "disputes")
CAPTURE: Final = "capture:"
ORDER_ID: Final = ("supplementary_data", "related_ids", "order_id")
PAGE: Final = {"user_action": "PAY_NOW", "shipping_preference": "NO_SHIPPING"}
NEVER_CAPTURE: Final = [{"op": "replace", "path": "/intent", "value": "AUTHORIZE"}]
PAGES: Final = ("payer-action", "approve")
REFUNDS: Final = {"COMPLETED": True, "FAILED": False, "CANCELLED": False}
TAKEN: Final = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
STATES: Final = {
    "CREATED": State.PENDING, "SAVED": State.PENDING, "PAYER_ACTION_REQUIRED": State.PENDING,
    "APPROVED": State.AUTHORISED, "VOIDED": State.CANCELLED,
}  # fmt: skip
CAPTURE_STATES: Final = {"PENDING": State.AUTHORISED, "DECLINED": State.FAILED, "FAILED": State.FAILED}


class PayPalProvider:
    """One PayPal app, by its id and secret, and its webhook's id. `certificates_at` is for tests."""

    name: Final = "paypal"
    capabilities: Final = Capabilities("PayPal", ("PayPal",), CURRENCIES, refunds=True, payouts=PAYOUTS)

    def __init__(
        self, client_id: str, client_secret: str, webhook_id: str, *, api_base: str, live: bool,
        certificates_at: str | None = None,
    ) -> None:  # fmt: skip
        self.live = live
        self._login, self._webhook_id = (client_id, client_secret), webhook_id
        self._http = httpx.AsyncClient(base_url=api_base, timeout=TIMEOUT_S)
        self._certificates = Certificates(self._http, live, certificates_at)
        self._refs: dict[str, str] = {}
        self._token, self._token_until_s, self._renewing = "", 0.0, asyncio.Lock()

    async def create(self, order: CheckoutOrder) -> Snapshot:
        """See Provider. The payment's id is PayPal-Request-Id, which PayPal remembers for six hours."""
        amount = {"currency_code": order.currency, "value": decimal(order.amount_minor, order.currency)}
        unit = {"custom_id": order.payment, "invoice_id": order.payment, "description": order.description[:127]}
        back = {"return_url": order.return_url, "cancel_url": order.return_url}
        body = {
            "intent": "CAPTURE", "purchase_units": [{"amount": amount, **unit}],
            "payment_source": {"paypal": {"experience_context": {**PAGE, **back}}},
        }  # fmt: skip
        made = self._snapshot(await self._ask("POST", *ORDERS, json=body, key=order.payment))
        self._refs[order.payment] = made.ref
        while len(self._refs) > REFS_MAX:
            del self._refs[next(iter(self._refs))]
        return made

    async def fetch(self, ref: str) -> Snapshot | None:
        """See Provider. Captures what the buyer approved, if it is ours; a refusal of that is told as `decline`.

        `capture:` and an id stands for the order that was captured so.
        """
        try:
            if ref.startswith(CAPTURE):
                capture = await self._ask("GET", "v2", "payments", "captures", ref.removeprefix(CAPTURE))
                if not (ref := text_at(capture, *ORDER_ID)):
                    return None
            order = await self._ask("GET", *ORDERS, ref)
            ours = _payment(order) and text_at(order, "intent") == "CAPTURE"
            if not ours or text_at(order, "status") != "APPROVED":
                return await self._with_disputes(order) if ours else self._snapshot(order)
            refusal = ""
            try:
                await self._ask("POST", *ORDERS, ref, "capture", json={}, key=f"{_payment(order)}-capture")
            except PayPalNo as problem:
                if problem.status != 422:
                    raise
                refusal = problem.issue or "refused"
            found = await self._with_disputes(await self._ask("GET", *ORDERS, ref))
        except PayPalNo as problem:
            if problem.status == 404:
                return None
            raise
        if refusal and found.state is State.AUTHORISED:  # the buyer may choose another source of money there
            return replace(found, state=State.PENDING, decline=refusal)
        return found

    async def find(self, payment: str) -> Snapshot | None:
        """See Provider. PayPal lists no orders, so only those are found whose creation was answered to this process.

        None is safe to say of others: nobody was given their page, so nobody can approve them, and what is not
        approved is never captured. But PayPal is asked for our own id, to say it only while PayPal answers.
        """
        try:
            return await self.fetch(self._refs.get(payment, payment))
        except PayPalNo as problem:
            if payment not in self._refs and problem.status in (400, 422):  # an id that cannot be one of PayPal's
                return None
            raise

    async def cancel(self, ref: str) -> Snapshot:
        """See Provider. What the buyer approved counts as paid, and is captured.

        PayPal cannot cancel an order, and the buyer may approve it for hours yet. So its intent is changed to
        AUTHORIZE, which no order of ours has otherwise: PayPal then refuses to capture it, whichever process asks,
        and that is what CANCELLED means here. Where PayPal refuses the change, the order is told as it is: payable.
        """
        if (found := await self.fetch(ref)) is None:
            raise ProviderRefused(f"there is no order {ref}")
        if found.state is not State.PENDING or not found.payment:
            return found
        try:
            await self._ask("PATCH", *ORDERS, found.ref, json=NEVER_CAPTURE)
        except PayPalNo as problem:
            log.warning("paypal_order_not_cancelled", payment=found.payment, reason=str(problem))
        return await self.fetch(ref) or found

    async def refund(self, ref: str, amount_minor: int, key: str) -> bool:
        """See Provider. The key is PayPal-Request-Id, which PayPal remembers for 45 days for refunds.

        Raises ProviderAway while the refund is on its way.
        """
        order = await self._ask("GET", *ORDERS, ref)
        unit, currency = value_at(order, "purchase_units", 0), self._snapshot(order).currency
        taken = [text_at(one, "id") for one in list_at(unit, "payments", "captures") if text_at(one, "status") in TAKEN]
        if not taken:
            raise ProviderRefused("nothing was paid")
        body = {"amount": {"currency_code": currency, "value": decimal(amount_minor, currency)}}
        made = await self._ask("POST", "v2", "payments", "captures", taken[0], "refund", json=body, key=key)
        if text_at(made, "status") not in REFUNDS:  # what it was at first may be what is repeated for the key
            made = await self._ask("GET", "v2", "payments", "refunds", text_at(made, "id"))
        if text_at(made, "status") not in REFUNDS:
            raise ProviderAway(f"the refund is {text_at(made, 'status')[:32]}")
        return REFUNDS[text_at(made, "status")]

    async def payout(self, order: PayoutOrder) -> PayoutNews:
        """See Provider. The payout's id is the batch's, which PayPal takes once in 30 days."""
        return await pay_out(self._ask, order, self.live)

    async def find_payout(self, payout: str, ref: str = "") -> PayoutNews | None:
        """See Provider. PayPal looks for its own reference only: without one None is all that can be said."""
        return await find_payout(self._ask, payout, ref, self.live)

    async def movements(self, from_s: float, until_s: float) -> list[Movement]:
        """See Provider. PayPal's transaction search lags hours behind and is an extra right of an app: not asked."""
        raise ProviderRefused("compare PayPal's own report with clearing:paypal")

    def verify(self, headers: Mapping[str, str], raw: bytes, now_s: float) -> list[ProviderEvent] | Rejected:
        """See Provider. The scheme is PayPal's: https://developer.paypal.com/api/rest/webhooks/rest/

        A certificate that is not in memory is fetched meanwhile, and the event rejected: PayPal sends it again. An
        event does not say whether its money is real: the certificate's host does.
        """
        names = ("transmission-id", "transmission-time", "auth-algo", "cert-url", "transmission-sig")
        id, at, algorithm, url, signature = (headers.get(f"paypal-{name}", "") for name in names)
        stamp, signed = datetime.min, b""
        with contextlib.suppress(ValueError):
            stamp, signed = datetime.fromisoformat(at), base64.b64decode(signature, validate=True)
        if stamp.tzinfo is None or algorithm != "SHA256withRSA":
            return Rejected("the headers are not PayPal's")
        early_s = stamp.timestamp() - now_s
        if not -AGE_S <= early_s <= EARLY_S:
            return Rejected("the transmission is of the future" if early_s > 0 else "the transmission is too old")
        key = self._certificates.key(url, now_s)
        if isinstance(key, Rejected):
            return key
        try:
            key.verify(signed, f"{id}|{at}|{self._webhook_id}|{zlib.crc32(raw)}".encode(), padding.PKCS1v15(), SHA256())
            event = msgspec.json.decode(raw)
        except InvalidSignature:
            return Rejected("the signature is not right")
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return Rejected("the body is not an event")
        if not (
            text_at(event, "id") and text_at(event, "event_type") and isinstance(value_at(event, "resource"), dict)
        ):
            return Rejected("the body is not an event")
        about = _about(text_at(event, "event_type"), event["resource"])
        return [] if about is None else [ProviderEvent(event["id"], event["event_type"], *about, self.live)]

    async def close(self) -> None:
        """See Provider."""
        await self._certificates.close()
        await self._http.aclose()

    async def _ask(
        self, method: str, *parts: str, json: Any = None, key: str | None = None, params: dict[str, str] | None = None
    ) -> Any:
        headers = {"prefer": "return=representation"} | ({} if key is None else {"paypal-request-id": key})
        path = "/" + "/".join(quote(part, safe="") for part in parts)
        for _ in range(2):
            headers["authorization"] = f"Bearer {await self._bearer()}"
            answer = await self._send(method, path, headers=headers, json=json, params=params)
            if answer.status_code != 401:
                break
            self._token = ""  # it was taken back before its time
        return read_answer(answer)

    async def _bearer(self) -> str:
        async with self._renewing:
            if not self._token or time.monotonic() >= self._token_until_s:
                form = {"grant_type": "client_credentials"}
                got = read_answer(await self._send("POST", "/v1/oauth2/token", data=form, auth=self._login))
                life_s, self._token = value_at(got, "expires_in"), text_at(got, "access_token")
                if not self._token or not isinstance(life_s, int):
                    raise ProviderAway("the answer cannot be read")
                self._token_until_s = time.monotonic() + life_s - TOKEN_EARLY_S
            return self._token

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **more)
        except httpx.HTTPError as problem:
            raise ProviderAway(type(problem).__name__) from None

    async def _with_disputes(self, order: Any) -> Snapshot:
        """The order with the disputes of its capture. PayPal marks a capture that was lost in one as given back, too.

        An app without the right to read disputes gets its orders all the same: their events are for a person then.
        """
        found = self._snapshot(order)
        if found.state is not State.SUCCEEDED:
            return found
        captures = list_at(order, "purchase_units", 0, "payments", "captures")
        news: list[DisputeNews] = []
        try:
            for capture in captures:
                asked = {"disputed_transaction_id": text_at(capture, "id"), "page_size": "50"}
                listed = await self._ask("GET", *DISPUTES, params=asked)
                for item in list_at(listed, "items"):
                    whole = await self._ask("GET", *DISPUTES, text_at(item, "dispute_id"))
                    news.append(dispute_news(whole, found.currency, found.captured_minor))
        except PayPalNo as problem:
            log.warning("paypal_disputes_not_read", payment=found.payment, reason=str(problem))
            return found
        given = sum_minor(
            [one for one in list_at(order, "purchase_units", 0, "payments", "refunds")
             if text_at(one, "status") == "COMPLETED"], found.currency,
        )  # fmt: skip
        lost = sum(one.amount_minor for one in news if one.state == "lost")
        refunded = max(given, found.refunded_minor - lost)
        return replace(found, disputes=tuple(news), refunded_minor=refunded)

    def _snapshot(self, order: Any) -> Snapshot:
        unit = value_at(order, "purchase_units", 0)
        currency, captures = text_at(unit, "amount", "currency_code"), list_at(unit, "payments", "captures")
        taken = [one for one in captures if text_at(one, "status") in TAKEN]
        given = [one for one in list_at(unit, "payments", "refunds") if text_at(one, "status") == "COMPLETED"]
        whole = [one for one in taken if text_at(one, "status") == "REFUNDED"]
        if not text_at(order, "id") or currency not in EXPONENTS or len(list_at(order, "purchase_units")) != 1:
            raise ProviderAway("the answer cannot be read")
        last, source = captures[-1] if captures else None, value_at(order, "payment_source")
        failed = CAPTURE_STATES.get(text_at(last, "status")) is State.FAILED
        pages = [text_at(link, "href") for link in list_at(order, "links") if text_at(link, "rel") in PAGES]
        return Snapshot(
            ref=text_at(order, "id"), payment=_payment(order), state=_state(order, taken, text_at(last, "status")),
            currency=currency, captured_minor=sum_minor(taken, currency),
            refunded_minor=max(sum_minor(given, currency), sum_minor(whole, currency)), live=self.live,
            url=pages[0] if pages else None, method=next(iter(source), None) if isinstance(source, dict) else None,
            decline=(text_at(last, "status_details", "reason") or text_at(last, "status")) if failed else None,
        )  # fmt: skip


def _payment(order: Any) -> str:
    """Our payment's id, which we wrote in two places; nothing for another shop's orders in the same account."""
    unit = value_at(order, "purchase_units", 0)
    return text_at(unit, "custom_id") if text_at(unit, "custom_id") == text_at(unit, "invoice_id") else ""


def _state(order: Any, taken: list[Any], last: str) -> State:
    if taken:
        return State.SUCCEEDED
    if text_at(order, "intent") != "CAPTURE":  # by `cancel`
        return State.CANCELLED
    status = text_at(order, "status")
    found = CAPTURE_STATES.get(last) if status == "COMPLETED" else STATES.get(status)
    if found is None:
        raise ProviderAway(f"unknown state {status[:32]} {last[:32]}")
    return found


def _about(kind: str, resource: Any) -> tuple[str, str] | None:
    """Reference and payment, or payout, of an event; None when it is of no use here."""
    if kind.startswith("PAYMENT.PAYOUTS"):
        return about_payout(resource)
    custom = text_at(resource, "custom_id")
    if kind.startswith("CHECKOUT."):
        ref, custom = text_at(resource, "order_id") or text_at(resource, "id"), _payment(resource)
        return (ref, custom) if ref and custom else None
    if kind.startswith("CUSTOMER.DISPUTE."):
        capture = text_at(resource, "disputed_transactions", 0, "seller_transaction_id")
        return (CAPTURE + capture, text_at(resource, "disputed_transactions", 0, "custom")) if capture else None
    if not kind.startswith("PAYMENT.CAPTURE."):
        return None
    if ref := text_at(resource, *ORDER_ID):
        return (ref, custom) if custom else None
    up = [text_at(link, "href") for link in list_at(resource, "links") if text_at(link, "rel") == "up"]
    capture = next((href.rpartition("/")[2] for href in up if "/captures/" in href), text_at(resource, "id"))
    return (CAPTURE + capture, custom) if capture else None
