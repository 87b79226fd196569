"""PayPal's disputes: found by the capture they are about, and told with its order."""

import pytest

from giftserver.recharge.provider import DisputeNews, ProviderAway
from giftserver.recharge.states import State
from tests.giftserver.recharge.paypal_till import paypal_till
from tests.giftserver.recharge.test_contract import ORDER


@pytest.fixture
async def till():
    """PayPal."""
    async with paypal_till() as opened:
        yield opened


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("RESOLVED_BUYER_FAVOUR", "lost"), ("RESOLVED_SELLER_FAVOUR", "won"), ("CANCELED_BY_BUYER", "won"), (None, "won")],
)
async def test_disputes_come_with_the_order_they_are_about(till, outcome, state):
    """Open while it runs, then as it ended; a capture that was lost in one is not given back a second time."""
    made = await till.provider.create(ORDER)
    capture = till.paypal.complete(made.ref)
    assert (await till.provider.fetch(made.ref)).disputes == ()
    dispute = till.paypal.complain(capture["id"], "4.99")
    for status in ("OPEN", "WAITING_FOR_SELLER_RESPONSE", "UNDER_REVIEW"):
        dispute["status"] = status
        found = await till.provider.fetch(f"capture:{capture['id']}")
        assert found.disputes == (DisputeNews(dispute["dispute_id"], 499, "open", "unauthorised"),)
    dispute |= {"status": "RESOLVED"} | ({"dispute_outcome": {"outcome_code": outcome}} if outcome else {})
    whole = till.paypal.complain(capture["id"], "9.00", "EUR")
    whole |= {"status": "RESOLVED", "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"}}
    capture["status"] = "REFUNDED"
    found = await till.provider.fetch(made.ref)
    assert [(one.amount_minor, one.state) for one in found.disputes] == [(499, state), (999, "lost")]
    assert (found.state, found.refunded_minor) == (State.SUCCEEDED, 0)


async def test_an_app_that_may_not_read_disputes_sells_all_the_same(till):
    """Its orders are told without them; a state that nobody knows is no answer, though."""
    made = await till.provider.create(ORDER)
    capture = till.paypal.complete(made.ref)
    dispute = till.paypal.complain(capture["id"], "4.99")
    till.paypal.may_read_disputes = False
    found = await till.provider.fetch(made.ref)
    assert (found.state, found.captured_minor, found.disputes) == (State.SUCCEEDED, 999, ())
    till.paypal.may_read_disputes = True
    dispute["status"] = "IN_LIMBO"
    with pytest.raises(ProviderAway, match="IN_LIMBO"):
        await till.provider.fetch(made.ref)
