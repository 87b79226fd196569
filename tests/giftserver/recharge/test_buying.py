"""Buying coins: from the order to coins that can be spent, and every way it can go wrong for the buyer."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlalchemy import text

from giftserver.auth.tokens import mint
from giftserver.durable.verify import verify
from giftserver.recharge.provider import Snapshot
from giftserver.web import payments
from tests.giftserver.conftest import add_rooms, assert_refused
from tests.giftserver.shop import CARD, new_key


async def test_coins_are_bought_and_spent(shop):
    """Order, pay on the hosted page, and the coins with the first purchase's bonus can be given away."""
    payment = await shop.ordered()
    assert payment["state"] == "pending"
    back = await shop.pay(payment)
    assert back.status_code == 303
    assert f"/wallet?payment={payment['id']}" in back.headers["location"]
    done = await shop.until_state(payment["id"], "credited")
    assert [step["state"] for step in done["steps"]][-2:] == ["succeeded", "credited"]
    assert (done["checkout_url"], done["method"]) == (None, "card")
    assert await shop.coins() == 770
    await add_rooms(shop.web.engines)
    await shop.web.send_gift("ana", new_key())
    await shop.web.settle()
    assert await shop.coins() == 769
    report = await verify(shop.web.engines.database, shop.web.engines.ledger_redis)
    assert report.holds, report.render()


async def test_three_d_secure_passes_through_its_state(shop):
    """The bank asks: until the buyer has answered nothing is credited."""
    payment = await shop.ordered()
    await shop.pay(payment, **{**CARD, "number": "4000000000003220"})
    await shop.until_state(payment["id"], "requires_action")
    assert await shop.coins() == 0
    await shop.answer_bank(payment, "yes")
    await shop.until_state(payment["id"], "credited")
    assert await shop.coins() == 770


DECLINES = {
    "4000000000000002": "card_declined",
    "4000000000009995": "insufficient_funds",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
    "4000000000000119": "processing_error",
    "4000000000009987": "lost_card",
    "4000000000004954": "highest_risk",
}


async def test_every_decline_is_told_and_the_next_try_can_succeed(shop):
    """A declined card leaves the order open with the reason; another card pays it, once."""
    payment = await shop.ordered()
    for tries, (number, reason) in enumerate(list(DECLINES.items())[:4], 1):
        await shop.pay(payment, **{**CARD, "number": number})
        async with asyncio.timeout(10):
            while (found := await shop.payment(payment["id"]))["decline"] != reason:
                await shop.work()
        assert found["state"] == "pending", tries
    await shop.pay(payment)
    done = await shop.until_state(payment["id"], "credited")
    assert done["decline"] is None
    assert await shop.coins() == 770


@pytest.mark.parametrize(("number", "reason"), list(DECLINES.items())[4:])
async def test_five_declines_end_the_order(shop, number, reason):
    """After the last try the order is failed and says why; nothing is credited."""
    payment = await shop.ordered()
    for _ in range(5):
        await shop.pay(payment, **{**CARD, "number": number})
    done = await shop.until_state(payment["id"], "failed")
    assert done["decline"] == reason
    assert await shop.coins() == 0


async def test_a_refused_or_abandoned_bank_question_credits_nothing(shop):
    """No at the bank is a decline; silence ends with the session."""
    payment = await shop.ordered()
    await shop.pay(payment, **{**CARD, "number": "4000000000003220"})
    await shop.answer_bank(payment, "no")
    async with asyncio.timeout(10):
        while (await shop.payment(payment["id"]))["decline"] != "authentication_failed":
            await shop.work()
    await shop.pay(payment, **{**CARD, "number": "4000000000003220"})
    await shop.control("POST", f"/v1/sessions/{await shop.session(payment)}/expire")
    await shop.until_state(payment["id"], "expired")
    assert await shop.coins() == 0


async def test_a_bank_transfer_is_credited_when_the_money_is_there(shop):
    """Authorised is not paid: coins come when the transfer settles, and never when it bounces."""
    settled, bounced = await shop.ordered(), await shop.ordered("ben")
    for payment, user in ((settled, "ana"), (bounced, "ben")):
        await shop.pay(payment, method="bank")
        await shop.until_state(payment["id"], "authorised", user)
        assert await shop.coins(user) == 0
    await shop.control("POST", f"/v1/sessions/{await shop.session(settled)}/settle")
    await shop.control("POST", f"/v1/sessions/{await shop.session(bounced)}/settle", {"result": "bounced"})
    await shop.until_state(settled["id"], "credited")
    assert (await shop.until_state(bounced["id"], "failed", "ben"))["decline"] == "transfer_bounced"
    assert (await shop.coins(), await shop.coins("ben")) == (770, 0)


