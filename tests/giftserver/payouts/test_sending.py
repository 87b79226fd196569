"""Sending: one payout at the provider for each of ours, whatever fails in between; and what is booked of it."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from giftserver.durable import payout_moves
from giftserver.durable.payout_moves import hear
from giftserver.recharge import payout_keeper
from giftserver.recharge.provider import PayoutNews, ProviderAway, ProviderRefused
from tests.giftserver.conftest import assert_refused
from tests.giftserver.payouts.office import Office


async def test_a_payout_that_arrives(office: Office) -> None:
    """Requested, sending, paid: the diamonds are gone, the provider owes us so much less, every step is told."""
    id = await office.asked()
    assert await office.balances() == (20_000, 10_000, 0)
    await office.until(id, "sending")
    assert await office.balances() == (20_000, 10_000, 0)
    await office.shop.proved()
    await office.settle(id, "paid")
    paid = await office.until(id, "paid")
    assert [step["state"] for step in paid["steps"]] == ["requested", "sending", "sending", "paid"]
    assert (paid["amount_minor"], paid["currency"], paid["exponent"]) == (5_000, "USD", 2)
    assert (paid["address_masked"], paid["cancellable"], paid["reason"]) == ("s…@sandbox", False, None)
    assert await office.balances() == (20_000, 0, 10_000)
    assert await office.shop.balance("clearing", "sandbox") == -5_000
    assert len(await office.at_provider(id)) == 1
    await office.shop.proved()


async def test_a_payout_that_fails_gives_the_diamonds_back(office: Office) -> None:
    """With the provider's reason; no money moved."""
    id = await office.sent()
    await office.settle(id, "failed")
    failed = await office.until(id, "failed")
    assert failed["reason"] == "account_closed"
    assert await office.balances() == (30_000, 0, 0)
    await office.shop.proved()


async def test_a_payout_that_was_paid_and_came_back(office: Office) -> None:
    """The creator has the diamonds again, the provider the money; nothing follows."""
    id = await office.sent()
    await office.settle(id, "paid")
    await office.until(id, "paid")
    await office.settle(id, "returned")
    returned = await office.until(id, "returned")
    assert returned["reason"] == "sent_back"
    assert await office.balances() == (30_000, 0, 0)
    assert await office.shop.balance("clearing", "sandbox") == 0
    assert await office.sql("SELECT 1 FROM payout WHERE ask_at IS NOT NULL") == []
    await office.shop.proved()


async def test_a_payout_that_fails_after_it_was_paid_came_back(office: Office) -> None:
    """Whatever the provider calls it: the diamonds and the money are where they were, once."""
    id = await office.sent()
    await office.settle(id, "paid")
    await office.until(id, "paid")
    (row,) = await office.sql("SELECT provider_ref FROM payout")
    news = PayoutNews(row.provider_ref, id, "failed", 5_000, "USD", False, "reversed")
    for moved in (True, False):
        done = await hear(office.shop.web.engines.database, id, news, "sandbox", False)
        assert done is not None
        assert (done.moved, done.payout.state, done.payout.reason) == (moved, "returned", "reversed")
    assert await office.balances() == (30_000, 0, 0)
    await office.shop.proved()


async def test_one_that_came_back_before_anybody_heard_that_it_was_paid(office: Office) -> None:
    """Both are booked, as they are at the provider."""
    id = await office.sent()
    await office.settle(id, "paid")
    await office.settle(id, "returned")
    returned = await office.until(id, "returned")
    assert [step["state"] for step in returned["steps"]][-2:] == ["paid", "returned"]
    assert await office.balances() == (30_000, 0, 0)
    await office.shop.proved()


async def test_a_provider_that_paid_and_did_not_answer(office: Office) -> None:
    """The outcome is unknown: it is asked for, found, and nothing is sent a second time."""
    await office.shop.mischief(payouts_unanswered=1)
    id = await office.asked()
    await office.work()
    assert [step["state"] for step in (await office.payout(id))["steps"]] == ["requested", "sending"]
    await office.settle(id, "paid")
    await office.until(id, "paid")
    assert len(await office.at_provider(id)) == 1
    assert await office.balances() == (20_000, 0, 10_000)
    await office.shop.proved()


