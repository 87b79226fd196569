"""Stripe's balance transactions: whose they are, in which currency, how much is read; failed refunds and warnings."""

import time

import pytest

from giftserver.recharge import stripe_movements
from giftserver.recharge.provider import DisputeNews, ProviderAway
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


async def test_a_refund_that_failed_later_is_named_and_counts_no_more(till):
    """Ours by its key; what somebody gave back by hand has none. The charge may count failed ones still."""
    made = await till.provider.create(ORDER)
    till.stripe.confirm(made.ref)
    for amount, key in ((100, "one"), (200, "two")):
        assert await till.provider.refund(made.ref, amount, key)
    found = await till.provider.fetch(made.ref)
    assert (found.refunded_minor, found.failed_refunds) == (300, ())
    till.stripe.refunds[0]["status"] = "failed"
    found = await till.provider.fetch(made.ref)
    assert (found.refunded_minor, found.failed_refunds) == (200, ("one",))


async def test_an_early_fraud_warning_is_a_warning_until_nothing_can_be_done(till):
    """For all of the money; a key that may not read warnings is told of disputes only, and sells all the same."""
    made = await till.provider.create(ORDER)
    intent = till.stripe.confirm(made.ref)
    warning = {"id": "issfr_1", "fraud_type": "made_with_stolen_card", "actionable": True, "payment_intent": intent}
    till.stripe.warnings.append(warning)
    found = await till.provider.fetch(made.ref)
    assert found.disputes == (DisputeNews("issfr_1", 999, "warning", "made_with_stolen_card"),)
    warning["actionable"] = False
    assert [one.state for one in (await till.provider.fetch(made.ref)).disputes] == ["won"]
    till.stripe.may_read_warnings = False
    assert (await till.provider.fetch(made.ref)).disputes == ()
