"""Disputes and refunds: coins, diamonds and money end where they must, and `verify` is clean at every stage."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from giftserver.durable import claim_booking
from giftserver.durable.claim_booking import freeze
from giftserver.durable.claims import due_claims, want
from giftserver.durable.holds import holds_of
from giftserver.durable.payment_moves import apply
from giftserver.durable.payments import payment_by_id
from giftserver.errors import Refusal
from giftserver.ledger import keys
from tests.giftserver.recharge.buyers import is_held, send


async def test_a_warning_that_is_closed_books_nothing(bought):
    """The bank asked, and was content: no coin moved, nobody was held."""
    shop, payment = bought
    dispute = await shop.dispute(payment, "warning")
    await shop.until_claim(dispute, "waiting")
    assert not await is_held(shop)
    await shop.decide(dispute, "closed")
    await shop.until_claim(dispute, "won")
    assert await shop.balance("clearing", "sandbox") == 999
    await shop.proved()


async def test_an_open_dispute_freezes_what_is_unspent_and_holds_the_wallet(bought):
    """The provider keeps the money, 470 unspent coins are frozen, and nothing can be sent."""
    shop, payment = bought
    await send(shop, 3)
    claim = await shop.until_claim(await shop.dispute(payment), "frozen")
    assert (claim.coins, claim.frozen_coins) == (770, 470)
    assert await shop.coins() == 0
    assert await shop.balance("frozen", "ana") == 470
    assert (await shop.balance("clearing", "sandbox"), await shop.balance("disputed", "sandbox")) == (0, 999)
    assert await is_held(shop)
    assert (await shop.payment(payment["id"]))["steps"][-1]["detail"] == "disputed"
    await shop.proved()


@pytest.mark.parametrize("way", ["open", "warning"])
async def test_a_won_dispute_leaves_everything_as_before(bought, way):
    """Coins, money and the wallet's freedom come back, whether it began with a warning or not."""
    shop, payment = bought
    await send(shop, 3)
    dispute = await shop.dispute(payment, way)
    if way == "warning":
        await shop.until_claim(dispute, "waiting")
        await shop.decide(dispute, "open")
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "won")
    await shop.until_claim(dispute, "won")
    assert await shop.coins() == 470
    assert (await shop.balance("clearing", "sandbox"), await shop.balance("disputed", "sandbox")) == (999, 0)
    assert await shop.balance("earnings", "mira") == 300
    await shop.proved()
    assert not await is_held(shop)


async def test_a_lost_dispute_of_unspent_coins_takes_them_and_no_more(bought):
    """The coins go back to where they came from, paid ones and bonus; the buyer owes nothing and may go on."""
    shop, payment = bought
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert (claim.owed_coins, claim.clawed_diamonds, claim.lost_diamonds) == (0, 0, 0)
    assert (await shop.balance("coins_sold"), await shop.balance("promotions")) == (0, 0)
    assert (await shop.balance("charged_back"), await shop.balance("clearing", "sandbox")) == (999, 0)
    await shop.proved()
    assert await holds_of(shop.web.engines.database, "ana") == []


async def test_a_lost_dispute_of_spent_coins_claws_back_pending_diamonds(bought):
    """The creator gives back the diamonds of those gifts, the buyer owes the coins and stays on hold."""
    shop, payment = bought
    await send(shop, 7)
    dispute = await shop.dispute(payment)
    frozen = await shop.until_claim(dispute, "frozen")
    assert frozen.frozen_coins == 70
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert (claim.owed_coins, claim.clawed_diamonds, claim.lost_diamonds) == (700, 700, 0)
    assert (await shop.balance("owed", "ana"), await shop.balance("earnings", "mira")) == (700, 0)
    await shop.proved()
    assert await is_held(shop)
    answer = await shop.web.http.get("/v1/studio/harbour/earnings", headers=shop.web.bearer("mira", "creator"))
    assert (answer.json()["pending_diamonds"], answer.json()["paid_diamonds"]) == (0, 0)


