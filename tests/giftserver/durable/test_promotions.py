"""Promotions that are held by orders: one first purchase for each person, and no more uses than there are."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from giftserver.durable.payments import PromotionTaken, create_payment, holder_of, promotions_used
from giftserver.recharge.prices import Promotion
from giftserver.recharge.states import State
from tests.giftserver.durable.orders import FIRST, hear, new_order, order

OTHER = Promotion("other", "Other", bonus_percent=20, bonus_coins_max=200, first_purchase=True)
TWICE = Promotion("twice", "Twice", bonus_percent=10, bonus_coins_max=100, uses_max=2)


async def test_two_first_purchases_are_not_held_by_two_orders(book):
    """Different promotions, ordered one after the other or at once: one of them, whoever holds it is found."""
    made = await order(book, bonus_coins=70, promotion=FIRST)
    with pytest.raises(PromotionTaken):
        await create_payment(book.engine, new_order(bonus_coins=140, promotion=OTHER))
    assert (await holder_of(book.engine, "ana", OTHER)).id == made.id
    assert await promotions_used(book.engine, "ana") == (False, set())
    await hear(book, made, State.AUTHORISED)
    assert await promotions_used(book.engine, "ana") == (True, {"first"})
    attempts = [create_payment(book.engine, new_order("ben", bonus_coins=70, promotion=one)) for one in (FIRST, OTHER)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(one) for one in results].count(PromotionTaken) == 1
    with pytest.raises(IntegrityError, match="payment_first_purchase_once"):
        await book.run(
            "INSERT INTO payment (id, user_id, key, request_hash, provider, coins, amount_minor, currency, country, "
            "price_version, promotion, promotion_held, first_purchase, expires_at) VALUES ('x', 'ana', 'k', 'h', "
            "'sandbox', 1, 1, 'USD', 'US', 0, 'third', true, true, now())"
        )


async def test_late_first_purchases_have_one_bonus_together(book):
    """While another order holds one, there is none. Both cancelled, and paid at once: the coins of both, one bonus."""
    late_one = await order(book, "dora", bonus_coins=70, promotion=FIRST)
    await hear(book, late_one, State.CANCELLED)
    holder = await order(book, "dora", bonus_coins=70, promotion=OTHER)
    assert (await hear(book, late_one)).credited_coins == 700
    assert (await hear(book, holder)).credited_coins == 770
    for user in ("ana", "ben", "cleo"):
        late = []
        for promotion in (FIRST, OTHER):
            made = await order(book, user, bonus_coins=70, promotion=promotion)
            await hear(book, made, State.CANCELLED)
            late.append(made)
        done = await asyncio.gather(*(hear(book, one) for one in late))
        assert sorted(one.credited_coins for one in done) == [700, 770]
        assert [one.payment.review for one in done] == [None, None]


async def test_who_bought_meanwhile_has_no_first_purchase_late(book):
    """An order without any offer was paid first."""
    made = await order(book, bonus_coins=70, promotion=FIRST)
    await hear(book, made, State.EXPIRED)
    await hear(book, await order(book))
    assert (await hear(book, made)).credited_coins == 700


async def test_late_payments_do_not_pass_the_uses_of_a_promotion(book):
    """Four orders let it go, two others took it: paid after all, they have no bonus. Of four at once two have it."""
    late = []
    for user in ("ana", "ben", "cleo", "dora"):
        made = await order(book, user, bonus_coins=70, promotion=TWICE)
        await hear(book, made, State.CANCELLED)
        late.append(made)
    others = [await order(book, user, bonus_coins=70, promotion=TWICE) for user in ("eva", "finn")]
    assert (await hear(book, late[0])).credited_coins == 700
    for one in others:
        await hear(book, one, State.CANCELLED)
    done = await asyncio.gather(*(hear(book, one) for one in (*late[1:], *others)))
    assert sorted(one.credited_coins for one in done) == [700, 700, 700, 770, 770]
