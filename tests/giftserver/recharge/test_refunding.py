"""Money that goes back: by the provider, by an operator, and what is told of it."""

import asyncio

import pytest

from giftserver.durable.holds import holds_of
from giftserver.durable.payment_story import payment_lines, payment_story
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