async def test_the_wallet_says_what_is_set_aside(bought):
    """On hold, so many frozen, so many owed: the buyer can see where the coins are."""
    shop, payment = bought
    await send(shop, 3)
    wallet = (await shop.web.http.get("/v1/wallet", headers=shop.web.bearer("ana"))).json()
    assert (wallet["on_hold"], wallet["frozen_coins"], wallet["owed_coins"]) == (False, 0, 0)
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    wallet = (await shop.web.http.get("/v1/wallet", headers=shop.web.bearer("ana"))).json()
    assert (wallet["on_hold"], wallet["frozen_coins"], wallet["owed_coins"]) == (True, 470, 0)
    await shop.decide(dispute, "lost")
    await shop.until_claim(dispute, "lost")
    wallet = (await shop.web.http.get("/v1/wallet", headers=shop.web.bearer("ana"))).json()
    assert (wallet["on_hold"], wallet["frozen_coins"], wallet["owed_coins"]) == (True, 0, 300)


async def test_diamonds_that_are_the_creators_for_good_are_the_platforms_loss(bought, monkeypatch):
    """After their days of pending nothing is taken from a creator; the claim says what that cost."""
    monkeypatch.setattr(claim_booking, "PENDING_DAYS", 0)
    shop, payment = bought
    await send(shop, 7)
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert (claim.owed_coins, claim.clawed_diamonds, claim.lost_diamonds) == (700, 0, 700)
    assert await shop.balance("earnings", "mira") == 700
    await shop.proved()


async def test_lost_and_then_won_is_reversed_exactly(bought):
    """The bank changed its mind: coins, debt, diamonds and money are as if nothing had been."""
    shop, payment = bought
    await send(shop, 3)
    await shop.web.settle()
    before = {kind: await shop.balance(kind) for kind in ("coins_sold", "promotions", "diamonds_issued")}
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    await shop.until_claim(dispute, "lost")
    assert await shop.balance("owed", "ana") == 300
    await want(shop.web.engines.database, dispute, "won")  # a provider that reverses what it had decided
    claim = await shop.until_claim(dispute, "won")
    assert (claim.owed_coins, claim.frozen_coins, claim.clawed_diamonds) == (0, 0, 0)
    assert await shop.coins() == 470
    assert (await shop.balance("owed", "ana"), await shop.balance("earnings", "mira")) == (0, 300)
    assert {kind: await shop.balance(kind) for kind in before} == before
    assert (await shop.balance("charged_back"), await shop.balance("clearing", "sandbox")) == (0, 999)
    await shop.proved()
    assert not await is_held(shop)


async def test_a_dispute_about_a_part_claims_that_part_of_the_coins(bought):
    """Half of the money is half of the coins; all parts together are all coins, without a rounding left."""
    shop, payment = bought
    first = await shop.dispute(payment, amount_minor=500)
    claim = await shop.until_claim(first, "frozen")
    assert claim.frozen_coins == 770 * 500 // 999
    second = await shop.dispute(payment, amount_minor=499)
    rest = await shop.until_claim(second, "frozen")
    assert claim.frozen_coins + rest.frozen_coins == 770
    for dispute in (first, second):
        await shop.decide(dispute, "lost")
        await shop.until_claim(dispute, "lost")
    assert await shop.coins() == 0
    assert await shop.balance("charged_back") == 999
    await shop.proved()


async def test_only_the_disputed_purchase_is_claimed(bought):
    """Coins of an earlier purchase were spent first; the buyer keeps what else they have, once it is over."""
    shop, _ = bought
    second = await shop.paid(bonus_coins=0)
    await shop.until_state(second["id"], "credited")
    await send(shop, 5)
    dispute = await shop.dispute(second)
    claim = await shop.until_claim(dispute, "frozen")
    assert claim.frozen_coins == 700
    assert await shop.coins() == 270
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert claim.owed_coins == 0
    await shop.proved()
    assert not await is_held(shop)


