"""What `explain` knows of an account: entries, what is in flight, and whether it adds up, at every moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable import explain as explain_module
from giftserver.durable.credits import credit
from giftserver.durable.explain import Explanation, explain
from giftserver.durable.flush import flush_shard
from giftserver.durable.statement import AccountName
from giftserver.explain import lines, verdict
from giftserver.ledger import keys
from tests.giftserver.durable.conftest import Book
from tests.giftserver.durable.orders import hear, order

SHARD = keys.shard_of("ana")


async def told(book: Book, account: str, last: int = 50) -> Explanation:
    """The explanation of an account that is there."""
    found = await explain(book.engine, book.redis, AccountName.parse(account), last)
    assert found is not None
    return found


async def lived_in(book: Book) -> None:
    """Ana: 1,000 credited, 15 spent and booked, 7 spent and in the stream, 500 credited and not yet in Redis."""
    await book.fund("ana", 1_000)
    await book.fund("ben", 1_000)
    await book.gift("ana", coins=10, key="first")
    await book.gift("ana", coins=5, key="second", creator="tomas")
    await book.flush()
    await book.gift("ben", coins=50, diamonds=25)
    await book.flush()
    await book.gift("ana", coins=7, key="third", diamonds=3)
    await credit(book.engine, "ana", 500, "grant", "not yet in Redis")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ana", "wallet:ana"), ("wallet:ana", "wallet:ana"), ("earnings:mira", "earnings:mira"), ("a:b", "wallet:a:b"),
        ("platform:gifts_spent", "platform:gifts_spent"), ("wallet:earnings:x", "wallet:earnings:x"),
    ],
)  # fmt: skip
def test_names_of_accounts(text: str, name: str) -> None:
    """A plain word is a user's id; every name that is shown can be asked for."""
    assert str(AccountName.parse(text)) == name
    assert AccountName.parse(name) == AccountName.parse(text)


async def test_a_wallet_is_told_to_the_last_coin(book: Book) -> None:
    """Each entry with balance, reference and other side; gifts and credits in flight; the sum."""
    await lived_in(book)
    wallet = await told(book, "ana")
    booked = [(line.kind, line.amount, line.balance, line.other_sides) for line in wallet.lines]
    assert booked == [
        ("top_up", 1_000, 1_000, ["platform:coins_sold"]),
        ("gift", -10, 990, ["platform:gifts_spent"]),
        ("gift", -5, 985, ["platform:gifts_spent"]),
        ("grant", 500, 1_485, ["platform:coins_sold"]),
    ]
    assert [line.reference for line in wallet.lines][1:] == ["first", "second", "not yet in Redis"]
    assert wallet.lines[2].what == "1 × rose, ana to tomas in harbour"
    assert [(gift.name, gift.amount, gift.reference) for gift in wallet.unflushed] == [
        (f"{SHARD:02d}-1-3", -7, "third")
    ]
    assert [(item.name, item.amount) for item in wallet.unapplied] == [("credit 2", 500)]
    assert (wallet.redis_balance, wallet.expected, wallet.adds_up) == (978, 978, True)
    assert verdict(wallet) == (
        "It adds up: 1,485 booked - 7 in gifts not yet booked - 500 in credits not yet in Redis = 978 in Redis."
    )


async def test_the_last_entries_are_the_newest(book: Book) -> None:
    """`last` limits what is listed, not what is summed, and the rest is counted."""
    await lived_in(book)
    wallet = await told(book, "ana", last=2)
    assert [line.number for line in wallet.lines] == [3, 4]
    assert wallet.adds_up
    assert "  … 2 earlier entries: --last shows more" in list(lines(wallet))


async def test_creators_and_the_platform_have_accounts_too(book: Book) -> None:
    """Diamonds with the gifts that will add to them, and the other side of all coins."""
    await lived_in(book)
    earnings = await told(book, "earnings:mira")
    assert [(line.amount, line.balance, line.other_sides) for line in earnings.lines] == [
        (5, 5, ["platform:diamonds_issued"]), (25, 30, ["platform:diamonds_issued"]),
    ]  # fmt: skip
    assert [gift.amount for gift in earnings.unflushed] == [3]
    for name, balance, in_flight in (
        ("platform:gifts_spent", 65, [7]),
        ("platform:diamonds_issued", -35, [-3]),
        ("platform:coins_sold", -2_500, []),
    ):
        account = await told(book, name)
        assert (account.balance, [gift.amount for gift in account.unflushed]) == (balance, in_flight)
        assert account.adds_up
        assert "It adds up" in verdict(account)


