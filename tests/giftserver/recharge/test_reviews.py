"""Payments that a person has to look at: decided once, and never credited when not paid as ordered."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from giftserver.durable.payment_moves import flag
from giftserver.recharge.provider import ProviderAway
from tests.giftserver.conftest import assert_refused
from tests.giftserver.shop import Shop


async def decide(shop: Shop, payment: dict[str, Any], decision: str, role: str = "admin") -> httpx.Response:
    """An operator decides."""
    path = f"/v1/ops/payments/{payment['id']}/review"
    body = {"decision": decision, "reason": "seen at the provider"}
    return await shop.web.http.post(path, json=body, headers=shop.web.bearer("olga", role))


async def decided(shop: Shop, payment: dict[str, Any], decision: str) -> dict[str, Any]:
    """A decision that was taken, and how the payment stands."""
    answer = await decide(shop, payment, decision)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def in_review(shop: Shop, payment: dict[str, Any]) -> None:
    """Work until a person has to look at a payment. Raises TimeoutError."""
    async with asyncio.timeout(10):
        while not (await shop.payment(payment["id"]))["in_review"]:
            await shop.work()


async def kept(shop: Shop, payment: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Decisions as stored, in order."""
    query = text("SELECT decision, reason, by_user FROM payment_review WHERE payment = :id ORDER BY n")
    async with shop.web.engines.database.connect() as connection:
        return [tuple(row) for row in await connection.execute(query, {"id": payment["id"]})]


@pytest.mark.parametrize("wrong", ["wrong_amount", "wrong_currency"])
async def test_what_was_not_paid_as_ordered_is_given_back_and_never_credited(shop, wrong):
    """Crediting is refused; the money goes back once, whatever is asked again, and the trouble is not told anew."""
    await shop.mischief(**{wrong: True})
    payment = await shop.paid()
    await in_review(shop, payment)
    assert_refused(await decide(shop, payment, "credit"), 409, "review_refused")
    assert_refused(await decide(shop, payment, "credit", "viewer"), 403, "forbidden")
    answers = [await decided(shop, payment, "refund") for _ in range(2)]
    assert [(one["state"], one["review"], one["transfer"]) for one in answers] == [("refunded", None, None)] * 2
    session = await shop.control("GET", f"/v1/sessions/{await shop.session(payment)}")
    assert session["refunded_minor"] == session["captured_minor"] > 0
    assert len(session["refunds"]) == 1
    await shop.web.services.recharges.check(await shop.web.services.recharges.own("ana", payment["id"]))
    assert not (await shop.payment(payment["id"]))["in_review"]
    assert await kept(shop, payment) == [("refund", "seen at the provider", "olga")]
    assert await shop.coins() == 0
    await shop.proved()


async def test_what_the_provider_confirms_is_credited_once(shop):
    """Marked for another reason: not before it is paid, then with all its coins, and not a second time."""
    await shop.mischief(drop=1.0)
    payment = await shop.ordered()
    await flag(shop.web.engines.database, payment["id"], "somebody called", "provider")
    assert_refused(await decide(shop, payment, "credit"), 409, "review_refused")
    assert_refused(await decide(shop, payment, "refund"), 409, "review_refused")
    assert (await shop.payment(payment["id"]))["state"] == "pending"
    await shop.pay(payment)
    answers = await asyncio.gather(*(decide(shop, payment, "credit") for _ in range(4)))
    assert 200 in {answer.status_code for answer in answers} <= {200, 409}
    assert (await decided(shop, payment, "credit"))["state"] == "credited"
    assert await shop.coins() == 770
    await flag(shop.web.engines.database, payment["id"], "somebody called again", "provider")
    for decision in ("credit", "refund"):
        assert_refused(await decide(shop, payment, decision), 409, "review_refused")
    assert (await decided(shop, payment, "close"))["review"] is None
    assert_refused(await decide(shop, payment, "refund"), 409, "review_refused")
    assert [one[0] for one in await kept(shop, payment)] == ["credit", "close"]
    await shop.proved()


async def test_trouble_that_was_closed_is_not_told_again_and_other_trouble_is(shop):
    """The provider says the same ever again: closed is closed. Another contradiction is new."""
    await shop.mischief(wrong_amount=True)
    payment = await shop.paid()
    await in_review(shop, payment)
    await decided(shop, payment, "close")
    recharges = shop.web.services.recharges
    await recharges.check(await recharges.own("ana", payment["id"]))
    assert not (await shop.payment(payment["id"]))["in_review"]
    await flag(shop.web.engines.database, payment["id"], "something else", "provider")
    assert (await shop.payment(payment["id"]))["in_review"]
    assert (await shop.payment(payment["id"]))["state"] != "credited"


async def test_a_refund_whose_answer_is_lost_is_paid_once_and_nothing_is_credited_meanwhile(shop, monkeypatch):
    """The provider is away in the middle: the coins cannot come any more, and asking again ends it."""
    await shop.mischief(drop=1.0)
    payment = await shop.paid()
    await flag(shop.web.engines.database, payment["id"], "somebody called", "provider")
    provider = shop.web.services.recharges.providers["sandbox"]
    real = provider.refund

    paid = []

    async def lost(ref: str, amount_minor: int, key: str) -> bool:
        if paid:
            await real(ref, amount_minor, key)
        paid.append(key)
        raise ProviderAway("the answer was lost")

    recharges = shop.web.services.recharges
    for _ in range(2):  # before anything was paid back, and after
        with monkeypatch.context() as breaking:
            breaking.setattr(provider, "refund", lost)
            assert_refused(await decide(shop, payment, "refund"), 503, "unavailable")
        await recharges.check(await recharges.own("ana", payment["id"]))
        found = await shop.payment(payment["id"])
        assert (found["state"], found["transfer"], found["in_review"]) == ("refunded", None, True)
    assert (await decided(shop, payment, "refund"))["state"] == "refunded"
    session = await shop.control("GET", f"/v1/sessions/{await shop.session(payment)}")
    assert (session["refunded_minor"], len(session["refunds"])) == (999, 1)
    assert await shop.coins() == 0
    await shop.proved()
