"""Payments: once for each key, moved by rank, credited once, and nothing of what was ordered ever changes."""

import asyncio
import itertools

import pytest
from sqlalchemy.exc import IntegrityError

from giftserver.durable.audit_log import Actor
from giftserver.durable.credits import pending_credits
from giftserver.durable.payment_moves import apply, flag
from giftserver.durable.payments import (
    UNPAID_MAX,
    PromotionTaken,
    TooManyOrders,
    create_payment,
    open_payments,
    payment_by_id,
    payments_of,
    promotions_used,
    steps_of,
)
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.proof.payments import payments_are_booked
from giftserver.durable.reviews import settle_review
from giftserver.durable.verify import verify
from giftserver.recharge.prices import Promotion
from giftserver.recharge.states import State
from tests.giftserver.durable.orders import FIRST, hear, new_order, order, said


async def proof(book) -> list[str]:
    invariant = Invariant("payments")
    async with book.engine.connect() as connection:
        await payments_are_booked(connection, invariant)
    return invariant.violations


async def test_a_paid_order_is_coins_for_the_buyer_and_money_at_the_provider(book):
    """The buyer gets the coins, the provider owes the money, and the credit is on its way to Redis."""
    made = await order(book)
    found = await hear(book, made)
    assert (found.payment.state, found.credited_coins) == (State.CREDITED, 700)
    assert await book.balance("ana") == 700
    assert await book.balance("sandbox", "clearing") == 999
    assert await book.balance("platform", "revenue") == -999
    (waiting,) = await pending_credits(book.engine)
    assert (waiting.user, waiting.coins, waiting.transfer) == ("ana", 700, found.payment.transfer)
    assert [(step.state, step.source) for step in await steps_of(book.engine, made.id)] == [
        ("created", "buyer"), ("succeeded", "provider"), ("credited", "ledger"),
    ]  # fmt: skip
    report = await verify(book.engine, book.redis)
    assert report.holds, report.render()


async def test_told_twenty_times_in_parallel_it_is_credited_once(book):
    """Twenty copies of the news at once are one credit."""
    made = await order(book)
    found = await asyncio.gather(*(hear(book, made) for _ in range(20)))
    assert sorted(one.credited_coins for one in found) == [0] * 19 + [700]
    assert await book.balance("ana") == 700


ALL_NEWS = [State.PENDING, State.REQUIRES_ACTION, State.AUTHORISED, State.SUCCEEDED, State.EXPIRED]


async def test_news_in_any_order_end_in_the_same_state(book):
    """States move by rank: however news are shuffled, a paid order ends credited, once."""
    for number, news in enumerate(itertools.permutations(ALL_NEWS)):
        made = await order(book, f"buyer{number}")
        for state in news:
            await hear(book, made, state)
        stored = await payment_by_id(book.engine, made.id)
        assert stored.state is State.CREDITED, news
        assert await book.balance(made.user_id) == 700, news
    assert await proof(book) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"captured_minor": 99}, "paid 99, asked for 999"),
        ({"captured_minor": 1000}, "paid 1000, asked for 999"),
        ({"captured_minor": 0}, "paid 0, asked for 999"),
        ({"currency": "JPY"}, "paid in JPY"),
        ({"payment": "pay_of_somebody_else"}, "another order's"),
    ],
)
async def test_what_contradicts_the_order_is_never_credited(book, changes, words):
    """Another amount, currency or order: no coins, and a person has to look."""
    made = await order(book)
    found = await hear(book, made, **changes)
    assert words in found.wrong
    assert await book.balance("ana") == 0
    stored = await payment_by_id(book.engine, made.id)
    assert stored.review == found.wrong
    assert stored.state is State.CREATED


@pytest.mark.parametrize("changes", [{"currency": "JPY"}, {"payment": "pay_of_somebody_else"}])
async def test_trouble_that_was_closed_is_told_again_when_money_comes(book, changes):
    """Closing says that nothing was taken; what is taken after that is new."""
    made = await order(book)
    closed = await hear(book, made, State.PENDING, **changes)
    assert await settle_review(book.engine, made.id, closed.wrong, "close", "no money", Actor("olga", "admin"))
    await hear(book, made, State.PENDING, **changes)
    assert (await payment_by_id(book.engine, made.id)).review is None
    paid = await hear(book, made, **changes)
    assert (await payment_by_id(book.engine, made.id)).review == paid.wrong


