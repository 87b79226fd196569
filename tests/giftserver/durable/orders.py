"""Orders and what a provider says of them."""

import uuid
from typing import Any

from giftserver.durable.payment_moves import Applied, apply
from giftserver.durable.payments import NewPayment, PaymentRecord, create_payment
from giftserver.recharge.prices import Promotion
from giftserver.recharge.provider import Snapshot
from giftserver.recharge.states import State

FIRST = Promotion("first", "First", bonus_percent=10, bonus_coins_max=100, first_purchase=True)


def new_order(user: str = "ana", **changes: Any) -> NewPayment:
    """700 coins for 9.99 dollars."""
    terms: dict[str, Any] = {
        "user": user, "key": str(uuid.uuid4()), "request_hash": "abc", "provider": "sandbox", "coins": 700,
        "bonus_coins": 0, "pack": "coins-700", "amount_minor": 999, "currency": "USD", "country": "US",
        "price_version": 0, "promotion": None,
    }  # fmt: skip
    return NewPayment(**{**terms, **changes})


async def order(book: Any, user: str = "ana", **changes: Any) -> PaymentRecord:
    """A new payment."""
    made, new = await create_payment(book.engine, new_order(user, **changes))
    assert new
    return made


def said(made: PaymentRecord, state: State = State.SUCCEEDED, **changes: Any) -> Snapshot:
    """What the provider says of a payment: as it was ordered, and paid where the state says so."""
    facts: dict[str, Any] = {
        "ref": f"cs_{made.id}", "payment": made.id, "state": state, "currency": made.currency,
        "captured_minor": made.amount_minor if state is State.SUCCEEDED else 0, "refunded_minor": 0, "live": False,
    }  # fmt: skip
    return Snapshot(**{**facts, **changes})


async def hear(book: Any, made: PaymentRecord, state: State = State.SUCCEEDED, **changes: Any) -> Applied:
    """Let it be true."""
    found = await apply(book.engine, made.id, said(made, state, **changes), "provider")
    assert found is not None
    return found
