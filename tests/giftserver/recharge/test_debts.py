"""Coins that somebody owes are paid off by what they buy next, and then they are free again."""

import asyncio
from typing import Any

from giftserver.durable.claims import want
from giftserver.durable.holds import holds_of, place_hold
from tests.giftserver.recharge.buyers import is_held, refund, send
from tests.giftserver.shop import Shop


async def lost(shop: Shop, payment: dict[str, Any], amount_minor: int = 999) -> str:
    """A dispute that the buyer's bank won; its id."""
    dispute = await shop.dispute(payment, amount_minor=amount_minor)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    await shop.until_claim(dispute, "lost")
    return dispute


async def buys(shop: Shop, **changes: Any) -> dict[str, Any]:
    """Ana buys, and has it credited."""
    payment = await shop.paid(**{"bonus_coins": 0, **changes})
    await shop.until_state(payment["id"], "credited")
    return payment


async def owes(shop: Shop) -> tuple[int, int]:
    """What ana owes, by the account and by what the store says before she pays."""
    store = (await shop.web.http.get("/v1/store", headers=shop.web.bearer("ana"))).json()
    return await shop.balance("owed", "ana"), store["owed_coins"]


async def test_a_purchase_pays_the_debt_first_and_the_hold_ends_with_it(bought):
    """The store says so before; a part leaves the hold, the rest ends it; what is over may be spent."""
    shop, payment = bought
    await send(shop, 7)
    dispute = await lost(shop, payment)
    assert await owes(shop) == (700, 700)
    small = await buys(shop, pack="coins-350", amount_minor=499)
    assert (await shop.coins(), await owes(shop)) == (0, (350, 350))
    assert (await shop.claim(dispute)).repaid_coins == 350
    await shop.proved()
    assert await is_held(shop)
    large = await buys(shop)
    assert (await shop.coins(), await owes(shop)) == (350, (0, 0))
    assert (await shop.payment(large["id"]))["steps"][-1]["detail"] == "350 coins of it paid what was owed"
    assert await holds_of(shop.web.engines.database, "ana") == []
    await shop.proved()
    assert not await is_held(shop)
    page = (await shop.web.http.get("/v1/wallet/history", headers=shop.web.bearer("ana"))).json()
    amounts = [(one["kind"], one["amount_coins"]) for one in page["entries"] if one["kind"] != "gift"]
    assert amounts[:4] == [("claim_repaid", -350), ("recharge", 700), ("claim_repaid", -350), ("recharge", 350)]
    assert small["id"] != large["id"]


async def test_another_reason_keeps_the_hold_and_debts_are_paid_oldest_first(bought):
    """Two lost disputes of one purchase; a case of somebody's holds on though the debts are gone."""
    shop, payment = bought
    await send(shop, 7)
    first, second = await lost(shop, payment, 499), await lost(shop, payment, 500)
    owed = [(await shop.claim(one)).owed_coins for one in (first, second)]
    assert sum(owed) == 700
    async with shop.web.engines.database.begin() as connection:
        await place_hold(connection, "ana", "look:1", "a test")
    await buys(shop, pack="coins-350", amount_minor=499)
    assert [(await shop.claim(one)).repaid_coins for one in (first, second)] == [owed[0], 350 - owed[0]]
    assert len(await holds_of(shop.web.engines.database, "ana")) == 2
    await buys(shop, pack="coins-350", amount_minor=499)
    assert await holds_of(shop.web.engines.database, "ana") == ["a test"]
    await shop.proved()
    assert await is_held(shop)


async def test_orders_that_are_paid_at_once_pay_a_debt_once(bought):
    """Four purchases booked in parallel: the debt is gone, the rest is the buyer's, and no coin is missing."""
    shop, payment = bought
    await send(shop, 7)
    await lost(shop, payment)
    orders = [await shop.paid(bonus_coins=0, pack="coins-350", amount_minor=499) for _ in range(4)]
    stored = [await shop.web.services.recharges.own("ana", order["id"]) for order in orders]
    await asyncio.gather(*(shop.inquiry.about(one, "reconciler") for one in stored))
    assert (await shop.coins(), await owes(shop)) == (4 * 350 - 700, (0, 0))
    await shop.proved()
    assert not await is_held(shop)


async def test_what_paid_a_debt_comes_back_when_the_claim_is_won_after_all(bought):
    """The bank changed its mind: nobody owed anything, so the coins that paid it are the buyer's again."""
    shop, payment = bought
    await send(shop, 7)
    dispute = await lost(shop, payment)
    await buys(shop, pack="coins-350", amount_minor=499)
    await want(shop.web.engines.database, dispute, "won")
    claim = await shop.until_claim(dispute, "won")
    assert (claim.owed_coins, claim.repaid_coins) == (0, 0)
    assert (await shop.coins(), await owes(shop)) == (70 + 350, (0, 0))
    await shop.proved()
    assert not await is_held(shop)


async def test_money_that_paid_a_debt_and_is_charged_back_is_owed_again(bought):
    """The second purchase is disputed, too: its coins are gone, its spent ones owed, whatever they paid for."""
    shop, payment = bought
    await send(shop, 7)
    await lost(shop, payment)
    second = await buys(shop)
    assert (await shop.coins(), await owes(shop)) == (0, (0, 0))
    await shop.until_claim((await refund(shop, second, 999)).json()["id"], "won")  # spent coins are not refunded
    await lost(shop, second)
    assert await owes(shop) == (700, 700)
    assert await shop.balance("charged_back") == 2 * 999
    await shop.proved()
    assert await is_held(shop)