async def test_a_second_reference_for_an_order_is_refused(book):
    """Once the provider's checkout is known, no other one pays this order."""
    made = await order(book)
    await hear(book, made, State.PENDING)
    found = await hear(book, made, ref="cs_forged")
    assert "another order's" in found.wrong
    assert await book.balance("ana") == 0


async def test_another_provider_pays_no_order(book):
    """Of an order that was made for one, another one's word credits nothing."""
    made = await order(book)
    found = await apply(book.engine, made.id, said(made), "provider", "stripe")
    assert "stripe speaks of an order of sandbox" in found.wrong
    assert await book.balance("ana") == 0
    assert (await apply(book.engine, made.id, said(made), "provider", "sandbox")).credited_coins == 700


@pytest.mark.parametrize("ended", [State.EXPIRED, State.FAILED, State.CANCELLED])
async def test_a_late_payment_is_credited_once(book, ended):
    """Money that comes after the order ended is money all the same."""
    made = await order(book)
    await hear(book, made, ended)
    assert (await hear(book, made)).credited_coins == 700
    assert (await hear(book, made, ended)).changed is False
    assert await book.balance("ana") == 700


async def test_refunded_before_it_was_credited_is_no_credit(book):
    """The refund's news came first: nothing is booked, whatever comes after it."""
    made = await order(book)
    found = await hear(book, made, refunded_minor=999)
    assert found.payment.state is State.REFUNDED
    assert (await hear(book, made)).credited_coins == 0
    assert await book.balance("ana") == 0


async def test_an_order_is_made_once_for_a_key(book):
    """The same key gives the same order, also in parallel."""
    new = new_order()
    made = await asyncio.gather(*(create_payment(book.engine, new) for _ in range(10)))
    assert len({one.id for one, _ in made}) == 1
    assert [fresh for _, fresh in made].count(True) == 1


async def test_the_bonus_comes_from_promotions(book):
    """Coins on top are paid by the platform's promotions, not by coins_sold."""
    made = await order(book, bonus_coins=70, promotion=FIRST)
    assert (await hear(book, made)).credited_coins == 770
    assert await book.balance("platform", "promotions") == -70
    assert await book.balance("platform", "coins_sold") == -700
    assert await proof(book) == []


async def test_a_first_purchase_bonus_is_given_once(book):
    """Who has bought, or has an order with it, does not get it again; who let it go does."""
    made = await order(book, bonus_coins=70, promotion=FIRST)
    with pytest.raises(PromotionTaken):
        await create_payment(book.engine, new_order(bonus_coins=70, promotion=FIRST))
    await hear(book, made, State.CANCELLED)
    second = await order(book, bonus_coins=70, promotion=FIRST)
    await hear(book, second)
    assert await promotions_used(book.engine, "ana") == (True, {"first"})
    with pytest.raises(PromotionTaken):
        await create_payment(book.engine, new_order(bonus_coins=70, promotion=FIRST))


async def test_who_has_bought_has_no_first_purchase(book):
    """Also when the first one was without any promotion."""
    await hear(book, await order(book))
    with pytest.raises(PromotionTaken):
        await create_payment(book.engine, new_order(bonus_coins=70, promotion=FIRST))


async def test_a_late_payment_has_the_bonus_unless_another_order_took_it(book):
    """Paid after it was cancelled, while another order has the bonus: the coins without it."""
    made = await order(book, bonus_coins=70, promotion=FIRST)
    await hear(book, made, State.CANCELLED)
    second = await order(book, bonus_coins=70, promotion=FIRST)
    assert (await hear(book, made)).credited_coins == 700
    assert (await hear(book, second)).credited_coins == 770
    assert "without the bonus" in (await steps_of(book.engine, made.id))[-1].detail
    alone = await order(book, "ben", bonus_coins=70, promotion=FIRST)
    await hear(book, alone, State.EXPIRED)
    assert (await hear(book, alone)).credited_coins == 770
    assert await proof(book) == []


async def test_a_promotion_for_all_is_used_so_many_times(book):
    """Of twenty people at once, three get what is there three times."""
    three = Promotion("rush", "Rush", bonus_percent=10, bonus_coins_max=100, uses_max=3)

    async def attempt(number: int) -> bool:
        try:
            await create_payment(book.engine, new_order(f"viewer{number}", bonus_coins=70, promotion=three))
        except PromotionTaken:
            return False
        return True

    assert sum(await asyncio.gather(*map(attempt, range(20)))) == 3


