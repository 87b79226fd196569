"""Money that goes back: by the provider, by an operator, and what is told of it."""

import asyncio

import pytest
from sqlalchemy import text

from giftserver.durable.holds import holds_of
from giftserver.durable.payment_story import payment_lines, payment_story
from giftserver.durable.payments import payment_by_id
from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import is_held, refund, send
from tests.giftserver.shop import new_key


async def test_a_provider_that_gave_money_back_takes_the_coins(bought):
    """A refund made at the provider, whole or in part: its coins go, and the payment says so."""
    shop, payment = bought
    session = await shop.session(payment)
    await shop.control("POST", f"/v1/sessions/{session}/refunds", {"amount_minor": 499}, **{"idempotency-key": "a"})
    await shop.until_claim(f"{payment['id']}-refunded-499", "lost")
    assert (await shop.payment(payment["id"]))["state"] == "partially_refunded"
    assert await shop.coins() == 770 - 770 * 499 // 999
    await shop.proved()
    await shop.control("POST", f"/v1/sessions/{session}/refunds", {"amount_minor": 500}, **{"idempotency-key": "b"})
    await shop.until_claim(f"{payment['id']}-refunded-999", "lost")
    assert (await shop.payment(payment["id"]))["state"] == "refunded"
    assert (await shop.coins(), await shop.balance("revenue")) == (0, 0)
    await shop.proved()
    assert await holds_of(shop.web.engines.database, "ana") == []


async def test_an_operator_gives_money_back_for_unspent_coins(bought):
    """Coins first, then the money, once for each key; the buyer may go on with the rest."""
    shop, payment = bought
    key = new_key()
    answers = await asyncio.gather(*(refund(shop, payment, 500, key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    id = answers[0].json()["id"]
    await shop.until_claim(id, "lost")
    assert await shop.coins() == 770 - 770 * 500 // 999
    assert (await shop.control("GET", f"/v1/sessions/{await shop.session(payment)}"))["refunded_minor"] == 500
    await shop.events.step()
    assert_refused(await refund(shop, payment, 500, new_key()), 409, "refund_too_large")
    assert (await shop.payment(payment["id"]))["state"] == "partially_refunded"
    await shop.proved()
    assert not await is_held(shop)


@pytest.mark.parametrize("why", ["spent", "refused"])
async def test_a_refund_that_cannot_be_paid_leaves_everything_as_before(bought, why):
    """Spent coins are not refunded, and coins come back when the provider does not pay."""
    shop, payment = bought
    if why == "spent":
        await send(shop, 7)
    else:
        await shop.control("PUT", f"/v1/sessions/{await shop.session(payment)}/mischief", {"refund_fails": True})
    before = await shop.web.services.ledger.balance("ana")
    id = (await refund(shop, payment, 999, new_key())).json()["id"]
    await shop.until_claim(id, "won")
    assert await shop.coins() == before
    assert await shop.balance("clearing", "sandbox") == 999
    await shop.proved()
    assert not await is_held(shop) or before < 100


@pytest.mark.parametrize("told", ["by a webhook", "only when asked"])
async def test_a_refund_that_fails_later_brings_the_coins_back_once(bought, told):
    """Paid, said the provider, and then the money came back to it: coins, money and the payment are as before."""
    shop, payment = bought
    parts = [(await refund(shop, payment, part)).json()["id"] for part in (500, 499)]
    for part in parts:
        await shop.until_claim(part, "lost")
    assert (await shop.coins(), (await shop.payment(payment["id"]))["state"]) == (0, "refunded")
    path = f"/v1/sessions/{await shop.session(payment)}"
    made = (await shop.control("GET", path))["refunds"]
    if told == "only when asked":
        await shop.control("PUT", f"{path}/mischief", {"drop": 1.0})
    for _ in range(2):  # the same again changes nothing
        await shop.control("POST", f"{path}/refunds/{made[0]['id']}/fail")
    if told == "only when asked":
        async with shop.web.engines.database.begin() as connection:
            await connection.execute(text("UPDATE payment SET ask_again_at = ask_again_at - interval '1 hour'"))
        await shop.reconciler().step()
    await shop.until_claim(parts[0], "won")
    coins = 770 - 770 * 499 // 999  # rounding is in the buyer's favour, whichever part came back
    assert await shop.coins() == coins
    found = await shop.payment(payment["id"])
    assert (found["state"], found["steps"][-1]["detail"]) == ("partially_refunded", "refund failed")
    assert (await shop.balance("clearing", "sandbox"), await shop.balance("revenue")) == (500, -500)
    stored = await payment_by_id(shop.web.engines.database, payment["id"])
    await asyncio.gather(*(shop.inquiry.about(stored, "reconciler") for _ in range(4)))
    await shop.proved()
    assert (await shop.coins(), (await shop.claim(parts[1])).state) == (coins, "lost")
    assert not await is_held(shop)
    await shop.control("POST", f"{path}/refunds/{made[1]['id']}/fail")
    await shop.inquiry.about(stored, "reconciler")
    await shop.until_claim(parts[1], "won")
    assert (await shop.payment(payment["id"]))["state"] == "credited"
    await shop.proved()


async def test_an_answer_that_is_older_than_a_refunds_failure_takes_no_coins(bought):
    """It still counts the refund as paid: that is no refund of the provider's own."""
    shop, payment = bought
    part = (await refund(shop, payment, 500)).json()["id"]
    await shop.until_claim(part, "lost")
    stored = await payment_by_id(shop.web.engines.database, payment["id"])
    provider = shop.inquiry.providers["sandbox"]
    older = await provider.fetch(stored.provider_ref)
    (made,) = (await shop.control("GET", f"/v1/sessions/{stored.provider_ref}"))["refunds"]
    await shop.control("POST", f"/v1/sessions/{stored.provider_ref}/refunds/{made['id']}/fail")
    await shop.until_claim(part, "won")
    await shop.inquiry.heard(provider, older, "provider")
    assert await shop.claim(f"{payment['id']}-refunded-500") is None
    await shop.proved()
    assert await shop.coins() == 770


async def test_operators_see_who_bears_what(bought):
    """The payment's page of an operator has steps, claims and the gifts that were reached; viewers have none of it."""
    shop, payment = bought
    await send(shop, 3)
    dispute = await shop.dispute(payment)
    operator = shop.web.bearer("olga", "admin")
    other = await shop.ordered(bonus_coins=0)
    for state in ("frozen", "lost"):
        if state == "lost":
            await shop.decide(dispute, state)
        await shop.until_claim(dispute, state)
        listed = (await shop.web.http.get("/v1/ops/payments?user=ana", headers=operator)).json()
        disputes = {one["id"]: (one["state"], one["dispute"]) for one in listed["payments"]}
        assert disputes == {payment["id"]: ("credited", state), other["id"]: ("pending", None)}
    path = f"/v1/ops/payments/{payment['id']}"
    assert_refused(await shop.web.http.get(path, headers=shop.web.bearer("ana")), 403, "forbidden")
    found = (await shop.web.http.get(path, headers=operator)).json()
    assert (found["dispute"], found["holds"]) == ("lost", [f"payment {payment['id']}: dispute"])
    (claim,) = found["claims"]
    assert (claim["frozen_coins"], claim["owed_coins"], claim["clawed_diamonds"]) == (470, 300, 300)
    assert [(gift["creator"], gift["coins"]) for gift in claim["gifts"]] == [("mira", 300)]
    told = await payment_story(shop.web.engines.database, payment["id"])
    words = "\n".join(payment_lines(told))
    assert "owes 300 spent ones" in words
    assert "creators gave back 300 diamonds" in words
