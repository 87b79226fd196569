"""A gift that is given back, and a claim that reaches it: its creator gives its diamonds back once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from giftserver.durable import claim_booking
from giftserver.durable.claims import want
from giftserver.durable.proof.claims import claims_are_booked
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.refunds import due_refunds, refund_gift
from tests.giftserver.recharge.buyers import send
from tests.giftserver.shop import Shop

DUE = """
    INSERT INTO refund_due (gift, reason)
    SELECT id, 'room_closed' FROM transfer WHERE kind = 'gift' AND quantity = :quantity
"""


async def gifts(shop: Shop, *quantities: int) -> None:
    """Ana sends gifts of so many hundred coins, and they are booked."""
    for quantity in quantities:
        await send(shop, quantity)
    await shop.web.settle()


async def due(shop: Shop, quantity: int) -> int:
    """The gift of this quantity is to be given back; its transfer."""
    async with shop.web.engines.database.begin() as connection:
        await connection.execute(text(DUE), {"quantity": quantity})
    (gift,) = await due_refunds(shop.web.engines.database)
    return gift


async def give_back(shop: Shop, quantity: int) -> None:
    """Give one back, as the worker does."""
    assert await refund_gift(shop.web.engines.database, await due(shop, quantity)) is not None


async def disputed(shop: Shop, payment: dict[str, Any]) -> str:
    """A dispute whose coins are frozen; its id."""
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    return dispute


async def test_what_was_clawed_back_is_not_taken_again(bought):
    """First lost, then given back: others' diamonds are not touched, and a claim won after all returns no more."""
    shop, payment = bought
    await gifts(shop, 2, 3)
    dispute = await disputed(shop, payment)
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert (claim.clawed_diamonds, await shop.balance("earnings", "mira")) == (500, 0)
    await shop.web.give_coins("ben", 100)
    await send(shop, 1, "ben")  # diamonds of somebody else's, which nobody may take
    await shop.web.settle()
    await give_back(shop, 3)
    claim = await shop.claim(dispute)
    assert (claim.clawed_diamonds, claim.owed_coins) == (200, 500)
    assert (await shop.balance("earnings", "mira"), await shop.balance("diamonds_issued")) == (100, -100)
    assert await shop.coins() == 300
    await shop.proved()
    await want(shop.web.engines.database, dispute, "won")
    await shop.until_claim(dispute, "won")
    assert (await shop.balance("earnings", "mira"), await shop.balance("diamonds_issued")) == (300, -300)
    assert await shop.coins() == 570
    await shop.proved()


async def test_what_was_given_back_is_not_clawed(bought):
    """Frozen, then given back, then lost: only the gift that stands is reached."""
    shop, payment = bought
    await gifts(shop, 2, 3)
    dispute = await disputed(shop, payment)
    await give_back(shop, 3)
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert (claim.clawed_diamonds, claim.owed_coins, await shop.balance("earnings", "mira")) == (200, 500, 0)
    assert await shop.balance("diamonds_issued") == 0
    await shop.proved()


async def test_both_at_once_take_the_diamonds_once(bought):
    """The worker gives gifts back while a claim is lost: whichever is first, nobody pays twice."""
    shop, payment = bought
    await gifts(shop, 2, 3)
    dispute = await disputed(shop, payment)
    await shop.web.give_coins("ben", 500)
    await send(shop, 5, "ben")
    await shop.web.settle()
    await shop.decide(dispute, "lost")
    gift = await due(shop, 3)
    await asyncio.gather(shop.until_claim(dispute, "lost"), refund_gift(shop.web.engines.database, gift))
    assert await shop.balance("earnings", "mira") == 500
    await shop.proved()


@pytest.mark.parametrize("back", [2, 3])
async def test_a_loss_of_the_platform_ends_when_the_gift_is_given_back(bought, monkeypatch, back):
    """Diamonds that were the creator's for good go with the gift: they are nobody's loss any more."""
    monkeypatch.setattr(claim_booking, "PENDING_DAYS", 0)
    shop, payment = bought
    await gifts(shop, 2, 3)
    dispute = await disputed(shop, payment)
    await shop.decide(dispute, "lost")
    assert (await shop.until_claim(dispute, "lost")).lost_diamonds == 500
    await give_back(shop, back)
    assert (await shop.claim(dispute)).lost_diamonds == 500 - 100 * back
    assert await shop.balance("earnings", "mira") == 500 - 100 * back
    await shop.proved()


WRONG = {
    "UPDATE claim SET lost_diamonds = lost_diamonds + 7": "and 7 lost; the gifts it reached say",
    "UPDATE claim SET clawed_diamonds = clawed_diamonds + 7": "207 diamonds taken back",
    "UPDATE claim_gift SET diamonds = diamonds + 7": "which was given back",
    "UPDATE entry SET amount = amount - 7 WHERE amount = -500": "claims moved",
    "UPDATE claim SET repaid_coins = 7": "owed of ana",
    "UPDATE claim SET coins = coins - 1, owed_coins = owed_coins - 1": "which bought 770 of 770 coins, and have 769",
    "UPDATE claim SET amount_minor = amount_minor - 2": "its claims are about 997 of 999",
}


async def test_verify_finds_diamonds_that_are_not_accounted_for(bought):
    """Each way in which a claim's diamonds and debts can be wrong is a violation."""
    shop, payment = bought
    await gifts(shop, 2, 3)
    dispute = await disputed(shop, payment)
    await shop.decide(dispute, "lost")
    await shop.until_claim(dispute, "lost")
    await give_back(shop, 3)
    await shop.proved()
    database = shop.web.engines.database
    for statement, words in WRONG.items():
        async with database.connect() as connection:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            await connection.execute(text(statement))
            claims = Invariant("claims")
            await claims_are_booked(connection, claims)
            assert any(words in violation for violation in claims.violations), (statement, claims.violations)
            await connection.rollback()