async def test_an_order_is_cancelled_only_while_nobody_paid(shop):
    """A cancelled checkout cannot be paid; a paid one is credited, whatever the buyer pressed."""
    unpaid, paid = await shop.ordered(), await shop.ordered("ben")
    await shop.pay(paid)
    for payment, user in ((unpaid, "ana"), (paid, "ben")):
        await shop.web.http.post(f"/v1/payments/{payment['id']}/cancel", headers=shop.web.bearer(user))
    assert (await shop.payment(unpaid["id"]))["state"] == "cancelled"
    assert (await shop.payment(paid["id"], "ben"))["state"] == "credited"
    assert (await shop.coins(), await shop.coins("ben")) == (0, 770)


async def test_an_order_is_made_once_for_a_key(shop):
    """The same key gives the same checkout, also in parallel; another order is refused, another's key is their own."""
    key = new_key()
    made = await asyncio.gather(*(shop.ordered(key=key) for _ in range(10)))
    assert len({one["id"] for one in made}) == 1
    assert len({one["checkout_url"] for one in made}) == 1
    assert_refused(await shop.order(key=key, pack="coins-350", amount_minor=499, bonus_coins=35), 409, "key_reused")
    assert (await shop.ordered("ben", key=key))["id"] != made[0]["id"]


WRONG = {
    "a lower price": ({"amount_minor": 1}, 409, "price_changed"),
    "another currency": ({"currency": "JPY"}, 409, "price_changed"),
    "a larger bonus": ({"bonus_coins": 700}, 409, "price_changed"),
    "an unknown pack": ({"pack": "coins-1"}, 400, "bad_request"),
    "pack and coins": ({"coins": 700}, 400, "bad_request"),
    "neither": ({"pack": None}, 400, "bad_request"),
    "too few coins": ({"pack": None, "coins": 29}, 400, "bad_request"),
    "too many coins": ({"pack": None, "coins": 2_500_001}, 400, "bad_request"),
    "no coins": ({"pack": None, "coins": 0}, 400, "bad_request"),
    "half a coin": ({"pack": None, "coins": 70.5}, 400, "bad_request"),
    "coins as text": ({"pack": None, "coins": "700"}, 400, "bad_request"),
    "true coins": ({"pack": None, "coins": True}, 400, "bad_request"),
    "a negative price": ({"amount_minor": -999}, 400, "bad_request"),
    "an unknown code": ({"code": "NOTHING"}, 409, "promotion_refused"),
    "a strange code": ({"code": "<script>"}, 400, "bad_request"),
    "no such provider": ({"provider": "stripe"}, 404, "recharges_off"),
    "a key that is none": ({"key": "1"}, 400, "bad_request"),
    "something unknown": ({"state": "credited"}, 400, "bad_request"),
}


async def test_an_order_that_is_not_for_sale_is_refused(shop):
    """The server's price counts, and its words tell the way out; no order is left behind."""
    for changes, status, code in WRONG.values():
        assert_refused(await shop.order(**changes), status, code)
    answer = await shop.web.http.get("/v1/payments", headers=shop.web.bearer("ana"))
    assert answer.json() == {"payments": [], "next": None}


async def test_a_custom_amount_costs_what_the_quote_said(shop):
    """Any number of coins, rounded up to a whole cent."""
    quote = await shop.web.http.get("/v1/store/quote?coins=1234", headers=shop.web.bearer("ana"))
    terms = quote.json()
    assert (terms["amount_minor"], terms["bonus_coins"]) == (1_765, 123)
    payment = await shop.ordered(pack=None, coins=1_234, amount_minor=1_765, bonus_coins=123)
    await shop.pay(payment)
    await shop.until_state(payment["id"], "credited")
    assert await shop.coins() == 1_357


