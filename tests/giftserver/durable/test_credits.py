"""Credits: once for each reference, numbered without a hole, waiting in the outbox until Redis has them."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from giftserver.durable.credits import (
    Credit,
    ReferenceReused,
    credit,
    credits_after,
    mark_applied,
    pending_credits,
)
from giftserver.durable.flush import flush_shard
from giftserver.ledger import keys


async def test_a_credit_is_a_transfer_with_an_outbox_row(book):
    """Coins come from coins_sold, go to the wallet, and wait for Redis under number 1."""
    made = await credit(book.engine, "ana", 500, "top_up", "payment-1")
    assert made == Credit(1, made.transfer, 500, repeated=False)
    assert await book.balance("ana") == 500
    assert await book.balance("platform", "coins_sold") == -500
    (waiting,) = await pending_credits(book.engine)
    assert (waiting.user, waiting.credit_no, waiting.coins) == ("ana", 1, 500)


async def test_a_reference_sent_twenty_times_in_parallel_is_one_credit(book):
    """Twenty parallel calls with one reference credit once; all get the same credit."""
    made = await asyncio.gather(*(credit(book.engine, "ana", 500, "grant", "hook") for _ in range(20)))
    assert {(one.credit_no, one.transfer, one.coins) for one in made} == {(1, made[0].transfer, 500)}
    assert [one.repeated for one in made].count(False) == 1
    assert await book.balance("ana") == 500


async def test_parallel_credits_of_a_user_are_numbered_without_a_hole(book):
    """Twenty parallel credits of one user get the numbers 1 to 20."""
    made = await asyncio.gather(*(credit(book.engine, "ana", 5, "grant", f"r{n}") for n in range(20)))
    assert sorted(one.credit_no for one in made) == list(range(1, 21))
    assert await book.balance("ana") == 100
    numbers = [waiting.credit_no for waiting in await pending_credits(book.engine)]
    assert numbers == list(range(1, 21))


@pytest.mark.parametrize(
    ("user", "coins", "kind"), [("ben", 500, "top_up"), ("ana", 501, "top_up"), ("ana", 500, "grant")]
)
async def test_a_reference_stands_for_one_credit(book, user, coins, kind):
    """A reference that comes with another user, amount or kind is refused and credits nothing."""
    await credit(book.engine, "ana", 500, "top_up", "payment-1")
    with pytest.raises(ReferenceReused):
        await credit(book.engine, user, coins, kind, "payment-1")
    assert await book.balance(user) == (500 if user == "ana" else 0)


async def test_a_reference_for_two_users_at_once(book):
    """Of two users that claim one reference in parallel one is credited."""
    made = await asyncio.gather(
        *(credit(book.engine, user, 5, "grant", "same") for user in ("ana", "ben", "chloe", "dmitri")),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Credit) for one in made) == 1
    assert sum(isinstance(one, ReferenceReused) for one in made) == 3
    assert await book.balance("platform", "coins_sold") == -5


@pytest.mark.parametrize("coins", [0, -1, 10**12 + 1, True, 1.0, "5", None])
async def test_an_amount_is_a_whole_number_in_range(book, coins):
    """Anything but an int of 1 … 10^12 is refused before it is sent."""
    with pytest.raises(ValueError, match="whole number"):
        await credit(book.engine, "ana", coins, "top_up", "payment-1")


@pytest.mark.parametrize(
    ("user", "kind", "reference"),
    [
        ("", "top_up", "r"),
        ("a\0", "top_up", "r"),
        ("a" * 201, "top_up", "r"),
        ("ana", "gift", "r"),
        ("ana", "top_up", ""),
    ],
)
async def test_names_and_kinds_are_checked(book, user, kind, reference):
    """An empty or unstorable name and a kind that is no credit are refused."""
    with pytest.raises(ValueError, match="credit"):
        await credit(book.engine, user, 5, kind, reference)


async def test_a_balance_stays_in_the_range_of_doubles(book):
    """A credit that would lift a balance to 2^53 is refused and leaves nothing behind."""
    await book.run(
        "INSERT INTO account (kind, owner, asset, balance) VALUES ('wallet', 'ana', 'coins', 9007199254740990)"
    )
    with pytest.raises(IntegrityError, match="account_balance_limit"):
        await credit(book.engine, "ana", 2, "grant", "too much")
    assert await pending_credits(book.engine) == []


async def test_marking_and_what_comes_after_a_number(book):
    """Marked credits leave the outbox's queue but can still be read by number; marking twice changes nothing."""
    for n in range(1, 4):
        await credit(book.engine, "ana", n, "grant", f"r{n}")
    assert await mark_applied(book.engine, [("ana", 1), ("ana", 2), ("ben", 1)]) == 2
    assert await mark_applied(book.engine, [("ana", 1)]) == 0
    assert await mark_applied(book.engine, []) == 0
    assert [waiting.credit_no for waiting in await pending_credits(book.engine)] == [3]
    assert [after.coins for after in await credits_after(book.engine, "ana", 1)] == [2, 3]


async def test_credits_and_flushes_of_the_same_people_do_not_deadlock(book):
    """Everybody locks accounts in one order, so credits and flushes of the same wallets all go through."""
    people = [f"viewer{n}" for n in range(12)]
    for person in people:
        await book.fund(person, 1000)
    for n in range(120):
        await book.gift(people[n % 12], creator=f"creator{n % 3}")
    work = [credit(book.engine, people[n % 12], 1, "grant", f"more{n}") for n in range(36)]
    work += [flush_shard(book.engine, book.redis, shard) for shard in range(keys.SHARDS)]
    await asyncio.gather(*work)
    assert [await book.balance(person) for person in people] == [1000 - 100 + 3] * 12
