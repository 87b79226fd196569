"""Stripe's balance transactions: whose they are, in which currency, and how much of them is read."""

import time

import pytest

from giftserver.recharge import stripe_movements
from giftserver.recharge.provider import ProviderAway
from tests.giftserver.recharge.stripe_till import stripe_till
from tests.giftserver.recharge.test_contract import ORDER


@pytest.fixture
async def till():
    """Stripe."""
    async with stripe_till() as opened:
        yield opened


async def listed(till, from_s: float = 0.0):
    """What moved, fees and all, oldest first."""
    moved = await till.provider.movements(from_s, time.time() + 60)
    return [(one.kind, one.payment, one.currency, one.amount_minor) for one in reversed(moved)]


async def test_movements_are_ours_in_the_currency_that_was_paid(till):
    """A charge converted for the account, its refund, a dispute, and what is of no payment of ours; page by page."""
    till.stripe.page = 2
    made = await till.provider.create(ORDER)
    intent = till.stripe.confirm(made.ref)
    till.stripe.transactions[0] |= {"amount": 910, "fee": 30, "currency": "eur"}
    refund = {"object": "refund", "id": "re_1", "amount": 200, "currency": "usd", "payment_intent": intent}
    till.stripe.moves("refund", -182, refund, currency="eur")
    dispute = {"object": "dispute", "id": "dp_1", "amount": 799, "currency": "usd", "payment_intent": intent}
    till.stripe.moves("adjustment", -730, dispute, fee=1500, currency="eur")
    other = {"object": "charge", "id": "ch_2", "amount": 5, "currency": "eur", "payment_intent": None, "metadata": {}}
    till.stripe.moves("charge", 5, other, currency="eur")
    till.stripe.moves("payout", -40, {"object": "payout", "id": "po_1", "amount": 40, "currency": "eur"})
    till.stripe.moves("stripe_fee", -3, None, currency="eur")
    payment = ORDER.payment
    assert sorted(await listed(till)) == sorted([
        ("charge", payment, "USD", 999), ("fee", "", "EUR", -30), ("refund", payment, "USD", -200),
        ("dispute", payment, "USD", -799), ("fee", "", "EUR", -1500), ("other", "", "EUR", 5),
        ("payout", "", "USD", -40), ("fee", "", "EUR", -3),
    ])  # fmt: skip


async def test_a_refund_is_its_payments_though_the_charge_is_older(till, monkeypatch):
    """The payment is asked for by its intent. More pages than are read are no answer, not a short one."""
    made = await till.provider.create(ORDER)
    intent = till.stripe.confirm(made.ref)
    till.stripe.transactions[0]["created"] = 10
    refund = {"object": "refund", "id": "re_1", "amount": 200, "currency": "usd", "payment_intent": intent}
    till.stripe.moves("refund", -200, refund)
    assert await listed(till, 1_000.0) == [("refund", ORDER.payment, "USD", -200)]
    monkeypatch.setattr(stripe_movements, "PAGES_MAX", 1)
    till.stripe.page = 1
    with pytest.raises(ProviderAway):
        await listed(till)