async def test_an_old_purchase_is_spent_before_a_new_one(bought):
    """All coins of the first purchase are spent; coins bought later are not frozen for it."""
    shop, payment = bought
    second = await shop.paid(bonus_coins=0)
    await shop.until_state(second["id"], "credited")
    assert await shop.coins() == 1_470
    await send(shop, 8)
    claim = await shop.until_claim(await shop.dispute(payment), "frozen")
    assert (claim.coins, claim.frozen_coins) == (770, 0)
    assert await shop.coins() == 670
    await shop.proved()


async def test_a_claim_that_moved_meanwhile_is_not_booked_again(bought):
    """Two workers with the same claim in hand book it once."""
    shop, payment = bought
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "holding")
    (due,) = await due_claims(shop.web.engines.database, 10)
    await shop.until_claim(dispute, "frozen")
    assert await freeze(shop.web.engines.database, due) is None
    assert await shop.balance("frozen", "ana") == 770
    await shop.proved()


async def test_nothing_is_frozen_before_the_book_has_every_gift(bought):
    """Gifts that Redis took before the hold, and that wait for the flusher, are spent: the claim waits for them."""
    shop, payment = bought
    await send(shop, 3)
    dispute = await shop.dispute(payment)
    async with asyncio.timeout(10):
        while not await is_held(shop):
            await shop.work()
            await shop.claims.step()
    for _ in range(3):
        await shop.claims.step()
    assert (await shop.claim(dispute)).state == "holding"
    claim = await shop.until_claim(dispute, "frozen")
    assert claim.frozen_coins == 770 - await shop.balance("gifts_spent")
    await shop.proved()


async def test_gifts_that_race_a_dispute_are_all_counted(bought):
    """While the hold comes, gifts are sent: each one taken is in the book before anything is frozen."""
    shop, payment = bought
    dispute = await shop.dispute(payment)

    async def spend() -> int:
        replies = [await send(shop, 1) for _ in range(7)]
        return sum(not isinstance(reply, Refusal) for reply in replies)

    claim, taken = await asyncio.gather(shop.until_claim(dispute, "frozen"), spend())
    assert claim.frozen_coins == 770 - 100 * taken
    assert await shop.coins() == 0
    await shop.proved()


async def test_a_dispute_whose_webhooks_are_lost_is_found_by_asking(bought):
    """Credited payments are asked about again; what is found then is booked as if it had been told."""
    shop, payment = bought
    await shop.control("PUT", f"/v1/sessions/{await shop.session(payment)}/mischief", {"drop": 1.0})
    dispute = await shop.dispute(payment)
    assert await shop.reconciler().step() == 0
    async with shop.web.engines.database.begin() as connection:
        await connection.execute(text("UPDATE payment SET ask_again_at = ask_again_at - interval '1 hour'"))
    assert await shop.reconciler().step() == 1
    claim = await shop.until_claim(dispute, "frozen")
    assert claim.frozen_coins == 770
    assert await shop.reconciler().step() == 0


async def test_what_was_decided_is_not_undone_by_an_older_answer(bought):
    """Won stays won when an older answer comes late; lost after that is for a person, and books nothing by itself."""
    shop, payment = bought
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "won")
    await shop.until_claim(dispute, "won")
    stored = await payment_by_id(shop.web.engines.database, payment["id"])
    found = await shop.inquiry.providers["sandbox"].fetch(stored.provider_ref)
    older = replace(found, disputes=(replace(found.disputes[0], state="open"),))
    assert (await apply(shop.web.engines.database, payment["id"], older, "provider")).wrong is None
    assert (await shop.claim(dispute)).wanted == "won"
    again = replace(found, disputes=(replace(found.disputes[0], state="lost"),))
    assert (await apply(shop.web.engines.database, payment["id"], again, "provider")).wrong is not None
    await shop.claims.step()
    assert await shop.coins() == 770
    assert (await shop.payment(payment["id"]))["in_review"]


async def test_a_hold_survives_a_lost_redis(bought):
    """A wallet that is loaded anew is on hold still."""
    shop, payment = bought
    await shop.until_claim(await shop.dispute(payment), "frozen")
    await shop.web.engines.ledger_redis.delete(keys.wallet(keys.shard_of("ana"), "ana"))
    assert await is_held(shop)
    await shop.proved()
