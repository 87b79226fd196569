"""Payments that a person has to look at: decided once, and never credited when not paid as ordered."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from giftserver.durable.audit_log import Actor
from giftserver.durable.payment_moves import flag
from giftserver.durable.reviews import settle_review
from giftserver.durable.store import now_in
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
    assert (await shop.payment(payment["id"]))["checkout_url"] is None, "nobody is asked to pay once more"
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


async def asked(shop: Shop, payment: dict[str, Any]) -> dict[str, Any]:
    """How a payment stands for its buyer after the provider was asked."""
    recharges = shop.web.services.recharges
    await recharges.check(await recharges.own("ana", payment["id"]))
    return await shop.payment(payment["id"])


async def test_money_that_did_not_go_back_stays_in_review(shop):
    """Nobody is told that it went back, it cannot be closed or credited, and another try gives it back once."""
    await shop.mischief(wrong_amount=True, refund_fails=True)
    payment = await shop.paid()
    await in_review(shop, payment)
    for _ in range(2):
        assert_refused(await decide(shop, payment, "refund"), 409, "review_refused")
        for other in ("close", "credit"):
            assert_refused(await decide(shop, payment, other), 409, "review_refused")
        found = await asked(shop, payment)
        assert (found["state"], found["in_review"], found["transfer"]) == ("pending", True, None)
    session = f"/v1/sessions/{await shop.session(payment)}"
    await shop.control("PUT", f"{session}/mischief", {})
    body = {"decision": "refund", "reason": "once more"}
    path = f"/v1/ops/payments/{payment['id']}/review"
    answer = await shop.web.http.post(path, json=body, headers=shop.web.bearer("dora", "admin"))
    assert (answer.status_code, answer.json()["state"], answer.json()["review"]) == (200, "refunded", None)
    theirs = await shop.control("GET", session)
    assert theirs["refunded_minor"] == theirs["captured_minor"] == 1_000
    assert [one["state"] for one in theirs["refunds"]] == ["failed", "failed", "succeeded"]
    told = [(step["state"], step["detail"]) for step in (await shop.payment(payment["id"]))["steps"]]
    assert ("refunded", "given back after a review: 1000 USD in minor units") in told
    assert [(one[0], one[2]) for one in await kept(shop, payment)] == [("refund", "olga"), ("refund", "dora")]
    await shop.proved()


async def test_a_decision_to_give_back_holds_when_what_is_wrong_ends(shop):
    """Paid as it was ordered, and marked: once its money is to go back it is not credited, nor closed, in between."""
    await shop.mischief(drop=1.0, refund_fails=True)
    payment = await shop.paid()
    database = shop.web.engines.database
    await flag(database, payment["id"], "somebody called", "provider")
    assert_refused(await decide(shop, payment, "refund"), 409, "review_refused")
    refused = await decide(shop, payment, "credit")
    assert_refused(refused, 409, "review_refused")
    assert "goes back" in refused.json()["error"]["message"]
    assert (await asked(shop, payment))["state"] == "succeeded"
    assert await shop.coins() == 0
    olga = Actor("olga", "admin")
    assert not await settle_review(database, payment["id"], "somebody called", "close", "no trouble", olga)


async def test_money_that_nothing_is_credited_for_cannot_be_closed(shop, monkeypatch):
    """The provider is asked, also when it is away; what went back there by hand is told as given back."""
    await shop.mischief(wrong_amount=True)
    payment = await shop.paid()
    await in_review(shop, payment)
    refused = await decide(shop, payment, "close")
    assert_refused(refused, 409, "review_refused")
    assert "The provider has USD 10.00 of it" in refused.json()["error"]["message"]
    provider = shop.web.services.recharges.providers["sandbox"]

    async def away(ref: str) -> None:
        raise ProviderAway("it is away")

    with monkeypatch.context() as breaking:
        breaking.setattr(provider, "fetch", away)
        assert_refused(await decide(shop, payment, "close"), 503, "unavailable")
    with monkeypatch.context() as without:
        without.setattr(shop.web.services.recharges.inquiry, "providers", {})
        refused = await decide(shop, payment, "close")
    assert_refused(refused, 409, "review_refused")
    assert "GIFTSERVER_PAYMENTS" in refused.json()["error"]["message"]
    assert (await asked(shop, payment))["in_review"]
    assert await provider.refund(await shop.session(payment), 1_000, "by-hand")
    assert (await decided(shop, payment, "close"))["state"] == "refunded"
    assert not (await asked(shop, payment))["in_review"]
    await shop.proved()


@pytest.mark.parametrize("decision", ["close", "refund"])
async def test_money_that_a_dispute_took_is_not_left_with_the_provider(shop, decision):
    """Nobody gives it back a second time, and the review can end."""
    await shop.mischief(wrong_amount=True)
    payment = await shop.paid()
    await in_review(shop, payment)
    dispute = await shop.dispute(payment, amount_minor=1_000)
    assert_refused(await decide(shop, payment, "close"), 409, "review_refused")
    await shop.decide(dispute, "lost")
    assert (await decided(shop, payment, decision))["state"] == "refunded"
    assert not (await asked(shop, payment))["in_review"]
    assert (await shop.control("GET", f"/v1/sessions/{await shop.session(payment)}"))["refunds"] == []


async def test_decisions_that_race_leave_no_money_behind(shop):
    """Giving back, closing and crediting at once: all of it goes back, once."""
    await shop.mischief(wrong_amount=True)
    payment = await shop.paid()
    await in_review(shop, payment)
    nine = ("refund", "close", "credit") * 3
    answers = await asyncio.gather(*(decide(shop, payment, one) for one in nine))
    assert 200 in {answer.status_code for answer in answers} <= {200, 409}
    session = await shop.control("GET", f"/v1/sessions/{await shop.session(payment)}")
    assert (session["captured_minor"], session["refunded_minor"], len(session["refunds"])) == (1_000, 1_000, 1)
    found = await shop.payment(payment["id"])
    assert (found["state"], found["in_review"]) == ("refunded", False)
    await shop.proved()


@pytest.mark.parametrize("wrong", [{"wrong_amount": True}, {}])
async def test_money_that_comes_back_to_the_provider_is_looked_at_again(shop, wrong):
    """A refund that was paid fails later: somebody is told, and it goes back by another one."""
    await shop.mischief(drop=1.0, **wrong)
    payment = await shop.paid()
    await flag(shop.web.engines.database, payment["id"], "somebody called", "provider")
    provider, began_at = shop.inquiry.providers["sandbox"], await now_in(shop.web.engines.database)
    older = await provider.fetch(await shop.session(payment))
    await decided(shop, payment, "refund")
    for asked_at in (began_at, None):
        await shop.inquiry.heard(provider, older, "provider", asked_at)
        assert not (await shop.payment(payment["id"]))["in_review"], "it is an answer from before"
    session = f"/v1/sessions/{await shop.session(payment)}"
    (first,) = (await shop.control("GET", session))["refunds"]
    await shop.control("POST", f"{session}/refunds/{first['id']}/fail")
    assert (await asked(shop, payment))["in_review"]
    assert (await decided(shop, payment, "refund"))["review"] is None
    theirs = await shop.control("GET", session)
    assert theirs["refunded_minor"] == theirs["captured_minor"]
    assert await shop.coins() == 0
    await shop.proved()


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
    for state in ("succeeded", "refunded"):  # before anything was paid back, and after
        with monkeypatch.context() as breaking:
            breaking.setattr(provider, "refund", lost)
            assert_refused(await decide(shop, payment, "refund"), 503, "unavailable")
        await recharges.check(await recharges.own("ana", payment["id"]))
        found = await shop.payment(payment["id"])
        assert (found["state"], found["transfer"], found["in_review"]) == (state, None, True)
    assert (await decided(shop, payment, "refund"))["state"] == "refunded"
    session = await shop.control("GET", f"/v1/sessions/{await shop.session(payment)}")
    assert (session["refunded_minor"], len(session["refunds"])) == (999, 1)
    assert await shop.coins() == 0
    await shop.proved()


async def dispute(shop: Shop, payment: dict[str, Any], state: str) -> str:
    """The bank asks for money of a payment that is not credited; the dispute, which operators see by its state."""
    made = await shop.dispute(payment, state)
    async with asyncio.timeout(10):
        while await shop.claim(made) is None:
            await shop.work()
    return made


async def listed(shop: Shop, payment: dict[str, Any], state: str) -> list[tuple[str, str]]:
    """Disputes of a list, by id and state; the payment's own page says the same."""
    operator = shop.web.bearer("olga", "admin")
    found = (await shop.web.http.get(f"/v1/ops/disputes?state={state}", headers=operator)).json()["disputes"]
    page = (await shop.web.http.get(f"/v1/ops/payments/{payment['id']}", headers=operator)).json()
    mine = [(one["id"], one["state"]) for one in found if one["payment"] == payment["id"]]
    assert [(one["id"], one["state"]) for one in page["claims"]] == mine or not mine
    return mine


