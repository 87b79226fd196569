"""Payouts through PayPal, which finds a payout by its own reference only: still one for each of ours."""

import time
from collections.abc import AsyncIterator

import pytest

from giftserver.durable import payout_accounts
from giftserver.durable.provider_events import keep_events
from giftserver.recharge.payout_keeper import PayoutKeeper
from giftserver.recharge.provider import Rejected
from tests.giftserver.payouts.office import Office
from tests.giftserver.recharge.paypal_till import PayPalTill, paypal_till

ADDRESS = "mira.creator@example.org"


@pytest.fixture
async def till(office: Office, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PayPalTill]:
    """PayPal is the only way to be paid out, and mira has an account there."""
    monkeypatch.setattr(payout_accounts, "WAIT", payout_accounts.WAIT * 0)
    async with paypal_till() as opened:
        providers = {"paypal": opened.provider}
        monkeypatch.setattr(office.shop.web.services.payouts, "_providers", providers)
        office.keeper = PayoutKeeper(
            office.shop.web.engines.database, office.shop.web.engines.ledger_redis, providers, "http://127.0.0.1",
            office.shop.metrics,
        )  # fmt: skip
        answer = await office.set_account(ADDRESS, provider="paypal")
        assert answer.json()["address_masked"] == "m…@example.org"
        yield opened


async def until_known(office: Office, id: str) -> str:
    """Work until PayPal told its reference."""
    await office.until(id, "sending")
    for _ in range(5):
        await office.work()
    ((ref,),) = await office.sql("SELECT provider_ref FROM payout WHERE id = :id", id=id)
    return str(ref)


@pytest.mark.parametrize("unanswered", [0, 1, 2])
async def test_whatever_is_not_answered_there_is_one_batch(office: Office, till: PayPalTill, unanswered: int) -> None:
    """PayPal refuses our id a second time with a link to what is there: that is looked at, and is paid."""
    till.paypal.payouts.unanswered = unanswered
    id = await office.asked()
    ref = await until_known(office, id)
    assert await till.payouts_made(id) == 1
    await till.settle(ref, "paid")
    paid = await office.until(id, "paid")
    assert (paid["provider"], paid["address_masked"]) == ("paypal", "m…@example.org")
    assert await office.balances() == (20_000, 0, 10_000)
    assert await office.shop.balance("clearing", "paypal") == -5_000
    await office.shop.proved()


async def test_an_event_of_paypal_is_about_our_payout(office: Office, till: PayPalTill) -> None:
    """Its webhook names it, and the keeper asks at once: paid, and later sent back."""
    id = await office.asked()
    ref = await until_known(office, id)
    for state, ends in (("paid", "paid"), ("returned", "returned")):
        await office.sql("UPDATE payout SET ask_at = now() + interval '1 hour'")
        await till.settle(ref, state)
        headers, raw = await till.payout_event(ref)
        events = till.provider.verify(headers, raw, time.time())
        assert not isinstance(events, Rejected)
        await office.sql("DELETE FROM provider_event")  # the stand-in names all events alike
        assert await keep_events(office.shop.web.engines.database, "paypal", events) == 1
        await office.shop.events.step()
        await office.keeper.step()
        assert (await office.payout(id))["state"] == ends
    assert await office.balances() == (30_000, 0, 0)
    await office.shop.proved()


async def test_an_address_that_paypal_cannot_pay(office: Office, till: PayPalTill) -> None:
    """Refused before anything is asked for."""
    answer = await office.set_account("not an email", provider="paypal")
    assert answer.json()["error"]["code"] == "payout_address_refused"
    assert "Email of your PayPal account" in answer.json()["error"]["message"]
    assert (await office.terms())["account"]["provider"] == "paypal"
    assert till.paypal.payouts.batches == {}