async def test_a_provider_that_never_got_it(office: Office) -> None:
    """It says that there is none: it is sent again, under the same key, and is one payout."""
    await office.shop.mischief(create_fails=2)
    id = await office.asked()
    await office.work()
    assert await office.at_provider(id) == []
    assert (await office.payout(id))["state"] == "sending"
    async with asyncio.timeout(10):
        while not await office.at_provider(id):
            await office.work()
    await office.settle(id, "paid")
    await office.until(id, "paid")
    assert len(await office.at_provider(id)) == 1
    await office.shop.proved()


async def test_nothing_is_sent_again_before_it_was_asked_for(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the provider does not say what became of it, it is only asked."""
    provider = office.shop.inquiry.providers["sandbox"]
    calls: list[str] = []

    async def away(order: Any) -> PayoutNews:
        calls.append("payout")
        raise ProviderAway("no answer")

    async def silent(payout: str, ref: str = "") -> PayoutNews | None:
        calls.append("find")
        raise ProviderAway("no answer")

    monkeypatch.setattr(provider, "payout", away)
    monkeypatch.setattr(provider, "find_payout", silent)
    id = await office.asked()
    for _ in range(4):
        await office.work()
    assert calls == ["payout", "find", "find", "find"]
    assert (await office.payout(id))["state"] == "sending"
    await office.shop.proved()


async def test_a_provider_may_have_forgotten_after_four_weeks(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would pay twice: nothing is sent again, a person has to look."""
    monkeypatch.setattr(payout_keeper, "PAYOUT_AGAIN_S", -1)
    await office.shop.mischief(create_fails=1)
    id = await office.asked()
    await office.work()
    await office.work()
    assert await office.at_provider(id) == []
    (found,) = await office.listed(review=True)
    assert (found["id"], found["state"]) == (id, "sending")
    assert "28 days" in found["review"]
    await office.shop.proved()


async def test_a_refusal_of_the_provider_is_the_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent: the diamonds are back, with the reason, in which no address is told."""

    async def refuse(order: Any) -> PayoutNews:
        raise ProviderRefused(f"{order.address} is not a member")

    monkeypatch.setattr(office.shop.inquiry.providers["sandbox"], "payout", refuse)
    id = await office.asked()
    failed = await office.until(id, "failed")
    assert failed["reason"] == "s…@sandbox is not a member"
    assert await office.balances() == (30_000, 0, 0)
    await office.shop.proved()


async def test_a_refusal_to_be_asked_is_no_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the refusal of the order itself says that nothing was sent."""
    id = await office.sent()

    async def refuse(payout: str, ref: str = "") -> PayoutNews | None:
        raise ProviderRefused("not allowed to look")

    monkeypatch.setattr(office.shop.inquiry.providers["sandbox"], "find_payout", refuse)
    await office.work()
    assert (await office.payout(id))["state"] == "sending"


@pytest.mark.parametrize(
    ("mischief", "words"),
    [
        ("wrong_amount", "5001 USD, asked for 5000 USD"), ("wrong_currency", "5000 EUR, asked for 5000 USD"),
        ("test_event_in_live", "real money where pretended is expected"),
    ],
)  # fmt: skip
async def test_news_that_contradict_the_payout_are_never_booked(office: Office, mischief: str, words: str) -> None:
    """Another amount, currency or kind of money: a person has to look, and the diamonds stay set aside."""
    await office.shop.mischief(**{mischief: True})
    id = await office.sent()
    await office.settle(id, "paid")
    await office.work()
    assert (await office.payout(id))["state"] == "sending"
    (found,) = await office.listed(review=True)
    assert words in found["review"]
    assert await office.balances() == (20_000, 10_000, 0)
    assert await office.shop.balance("clearing", "sandbox") == 0
    await office.shop.proved()
    assert office.shop.metrics.registry.get_sample_value("giftserver_payouts_review") == 1


async def test_money_that_is_paid_after_it_had_failed_needs_a_person(office: Office) -> None:
    """The diamonds are back: nothing is booked, and it is asked about for a day so that this is seen."""
    id = await office.sent()
    await office.settle(id, "failed")
    await office.until(id, "failed")
    assert len(await office.sql("SELECT 1 FROM payout WHERE ask_at > now() + interval '50 minutes'")) == 1
    (row,) = await office.sql("SELECT provider_ref FROM payout")
    news = PayoutNews(row.provider_ref, id, "paid", 5_000, "USD", False)
    done = await hear(office.shop.web.engines.database, id, news, "sandbox", False)
    assert done is not None
    assert "the diamonds are back already" in str(done.wrong)
    other = await hear(office.shop.web.engines.database, id, replace(news, ref="another"), "sandbox", False)
    assert other is not None
    assert "another payout's" in str(other.wrong)
    assert (await office.payout(id))["state"] == "failed"
    assert await office.balances() == (30_000, 0, 0)
    await office.shop.proved()


async def test_old_news_change_nothing(office: Office) -> None:
    """An answer from before it was paid, or a second one, moves no money."""
    id = await office.sent()
    await office.settle(id, "paid")
    await office.until(id, "paid")
    (row,) = await office.sql("SELECT provider_ref FROM payout")
    for state in ("pending", "paid"):
        news = PayoutNews(row.provider_ref, id, state, 5_000, "USD", False)
        done = await hear(office.shop.web.engines.database, id, news, "sandbox", False)
        assert done is not None
        assert (done.moved, done.wrong) == (False, None)
    assert await office.balances() == (20_000, 0, 10_000)


async def test_a_webhook_makes_the_keeper_ask_at_once(office: Office) -> None:
    """Nobody waits for the next look: the event is settled, and the payout is due."""
    id = await office.sent()
    await office.sql("UPDATE payout SET ask_at = now() + interval '1 hour'")
    await office.settle(id, "paid")
    async with asyncio.timeout(10):
        while (await office.payout(id))["state"] != "paid":
            await office.shop.events.step()
            await office.keeper.step()
    async with asyncio.timeout(10):
        while await office.sql("SELECT 1 FROM provider_event WHERE outcome IS NULL"):
            await office.shop.events.step()
    assert {row.outcome for row in await office.sql("SELECT outcome FROM provider_event")} == {"done"}


async def test_an_event_that_comes_during_a_look_is_not_lost(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider was asked just before: it is asked once more, not an hour later."""
    id = await office.sent()
    provider: Any = office.shop.inquiry.providers["sandbox"]
    real = provider.find_payout

    async def slow(payout: str, ref: str = "") -> PayoutNews | None:
        found: PayoutNews | None = await real(payout, ref)
        assert await payout_moves.hurry(office.shop.web.engines.database, payout, "sandbox")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(provider, "find_payout", slow)
        await office.work()
    await office.settle(id, "paid")
    await office.keeper.step()
    assert (await office.payout(id))["state"] == "paid"


async def test_an_event_of_a_payout_that_is_not_ours_is_put_off(office: Office) -> None:
    """Nothing is asked for it, and nothing of ours is hurried by another provider's event."""
    id = await office.sent()
    database = office.shop.web.engines.database
    assert not await payout_moves.hurry(database, "out_" + "0" * 32, "sandbox")
    assert not await payout_moves.hurry(database, id, "paypal")
    unsent = await office.asked()
    assert not await payout_moves.hurry(database, unsent, "sandbox")


async def test_waits_grow_and_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payout is asked about ever more rarely, after it was paid for thirty days."""
    id = await office.sent()
    for wait_s in (5, 15, 60):
        await office.work()
        (row,) = await office.sql("SELECT extract(epoch FROM ask_at - now()) AS wait_s FROM payout")
        assert wait_s - 5 < row.wait_s <= wait_s
    await office.settle(id, "paid")
    await office.until(id, "paid")
    (row,) = await office.sql("SELECT extract(epoch FROM ask_at - now()) AS wait_s FROM payout")
    assert 3_500 < row.wait_s <= 3_600
    monkeypatch.setattr(payout_keeper, "RETURNED_WITHIN", payout_keeper.AGAIN_MIN * 0)
    await office.work()
    assert await office.sql("SELECT 1 FROM payout WHERE ask_at IS NOT NULL") == []


async def test_two_workers_at_once_make_one_payout(office: Office) -> None:
    """Each payout is given to one of them; both together send each once."""
    ids = [await office.asked() for _ in range(3)]
    await asyncio.gather(*(office.keeper.step() for _ in range(4)))
    for id in ids:
        assert len(await office.at_provider(id)) == 1
        await office.settle(id, "paid")
    for id in ids:
        await office.until(id, "paid")
    assert await office.balances() == (0, 0, 30_000)
    await office.shop.proved()


async def test_what_another_worker_took_up_is_looked_at_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """This one was slow: the other has sent it, or has heard that it is paid; nobody forgets it because of that."""
    real = payout_keeper.begin

    async def taken(database: Any, id: str) -> Any:
        assert await real(database, id) is not None  # the other worker
        return await real(database, id)

    with monkeypatch.context() as patch:
        patch.setattr(payout_keeper, "begin", taken)
        id = await office.asked()
        await office.work()
    assert len(await office.sql("SELECT 1 FROM payout WHERE state = 'sending' AND ask_at IS NOT NULL")) == 1

    async def overtaken(order: Any) -> PayoutNews:
        news = PayoutNews("another worker's", order.payout, "paid", order.amount_minor, order.currency, False)
        assert await hear(office.shop.web.engines.database, order.payout, news, "sandbox", False) is not None
        raise ProviderRefused("it is paid already")

    monkeypatch.setattr(office.shop.inquiry.providers["sandbox"], "payout", overtaken)
    await office.work()
    assert (await office.payout(id))["state"] == "paid"
    assert len(await office.sql("SELECT 1 FROM payout WHERE ask_at IS NOT NULL")) == 1
    await office.shop.proved()


async def test_a_slow_provider_holds_up_no_other(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs or breaks for one payout is nothing to the others of the same round."""
    first, second, third = [await office.asked() for _ in range(3)]
    provider: Any = office.shop.inquiry.providers["sandbox"]
    real, began = provider.payout, time.monotonic()

    async def odd(order: Any) -> PayoutNews:
        if order.payout == first:
            raise RuntimeError
        if order.payout == second:
            raise ProviderAway("slow")
        news: PayoutNews = await real(order)
        return news

    monkeypatch.setattr(provider, "payout", odd)
    await office.work()
    assert len(await office.at_provider(third)) == 1
    assert {(await office.payout(id))["state"] for id in (first, second)} == {"sending"}
    assert time.monotonic() - began < 10


async def test_a_payout_whose_provider_is_gone_waits(office: Office) -> None:
    """Its settings name no such provider now: it is not sent, and can be taken back."""
    id = await office.asked()
    database = office.shop.web.engines.database
    office.keeper = payout_keeper.PayoutKeeper(
        database, office.shop.web.engines.ledger_redis, {}, "", office.shop.metrics
    )
    await office.work()
    assert (await office.payout(id))["state"] == "requested"
    assert (await office.cancel(id)).json()["state"] == "cancelled"


async def test_what_is_sending_for_an_hour_is_counted(office: Office) -> None:
    """With no answer it is unknown, with one it is on its way; less than an hour is nothing yet."""

    def counted() -> list[float | None]:
        registry = office.shop.metrics.registry
        names = ("unknown", "pending")
        return [registry.get_sample_value("giftserver_payouts_unsettled", {"outcome": name}) for name in names]

    await office.shop.mischief(payouts_unanswered=1)
    await office.asked()
    await office.work()
    assert counted() == [0, 0]
    await office.sql("UPDATE payout SET sent_at = sent_at - interval '61 minutes'")
    await office.keeper.step()
    assert counted() == [1, 0]
    await office.work()
    assert counted() == [0, 1]


async def test_it_cannot_be_taken_back_once_it_is_sent(office: Office) -> None:
    """Neither by the creator nor by an operator."""
    id = await office.sent()
    assert_refused(await office.cancel(id), 409, "payout_under_way")
    assert_refused(await office.void(id), 409, "payout_under_way")
    await office.settle(id, "paid")
    await office.until(id, "paid")
    assert "already" in assert_refused(await office.cancel(id), 409, "payout_under_way")["message"]
    await office.shop.proved()
