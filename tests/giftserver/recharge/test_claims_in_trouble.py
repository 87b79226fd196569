"""Claims while something fails, comes late, or comes twice: one holds up no other, and none is booked out of turn."""

import asyncio
from dataclasses import replace

import pytest

from giftserver.durable.claims import begin, due_claims
from giftserver.durable.holds import place_hold
from giftserver.errors import Refusal
from giftserver.ledger import keys
from giftserver.recharge.claims import ClaimKeeper
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.provider import DisputeNews, ProviderAway
from giftserver.recovery.coordinator import Coordinator
from tests.giftserver.recharge.buyers import is_held, refund, send
from tests.giftserver.shop import Shop


async def heard(shop: Shop, id: str) -> None:
    """Return when a dispute is known here."""
    async with asyncio.timeout(10):
        while await shop.claim(id) is None:
            await shop.events.step()


async def steps(shop: Shop, count: int = 6) -> None:
    """The worker's claims go on; nothing else of it does."""
    for _ in range(count):
        await shop.claims.step()


async def test_a_hold_ends_only_after_the_frozen_coins_have_left(bought):
    """The carrier is late: a claim that is over frees no coin that PostgreSQL has taken already."""
    shop, payment = bought
    dispute = await shop.dispute(payment)
    await heard(shop, dispute)
    await steps(shop, 4)
    assert (await shop.claim(dispute)).state == "frozen"
    await shop.decide(dispute, "lost")
    async with asyncio.timeout(10):
        while (await shop.claim(dispute)).wanted != "lost":
            await shop.events.step()
    await steps(shop)
    assert (await shop.claim(dispute)).state == "lost"
    assert isinstance(await send(shop, 7), Refusal)
    await shop.web.settle()
    assert await shop.coins() == 0
    await shop.proved()


async def test_an_old_page_takes_no_claim_back(bought):
    """Another worker read the claim before it moved: its step changes nothing."""
    shop, payment = bought
    dispute = await shop.dispute(payment)
    await heard(shop, dispute)
    (due,) = await due_claims(shop.web.engines.database, 10)
    await shop.until_claim(dispute, "frozen")
    await begin(shop.web.engines.database, due)
    await steps(shop)
    assert (await shop.claim(dispute)).state == "frozen"
    await shop.proved()


async def test_one_wallet_that_fails_holds_up_no_other(bought, monkeypatch):
    """A server of the ledger is away for one buyer: the other one's hold comes all the same."""
    shop, payment = bought
    second = await shop.paid("ben")
    await shop.until_state(second["id"], "credited", "ben")
    for one in (payment, second):
        await heard(shop, await shop.dispute(one))
    wallets = shop.web.services.ledger.wallets
    real = wallets.set_state

    async def away(user: str, number: int, *, held: bool) -> int | None:
        if user == "ana":
            raise TimeoutError
        return await real(user, number, held=held)

    monkeypatch.setattr(wallets, "set_state", away)
    await steps(shop)
    assert isinstance(await send(shop, 1, "ben"), Refusal)


async def test_a_refund_that_waits_for_its_provider_holds_up_nobody(bought, monkeypatch):
    """The provider is asked now and then; other claims go on, and the buyer may spend what is left."""
    shop, payment = bought
    second = await shop.paid("ben")
    await shop.until_state(second["id"], "credited", "ben")
    asked = []

    async def pending(ref: str, amount_minor: int, key: str) -> bool:
        asked.append(key)
        raise ProviderAway("pending")

    monkeypatch.setattr(shop.inquiry.providers["sandbox"], "refund", pending)
    id = (await refund(shop, payment, 500)).json()["id"]
    await shop.until_claim(id, "frozen")
    dispute = await shop.dispute(second)
    await shop.until_claim(dispute, "frozen")
    for _ in range(20):
        await shop.work()
        await shop.claims.step()
    assert len(asked) == 1
    assert not await is_held(shop)
    await shop.proved()


