"""PayPal's Payouts API v1: each payout of ours is a batch of one item, and our id is the batch's and the item's.

Nothing is remembered here: asking for a batch again is refused with a link to the one that is there, which is then
looked at. https://developer.paypal.com/docs/api/payments.payouts-batch/v1/
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.paypal_reading import PayPalNo, decimal, list_at, sum_minor, text_at, value_at
from giftserver.recharge.provider import (
    PayoutAddress,
    PayoutNews,
    PayoutNewsState,
    PayoutOrder,
    ProviderAway,
    ProviderRefused,
)

log = structlog.get_logger()

PAYOUTS: Final = PayoutAddress(
    "Email of your PayPal account",
    r"(?=.{3,127}$)[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+",
)
PLACE: Final = ("v1", "payments", "payouts")
OURS: Final = re.compile(r"out_[0-9a-f]{32}")
ITEMS: Final[dict[str, PayoutNewsState]] = {
    "SUCCESS": "paid", "FAILED": "failed", "DENIED": "failed", "RETURNED": "failed", "CANCELED": "failed",
    "REFUNDED": "returned", "REVERSED": "returned",
    "NEW": "pending", "PENDING": "pending", "UNCLAIMED": "pending", "ONHOLD": "pending", "ON_HOLD": "pending",
    "BLOCKED": "pending",
}  # fmt: skip
"""RETURNED and CANCELED never arrived: nobody claimed them. PayPal does not say that BLOCKED is an end, nor that the
money is back then: so it is none here."""

BATCHES: Final[dict[str, PayoutNewsState]] = {
    "NEW": "pending", "PENDING": "pending", "PROCESSING": "pending", "SUCCESS": "pending", "DENIED": "failed",
    "CANCELED": "failed",
}  # fmt: skip
"""A batch that is through says nothing of its item; one that was denied paid nobody."""

WRONG_ORDERS: Final = ("VALIDATION_ERROR", "INVALID_REQUEST")
"""Only these refusals are about the order itself, so that an earlier try of it was refused, too. With too little money
in the account, say, it may have been made."""

Ask = Callable[..., Awaitable[Any]]


async def pay_out(ask: Ask, order: PayoutOrder, live: bool) -> PayoutNews:
    """See Provider.payout; raises what `ask` raises."""
    if not re.fullmatch(PAYOUTS.pattern, order.address):
        raise ProviderRefused("this is no email address")
    amount = {"currency": order.currency, "value": decimal(order.amount_minor, order.currency)}
    item = {"recipient_type": "EMAIL", "receiver": order.address, "amount": amount, "sender_item_id": order.payout}
    header = {"sender_batch_id": order.payout, "email_subject": order.description[:255]}
    try:
        made = await ask("POST", *PLACE, json={"sender_batch_header": header, "items": [item]})
    except PayPalNo as problem:
        if ref := _existing(problem.body):
            return await _same(ask, order, ref, live)
        if problem.status == 400 and text_at(problem.body, "name") in WRONG_ORDERS:
            raise
        raise ProviderAway(str(problem)) from problem
    ref = text_at(made, "batch_header", "payout_batch_id")
    if not ref:
        raise ProviderAway("the answer cannot be read")
    return PayoutNews(ref, order.payout, "pending", order.amount_minor, order.currency, live)


async def find_payout(ask: Ask, payout: str, ref: str, live: bool) -> PayoutNews | None:
    """See Provider.find_payout; raises ProviderAway."""
    if not ref:
        return None
    try:
        return _news(await ask("GET", *PLACE, ref), payout, live)
    except PayPalNo as problem:
        if problem.status == 404:
            return None
        raise ProviderAway(str(problem)) from problem


def about_payout(resource: Any) -> tuple[str, str] | None:
    """Reference and payout of an event's batch or item; None when it is of no use here."""
    ref = text_at(resource, "payout_batch_id") or text_at(resource, "batch_header", "payout_batch_id")
    payout = text_at(resource, "payout_item", "sender_item_id") or _batch_id(resource)
    return (ref, payout) if ref and OURS.fullmatch(payout) else None


async def _same(ask: Ask, order: PayoutOrder, ref: str, live: bool) -> PayoutNews:
    """The payout that was made already. Raises ProviderRefused when it is another than what is asked for."""
    if (found := await find_payout(ask, order.payout, ref, live)) is None:
        raise ProviderAway("the payout that is there cannot be read")
    if (found.amount_minor, found.currency) != (order.amount_minor, order.currency):
        raise ProviderRefused("another payout has this id")
    return found


def _existing(body: Any) -> str:
    """Reference of the batch that has our id already, which PayPal links in its refusal; empty for other refusals."""
    if text_at(body, "details", 0, "field").upper() != "SENDER_BATCH_ID":
        return ""
    links = list_at(body, "details", 0, "link") + list_at(body, "details", 0, "links") + list_at(body, "links")
    paths = [text_at(link, "href").partition("?")[0].partition("/" + "/".join(PLACE) + "/") for link in links]
    return next((ref for _, _, ref in paths if ref and "/" not in ref), "")


def _batch_id(resource: Any) -> str:
    return text_at(resource, "batch_header", "sender_batch_header", "sender_batch_id") or text_at(
        resource, "sender_batch_id"
    )


def _news(batch: Any, payout: str, live: bool) -> PayoutNews:
    header, items = value_at(batch, "batch_header"), list_at(batch, "items")
    ref, status = text_at(header, "payout_batch_id"), text_at(header, "batch_status")
    item = items[0] if items else None
    if not ref or _batch_id(batch) != payout or len(items) > 1 or status not in BATCHES:
        raise ProviderAway(f"the answer about a payout cannot be read {status[:32]}")
    said = text_at(item, "transaction_status") or "PENDING"
    if (state := ITEMS.get(said)) is None:
        raise ProviderAway(f"unknown state of a payout {said[:32]}")
    if said == "BLOCKED":
        log.warning("paypal_payout_blocked", payout=payout)
    if state == "pending":
        state, said = BATCHES[status], status
    paid = value_at(item, "payout_item", "amount") or value_at(header, "amount")
    if (currency := text_at(paid, "currency")) not in EXPONENTS:
        raise ProviderAway("the currency of a payout cannot be read")
    amount = {"currency_code": currency, "value": text_at(paid, "value")}
    reason = (text_at(item, "errors", "name") or said)[:64] if state in ("failed", "returned") else None
    return PayoutNews(ref, payout, state, sum_minor([{"amount": amount}], currency), currency, live, reason)