async def test_the_first_purchase_is_the_first_one_once(shop):
    """After it the store shows no bonus, and who still asks for one is told the price without."""
    await shop.until_state((await shop.paid())["id"], "credited")
    store = (await shop.web.http.get("/v1/store", headers=shop.web.bearer("ana"))).json()
    assert store["offers"] == []
    assert {pack["bonus_coins"] for pack in store["packs"]} == {0}
    refused = assert_refused(await shop.order(), 409, "price_changed")
    assert refused["bonus_coins"] == 0
    await shop.ordered(bonus_coins=0)


async def test_a_second_order_takes_the_bonus_over_from_one_nobody_paid(shop):
    """Who turns back and orders again has the bonus still; the first checkout is closed."""
    first = await shop.ordered()
    second = await shop.ordered(pack="coins-350", amount_minor=499, bonus_coins=35)
    assert (await shop.payment(first["id"]))["state"] == "cancelled"
    await shop.pay(second)
    await shop.until_state(second["id"], "credited")
    assert await shop.coins() == 385


async def test_prices_follow_the_country(shop):
    """The platform's token says where somebody is; minor units are the currency's own."""
    token = mint(shop.web.settings, "yui", "Yui", "viewer", None, 600, "JP")
    store = (await shop.web.http.get("/v1/store", headers={"authorization": f"Bearer {token}"})).json()
    assert (store["country"], store["currency"], store["exponent"]) == ("JP", "JPY", 0)
    assert store["packs"][0]["amount_minor"] == 150


async def test_nobody_sees_anothers_payment(shop):
    """It is as if it were not there."""
    payment = await shop.ordered()
    for path in ("", "/check", "/cancel"):
        method = "POST" if path else "GET"
        answer = await shop.web.http.request(
            method, f"/v1/payments/{payment['id']}{path}", headers=shop.web.bearer("ben")
        )
        assert_refused(answer, 404, "payment_not_found")
    assert (await shop.payment(payment["id"]))["state"] == "pending"


async def test_a_provider_that_is_away_is_told_and_the_same_key_goes_on(shop):
    """Nothing is charged; when it is back the same order has its checkout."""
    await shop.mischief(create_fails=1)
    key = new_key()
    assert_refused(await shop.order(key=key), 503, "unavailable")
    payment = await shop.ordered(key=key)
    await shop.pay(payment)
    await shop.until_state(payment["id"], "credited")
    answer = await shop.web.http.get("/v1/payments", headers=shop.web.bearer("ana"))
    assert [one["id"] for one in answer.json()["payments"]] == [payment["id"]]


async def test_a_provider_is_asked_about_an_order_once_in_a_while(shop, monkeypatch):
    """Whoever presses again and again is told to wait, also in parallel; a moment later it is asked again."""
    payment = await shop.ordered()
    provider, asked = shop.web.services.recharges.providers["sandbox"], []
    real = provider.fetch

    async def counted(ref: str) -> Snapshot | None:
        asked.append(ref)
        return await real(ref)

    monkeypatch.setattr(provider, "fetch", counted)

    async def post(verb: str) -> httpx.Response:
        return await shop.web.http.post(f"/v1/payments/{payment['id']}/{verb}", headers=shop.web.bearer("ana"))

    for count in (1, 2):
        answers = await asyncio.gather(*(post("check") for _ in range(20)))
        assert Counter(one.status_code for one in answers) == {200: 1, 429: 19}
        refused = next(one for one in answers if one.status_code == 429)
        assert_refused(refused, 429, "rate_limited")
        assert 0 < refused.json()["error"]["retry_after_ms"] <= 3_000
        assert len(asked) == count
        async with shop.web.engines.database.begin() as connection:
            await connection.execute(text("UPDATE payment SET asked_at = asked_at - interval '3 s'"))
    asked.clear()
    assert payments.CANCEL_EVERY_S == 0.5
    monkeypatch.setattr(payments, "CANCEL_EVERY_S", 3.0)  # so long as twenty may take on a busy machine
    answers = await asyncio.gather(*(post("cancel") for _ in range(20)))
    assert 200 in {one.status_code for one in answers} <= {200, 429}
    assert len(asked) == 1
    assert (await post("cancel")).status_code == 200, "it has ended: nobody is asked"
    assert len(asked) == 1
    assert (await shop.payment(payment["id"]))["state"] == "cancelled"