@pytest.mark.parametrize("account", ["zoe", "mira", "earnings:ana", "platform:nothing", "platform:"])
async def test_an_unknown_account_is_none(book: Book, account: str) -> None:
    """Also for a creator asked as a user, and the other way round."""
    await lived_in(book)
    assert await explain(book.engine, book.redis, AccountName.parse(account), 50) is None


async def test_a_wallet_that_redis_does_not_hold_is_told(book: Book) -> None:
    """Then only the entries can be summed; the unbooked gifts are listed all the same."""
    await lived_in(book)
    await book.redis.delete(keys.wallet(SHARD, "ana"))
    wallet = await told(book, "ana")
    assert (wallet.redis_balance, len(wallet.unflushed), wallet.adds_up) == (None, 1, True)
    assert any("does not hold this wallet" in line for line in lines(wallet))
    await book.redis.flushall()
    assert (await told(book, "ana")).adds_up


WRONG = {
    "a coin in Redis": (None, "≠ 979 in Redis"),
    "a balance": ("UPDATE account SET balance = balance + 1 WHERE owner = 'ana'", "its 4 entries sum to 1,485"),
    "an entry": ("DELETE FROM entry WHERE n = 1 AND amount = -10", "its 3 entries sum to 1,495"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_does_not_add_up_is_said(book: Book, what: str) -> None:
    """One coin is enough, on either side."""
    statement, said = WRONG[what]
    await lived_in(book)
    if statement is None:
        await book.redis.hincrby(keys.wallet(SHARD, "ana"), "coins", 1)
    else:
        await book.run(statement, tamper=True)
    wallet = await told(book, "ana")
    assert not wallet.adds_up
    assert verdict(wallet).startswith("It does NOT add up")
    assert said in verdict(wallet)


async def test_a_stream_that_does_not_fit_is_said(book: Book) -> None:
    """A gap or an unreadable event is named rather than summed over."""
    await lived_in(book)
    await book.redis.xdel(keys.events(SHARD), "1-3")
    for account in ("ana", "platform:gifts_spent"):
        found = await told(book, account)
        assert not found.adds_up
        assert f"shard {SHARD:02d} halted" in verdict(found)


async def test_gifts_between_the_two_reads_are_taken_out(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gift sent and booked after Redis was read, and one sent and not booked, change nothing in the sum."""
    await lived_in(book)
    real = explain_module.snapshot

    @asynccontextmanager
    async def later(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        await book.gift("ana", coins=3)
        await book.flush()
        await book.gift("ana", coins=4)
        async with real(engine) as connection:
            yield connection

    monkeypatch.setattr(explain_module, "snapshot", later)
    wallet = await told(book, "ana")
    assert (wallet.booked_since, wallet.unflushed, wallet.balance) == (3, [], 1_475)
    assert verdict(wallet) == (
        "It adds up: 1,475 booked + 3 booked while this was read - 500 in credits not yet in Redis = 978 in Redis."
    )


async def test_it_adds_up_while_gifts_flow(book: Book) -> None:
    """Gifts, flushes and credits between its reads are no false alarm."""
    await book.fund("ana", 100_000)
    done = asyncio.Event()

    async def send() -> None:
        n = 0
        while not done.is_set():
            n += 1
            await book.gift("ana", coins=1 + n % 9)

    async def flush() -> None:
        while not done.is_set():
            await flush_shard(book.engine, book.redis, SHARD, limit=5)

    async def top_up() -> None:
        n = 0
        while not done.is_set():
            n += 1
            await credit(book.engine, "ana", 5, "grant", f"flow-{n}")

    tasks = [asyncio.create_task(work()) for work in (send, flush, top_up)]
    try:
        for _ in range(40):
            wallet = await told(book, "ana", last=5)
            assert wallet.adds_up, verdict(wallet)
    finally:
        done.set()
        await asyncio.gather(*tasks)
    assert (await told(book, "ana")).entries > 20


@pytest.mark.parametrize(
    "name",
    [
        "wallet:ana", "earnings:mira", "frozen:ana", "owed:ana", "platform:coins_sold", "platform:revenue:USD",
        "clearing:sandbox:USD", "disputed:sandbox:KWD", "platform:charged_back:USD",
    ],
)  # fmt: skip
def test_a_name_is_read_as_it_is_written(name):
    """Every account has one name, money with its currency."""
    assert str(AccountName.parse(name)) == name


async def test_accounts_of_money_are_explained_in_their_currency(book):
    """What a provider owes us, with the payments it is of."""
    await hear(book, await order(book))
    told = await explain(book.engine, book.redis, AccountName.parse("clearing:sandbox:USD"), 10)
    assert (told.asset, told.balance, told.adds_up) == ("USD", 999, True)
    assert told.lines[0].other_sides == ["platform:revenue"]
    assert await explain(book.engine, book.redis, AccountName.parse("clearing:sandbox:EUR"), 10) is None
