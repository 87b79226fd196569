"""Stripe's balance transactions as movements: what came and went, counted in the currency that buyers paid in.

Stripe's own amounts are in the currency that the account is paid out in; those of the charge, refund or dispute that a
transaction is about are what our book has. Fees are taken out of the same balance and named apart.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import msgspec

from giftserver.recharge.provider import Movement, ProviderAway

PAGE: Final = 100
PAGES_MAX: Final = 200
KINDS: Final = {"charge": "charge", "refund": "refund", "dispute": "dispute", "payout": "payout"}
"""What a transaction is about, by the kind of its source."""

Ask = Callable[[Awaitable[Any], Any], Awaitable[Any]]


class _Source(msgspec.Struct, frozen=True):
    object: str
    id: str
    amount: int | None = None
    currency: str | None = None
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None


class _Transaction(msgspec.Struct, frozen=True):
    id: str
    type: str
    amount: int
    fee: int
    currency: str
    created: int
    source: _Source | str | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[_Transaction]
    has_more: bool


class _Intent(msgspec.Struct, frozen=True):
    metadata: dict[str, str] | None = None


async def list_movements(api: Any, ask: Ask, from_s: float, until_s: float) -> list[Movement]:
    """Every movement in that time. Raises what `ask` raises, and ProviderAway when there are too many."""
    found: list[_Transaction] = []
    asked: dict[str, Any] = {
        "created": {"gte": int(from_s), "lt": int(until_s)}, "limit": PAGE, "expand": ["data.source"],
    }  # fmt: skip
    for _ in range(PAGES_MAX):
        page: _Page = await ask(api.balance_transactions.list_async(asked), _Page)
        found += page.data
        if not page.has_more or not page.data:
            break
        asked["starting_after"] = page.data[-1].id
    else:
        raise ProviderAway("too many movements to look through: ask for a shorter time")
    payments = _told(found)
    for intent in sorted({about.payment_intent for one in found if (about := _about(one)) and about.payment_intent}):
        if intent not in payments:  # its charge is older than what was asked for
            known: _Intent = await ask(api.payment_intents.retrieve_async(intent), _Intent)
            payments[intent] = (known.metadata or {}).get("payment", "")
    return [movement for one in found for movement in _movements(one, payments)]


def _about(one: _Transaction) -> _Source | None:
    return one.source if isinstance(one.source, _Source) else None


def _told(found: list[_Transaction]) -> dict[str, str]:
    """Our payments by their intents, as charges name both; nothing for the account's other business."""
    return {
        about.payment_intent: (about.metadata or {}).get("payment", "")
        for one in found
        if (about := _about(one)) is not None and about.object == "charge" and about.payment_intent
    }


def _movements(one: _Transaction, payments: dict[str, str]) -> Iterator[Movement]:
    about = _about(one)
    kind = KINDS.get(about.object, "other") if about is not None else "other"
    payment = payments.get(about.payment_intent or "", "") if about is not None else ""
    amount, currency = one.amount, one.currency
    if payment and about is not None and about.amount is not None and about.currency is not None:
        amount, currency = (about.amount if one.amount > 0 else -about.amount), about.currency
    if kind != "payout" and not payment:
        kind = "fee" if one.type == "stripe_fee" else "other"
    if amount:
        yield Movement(one.id, kind, payment, currency.upper(), amount, float(one.created))
    if one.fee:
        yield Movement(f"{one.id}-fee", "fee", "", one.currency.upper(), -one.fee, float(one.created))