@pytest.mark.parametrize("end", ["won", "lost"])
async def test_money_in_review_that_is_disputed_is_not_given_back_beside_that(shop, end):
    """Operators see the dispute; giving back waits for the bank, and is right afterwards; a warning stops nothing."""
    await shop.mischief(wrong_amount=True)
    payment = await shop.paid()
    await in_review(shop, payment)
    made = await dispute(shop, payment, "open")
    assert await listed(shop, payment, "open") == [(made, "waiting")]
    refused = await decide(shop, payment, "refund")
    assert_refused(refused, 409, "review_refused")
    assert "disputes USD 9.99 of it" in refused.json()["error"]["message"]
    assert await kept(shop, payment) == [], "nothing was decided"
    session = f"/v1/sessions/{await shop.session(payment)}"
    assert (await shop.control("GET", session))["refunded_minor"] == 0
    await shop.claims.step()
    assert (await shop.claim(made)).state == "waiting", "nothing is booked of what is not credited"
    await shop.decide(made, end)
    async with asyncio.timeout(10):
        while (await shop.claim(made)).wanted != end:
            await shop.work()
    assert await listed(shop, payment, end) == [(made, end)]
    assert await listed(shop, payment, "open") == []
    assert (await decided(shop, payment, "refund"))["state"] == "refunded"
    theirs = await shop.control("GET", session)
    assert theirs["refunded_minor"] == theirs["captured_minor"] - (999 if end == "lost" else 0)
    await shop.proved()


async def test_a_warning_does_not_stop_giving_back_and_a_credit_books_its_dispute(shop):
    """In time it avoids the dispute; what is credited after all has its dispute as any other."""
    await shop.mischief(wrong_amount=True)
    payment = await shop.paid()
    await in_review(shop, payment)
    await dispute(shop, payment, "warning")
    assert (await decided(shop, payment, "refund"))["state"] == "refunded"
    await shop.mischief(drop=1.0)
    second = await shop.paid()
    await flag(shop.web.engines.database, second["id"], "somebody called", "provider")
    made = await shop.dispute(second)
    assert (await decided(shop, second, "credit"))["state"] == "credited"
    await shop.until_claim(made, "frozen")
    assert await shop.coins() == 0
    await shop.proved()