async def test_nobody_opens_orders_without_end(book):
    """So many that are not paid within an hour; one that is cancelled or paid makes room."""
    made = [await order(book) for _ in range(UNPAID_MAX)]
    with pytest.raises(TooManyOrders):
        await create_payment(book.engine, new_order())
    await order(book, "ben")
    await hear(book, made[0], State.CANCELLED)
    await order(book)


async def test_open_payments_are_asked_about_once_in_a_while(book):
    """Each is given to one reconciler at a time; credited and ended ones never."""
    waiting, paid, ended = [await order(book, name) for name in ("ana", "ben", "chloe")]
    await hear(book, paid)
    await hear(book, ended, State.EXPIRED)
    assert [one.id for one in await open_payments(book.engine, 0, 10)] == [waiting.id]
    assert await open_payments(book.engine, 60, 10) == []


async def test_a_persons_payments_come_in_pages(book):
    """Newest first; nobody else's."""
    made = [await order(book) for _ in range(5)]
    await order(book, "ben")
    first = await payments_of(book.engine, "ana", None, 3)
    rest = await payments_of(book.engine, "ana", first[-1].id, 3)
    assert [one.id for one in first + rest] == [one.id for one in reversed(made)]


async def test_a_review_is_noted_once(book):
    """The same finding again adds no step; none for what is not there."""
    made = await order(book)
    for _ in range(3):
        await flag(book.engine, made.id, "odd", "provider")
    assert [step.detail for step in await steps_of(book.engine, made.id)] == ["", "odd"]
    assert await flag(book.engine, "pay_none", "odd", "provider") is None
    assert await apply(book.engine, "pay_none", said(made), "provider") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payment SET coins = 7000",
        "UPDATE payment SET amount_minor = 1",
        "UPDATE payment SET user_id = 'ben'",
        "DELETE FROM payment",
        "UPDATE payment_step SET state = 'credited'",
        "DELETE FROM payment_step",
        "UPDATE payment SET state = 'credited'",
        "UPDATE payment SET state = 'nonsense'",
    ],
)
async def test_the_database_keeps_the_terms(book, statement):
    """What was ordered and what happened cannot be rewritten; nothing is credited without a transfer."""
    await order(book)
    with pytest.raises(IntegrityError):
        await book.run(statement)


TAMPERED = {
    "another amount": "UPDATE payment SET amount_minor = 99 WHERE transfer IS NOT NULL",
    "more coins": "UPDATE payment SET coins = 800 WHERE transfer IS NOT NULL",
    "another buyer": "UPDATE payment SET user_id = 'ben' WHERE transfer IS NOT NULL",
    "a recharge of no payment": "UPDATE payment SET transfer = NULL, state = 'succeeded'",
    "a state without a step": "UPDATE payment SET state = 'refunded'",
    "called refunded and not paid back": "WITH s AS (INSERT INTO payment_step (payment, n, state, source)"
    " SELECT id, 99, 'refunded', 'ledger' FROM payment) UPDATE payment SET state = 'refunded'",
    "told as given back": "WITH told AS (UPDATE payment_step SET state = 'partially_refunded')"
    " UPDATE payment SET state = 'partially_refunded'",
    "money moved elsewhere": "UPDATE account SET owner = 'stripe' WHERE kind = 'clearing'",
}


async def test_the_proof_finds_an_uncredited_payment_that_is_called_refunded_before_it_is(book):
    """An operator's step without the amount that went back is no refund, unless it is from before there were any."""
    made = await order(book)
    await hear(book, made, captured_minor=998)
    await book.run(
        "WITH s AS (INSERT INTO payment_step (payment, n, state, source, detail)"
        " SELECT id, 99, 'refunded', 'operator', 'given back after a review' FROM payment)"
        " UPDATE payment SET state = 'refunded', review = NULL"
    )
    assert await proof(book) != []
    await book.run(
        "INSERT INTO payment_review (payment, n, review, decision, reason, by_user)"
        " SELECT id, 1, 'odd', 'refund', 'so it is', 'olga' FROM payment"
    )
    assert await proof(book) == []


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED.keys())
async def test_the_proof_finds_what_was_tampered_with(book, statement):
    """Whoever changes payments behind the triggers is found out."""
    await hear(book, await order(book))
    assert await proof(book) == []
    await book.run(statement, tamper=True)
    assert await proof(book) != []