async def test_a_provider_that_is_gone_holds_up_no_other(bought):
    """A refund of a provider that the settings name no more waits; a dispute goes on."""
    shop, payment = bought
    second = await shop.paid("ben")
    await shop.until_state(second["id"], "credited", "ben")
    database = shop.web.engines.database
    shop.claims = ClaimKeeper(database, shop.web.services.ledger.wallets, Inquiry(database, {}), shop.metrics)
    waiting = (await refund(shop, payment, 500)).json()["id"]
    await shop.until_claim(await shop.dispute(second), "frozen")
    assert (await shop.claim(waiting)).state in ("waiting", "holding", "frozen")


async def test_money_that_is_disputed_is_not_refunded_as_well(bought):
    """Asked first, frozen last: a refund beside a dispute of the whole pays nothing; the dispute takes all coins."""
    shop, payment = bought
    id = (await refund(shop, payment, 500)).json()["id"]
    dispute = await shop.dispute(payment)
    await heard(shop, dispute)
    await shop.until_claim(id, "won")
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    await shop.until_claim(dispute, "lost")
    assert (await shop.control("GET", f"/v1/sessions/{await shop.session(payment)}"))["refunded_minor"] == 0
    assert (await shop.balance("clearing", "sandbox"), await shop.balance("charged_back")) == (0, 999)
    assert await shop.coins() == 0
    await shop.proved()


async def test_parts_never_come_to_more_coins_than_there_are(bought, monkeypatch):
    """A part that failed is asked again after another one was paid: rounding takes no coin that is not there."""
    shop, payment = bought
    willing = {499}

    async def pay(ref: str, amount_minor: int, key: str) -> bool:
        return amount_minor in willing

    monkeypatch.setattr(shop.inquiry.providers["sandbox"], "refund", pay)
    first, second = [(await refund(shop, payment, part)).json()["id"] for part in (500, 499)]
    await shop.until_claim(first, "won")
    await shop.until_claim(second, "lost")
    willing.add(500)
    await shop.until_claim((await refund(shop, payment, 500)).json()["id"], "lost")
    assert await shop.coins() == 0
    await shop.proved()


async def test_a_dispute_that_is_won_before_anything_is_frozen_just_ends(bought):
    """Also while the flusher stands still: the wallet is free again."""
    shop, payment = bought
    await send(shop, 3)
    dispute = await shop.dispute(payment)
    await heard(shop, dispute)
    await steps(shop)
    assert (await shop.claim(dispute)).state == "holding"
    await shop.decide(dispute, "won")
    async with asyncio.timeout(10):
        while (await shop.claim(dispute)).state != "won":
            await shop.events.step()
            await shop.claims.step()
    await steps(shop)
    assert not await is_held(shop)


async def test_a_reopened_shard_knows_its_holds(bought):
    """A Redis that came back without its last second lets nobody spend from a wallet on hold, not for a moment."""
    shop, _ = bought
    redis, name = shop.web.engines.ledger_redis, keys.wallet(keys.shard_of("ana"), "ana")
    async with shop.web.engines.database.begin() as connection:
        await place_hold(connection, "ana", "case:1", "a test")
    before = await redis.hgetall(name)
    await steps(shop)
    await redis.delete(name)
    await redis.hset(name, mapping=before)  # as if the hold had been in the second that is lost
    await redis.hset(keys.meta(keys.shard_of("ana")), "run", "another run")
    coordinator = Coordinator(shop.web.engines.database, redis)
    await coordinator.settle()
    assert await is_held(shop)


@pytest.mark.parametrize("amount", [0, -1, 10**13])
async def test_a_claim_of_no_amount_does_not_keep_coins_from_their_buyer(shop, amount, monkeypatch):
    """What cannot be a dispute is left out; the payment is credited all the same."""
    provider = shop.inquiry.providers["sandbox"]
    real = provider.fetch

    async def odd(ref: str):
        found = await real(ref)
        return replace(found, disputes=(DisputeNews("dp_odd", amount, "open", "odd"),))

    monkeypatch.setattr(provider, "fetch", odd)
    payment = await shop.paid()
    await shop.until_state(payment["id"], "credited")
    assert await shop.coins() == 770
    assert await shop.claim("dp_odd") is None
