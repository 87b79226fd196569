"""What is PayPal's alone in payouts: batches, what becomes of their items, and which refusals say that nothing went."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from giftserver.recharge.provider import PayoutOrder, ProviderAway, ProviderRefused
from tests.giftserver.recharge.paypal_payouts_till import refusal
from tests.giftserver.recharge.paypal_till import PayPalTill, paypal_till, problem

PAYOUT = "out_" + "0123456789abcdef" * 2
ORDER = PayoutOrder(PAYOUT, 5_000, "USD", "creator@example.org", "Earnings")
AMOUNT = {"currency": "USD", "value": "50.00"}


@pytest.fixture
async def till() -> AsyncIterator[PayPalTill]:
    """PayPal, with nothing in it."""
    async with paypal_till() as opened:
        yield opened


async def test_a_batch_of_one_item_has_our_id_twice(till):
    """So PayPal takes it once, and its events name it; the money goes to the email address."""
    made = await till.provider.payout(ORDER)
    batch = till.paypal.payouts.batches[made.ref]
    header = {"sender_batch_id": PAYOUT, "email_subject": "Earnings"}
    assert batch["batch_header"]["sender_batch_header"] == header
    assert [one["payout_item"] for one in batch["items"]] == [
        {"recipient_type": "EMAIL", "receiver": "creator@example.org", "sender_item_id": PAYOUT, "amount": AMOUNT}
    ]


@pytest.mark.parametrize(
    ("item", "batch", "state", "reason"), [
        ("SUCCESS", "SUCCESS", "paid", None), ("SUCCESS", "PROCESSING", "paid", None),
        ("SUCCESS", "DENIED", "paid", None), ("PENDING", "PROCESSING", "pending", None),
        ("PENDING", "SUCCESS", "pending", None), ("NEW", "NEW", "pending", None),
        ("UNCLAIMED", "SUCCESS", "pending", None), ("ONHOLD", "SUCCESS", "pending", None),
        ("ON_HOLD", "SUCCESS", "pending", None), ("BLOCKED", "SUCCESS", "pending", None),
        ("FAILED", "SUCCESS", "failed", "FAILED"), ("FAILED", "DENIED", "failed", "FAILED"),
        ("DENIED", "SUCCESS", "failed", "DENIED"), ("RETURNED", "SUCCESS", "failed", "RETURNED"),
        ("CANCELED", "SUCCESS", "failed", "CANCELED"), ("PENDING", "DENIED", "failed", "DENIED"),
        ("PENDING", "CANCELED", "failed", "CANCELED"), ("BLOCKED", "DENIED", "failed", "DENIED"),
        ("REFUNDED", "SUCCESS", "returned", "REFUNDED"), ("REVERSED", "SUCCESS", "returned", "REVERSED"),
    ],
)  # fmt: skip
async def test_what_became_of_the_item_is_what_became_of_the_payout(till, item, batch, state, reason):
    """A batch that is through is no payout that arrived; one that was denied paid nobody, whatever its item says."""
    made = await till.provider.payout(ORDER)
    till.paypal.payouts.became(made.ref, item, batch)
    found = await till.provider.find_payout(PAYOUT, made.ref)
    assert (found.state, found.reason) == (state, reason)
    assert (found.payout, found.ref, found.amount_minor, found.currency) == (PAYOUT, made.ref, 5_000, "USD")


async def test_paypals_own_word_for_a_failure_is_told(till):
    """The error of the item says more than its state."""
    made = await till.provider.payout(ORDER)
    till.paypal.payouts.became(made.ref, "FAILED", errors={"name": "RECEIVER_ACCOUNT_LOCKED"})
    assert (await till.provider.find_payout(PAYOUT, made.ref)).reason == "RECEIVER_ACCOUNT_LOCKED"


async def test_a_denied_batch_that_is_not_itemised_failed(till):
    """Then the batch itself says how much it was about."""
    made = await till.provider.payout(ORDER)
    batch = till.paypal.payouts.batches[made.ref]
    batch["items"].clear()
    batch["batch_header"] |= {"batch_status": "DENIED", "amount": AMOUNT}
    found = await till.provider.find_payout(PAYOUT, made.ref)
    assert (found.state, found.amount_minor, found.currency, found.reason) == ("failed", 5_000, "USD", "DENIED")


def nothing_of(batch: dict[str, Any], way: str) -> None:
    """Make an answer one that cannot be believed."""
    header, items = batch["batch_header"], batch["items"]
    match way:
        case "another's":
            header["sender_batch_header"]["sender_batch_id"] = "out_" + "f" * 32
        case "two items":
            items.append(items[0])
        case "an unknown batch":
            header["batch_status"] = "PERHAPS"
        case "an unknown item":
            items[0]["transaction_status"] = "PERHAPS"
        case "no amount":
            items[0]["payout_item"].pop("amount")
        case "no number":
            items[0]["payout_item"]["amount"]["value"] = "1e3"
        case "no currency of ours":
            items[0]["payout_item"]["amount"]["currency"] = "ZZZ"


@pytest.mark.parametrize(
    "way",
    ["another's", "two items", "an unknown batch", "an unknown item", "no amount", "no number", "no currency of ours"],
)
async def test_what_cannot_be_read_is_no_answer(till, way):
    """Nothing is concluded from it: it may be asked again."""
    made = await till.provider.payout(ORDER)
    nothing_of(till.paypal.payouts.batches[made.ref], way)
    with pytest.raises(ProviderAway):
        await till.provider.find_payout(PAYOUT, made.ref)


@pytest.mark.parametrize(
    "answer",
    [
        refusal(422, "INSUFFICIENT_FUNDS"), refusal(400, "NON_HOLDING_CURRENCY"), refusal(403, "NOT_AUTHORIZED"),
        refusal(400, "USER_BUSINESS_ERROR", field="ITEMS", issue="Something else"), problem(404), refusal(409, "BUSY"),
        refusal(422, "VALIDATION_ERROR"),
    ],
)  # fmt: skip
async def test_a_refusal_that_may_be_of_the_second_try_only_is_no_refusal(till, answer):
    """The first try, which nobody answered, may have emptied the account: only what is wrong in an order refuses it."""
    await till.leave_unanswered()
    with pytest.raises(ProviderAway):
        await till.provider.payout(ORDER)
    till.paypal.payouts.refusal = answer
    with pytest.raises(ProviderAway):
        await till.provider.payout(ORDER)
    till.paypal.payouts.refusal = None
    await till.provider.payout(ORDER)
    assert await till.payouts_made(PAYOUT) == 1


async def test_what_is_wrong_with_an_order_refuses_it(till):
    """An address that PayPal does not take, for one: nothing was sent, and nothing ever will be."""
    with pytest.raises(ProviderRefused, match="Receiver is invalid"):
        await till.provider.payout(replace(ORDER, address="creator@example.123"))
    for other in ({"currency": "KWD"}, {"currency": "HUF", "amount_minor": 4_999}, {"amount_minor": 0}):
        with pytest.raises(ProviderRefused):
            await till.provider.payout(replace(ORDER, **other))
    assert till.paypal.payouts.batches == {}


async def test_a_copy_without_a_link_is_no_answer(till):
    """There is a batch of this id, but which is not said: an event will say it."""
    made = await till.provider.payout(ORDER)
    till.paypal.payouts.links = False
    with pytest.raises(ProviderAway):
        await till.provider.payout(ORDER)
    assert (await till.provider.find_payout(PAYOUT, made.ref)).ref == made.ref


async def test_after_a_denied_batch_there_may_be_another(till):
    """PayPal takes the id again then; the first paid nobody, so it is still one payout."""
    made = await till.provider.payout(ORDER)
    till.paypal.payouts.became(made.ref, "FAILED", "DENIED")
    again = await till.provider.payout(ORDER)
    assert again.ref != made.ref
    assert (await till.provider.find_payout(PAYOUT, made.ref)).state == "failed"
    assert (await till.provider.find_payout(PAYOUT, again.ref)).state == "pending"


async def test_without_a_reference_nothing_is_asked(till):
    """PayPal does not look for ids of ours."""
    await till.provider.payout(ORDER)
    before = len(till.paypal.requests)
    assert await till.provider.find_payout(PAYOUT) is None
    assert len(till.paypal.requests) == before
    assert (await till.opened(till.paypal.url).payout(ORDER)).payout == PAYOUT  # another process finds it so
    assert await till.payouts_made(PAYOUT) == 1


async def test_the_mode_is_the_apps(till):
    """PayPal does not say whether money is real: where the app is asked does."""
    live = till.opened(till.paypal.url, live=True)
    made = await live.payout(ORDER)
    assert made.live is (await live.find_payout(PAYOUT, made.ref)).live is True


@pytest.mark.parametrize(
    "kind",
    [f"PAYMENT.PAYOUTS-ITEM.{what}" for what in ("SUCCEEDED", "FAILED", "BLOCKED", "CANCELED", "HELD", "RETURNED")]
    + [f"PAYMENT.PAYOUTSBATCH.{what}" for what in ("PROCESSING", "SUCCESS", "DENIED")],
)
async def test_events_of_items_and_batches_name_the_payout(till, kind):
    """Whatever they say of it: it is a reason to ask."""
    made = await till.provider.payout(ORDER)
    batch = till.paypal.payouts.batches[made.ref]
    headers, raw = till.told(kind, batch if "BATCH." in kind else batch["items"][0])
    await till.known(headers, raw)
    (event,) = till.provider.verify(headers, raw, time.time())
    assert (event.kind, event.ref, event.payment) == (kind, made.ref, PAYOUT)


async def test_payouts_of_the_accounts_other_business_are_left_alone(till):
    """Their ids are not ours."""
    others = {"payout_batch_id": "B1", "payout_item": {"sender_item_id": "salary-7"}}
    for about in (others, {"payout_batch_id": "B1"}, {"payout_item": {"sender_item_id": PAYOUT}}, {}):
        headers, raw = till.told("PAYMENT.PAYOUTS-ITEM.SUCCEEDED", about)
        await till.known(headers, raw)
        assert till.provider.verify(headers, raw, time.time()) == []


async def test_a_batch_that_appears_meanwhile_is_found(till):
    """Two processes that ask at the same moment have one payout."""
    other = till.opened(till.paypal.url)
    made = await asyncio.gather(till.provider.payout(ORDER), other.payout(ORDER))
    assert len({one.ref for one in made}) == 1
    assert await till.payouts_made(PAYOUT) == 1
