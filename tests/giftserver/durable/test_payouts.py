"""Payouts in the durable ledger: what is pending to the day, and the rules that the database holds itself."""

import time
import uuid
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from giftserver.durable import migrate
from giftserver.durable.credits import credit
from giftserver.durable.earnings import standing_of
from giftserver.durable.payout_accounts import set_account
from giftserver.durable.payout_moves import begin
from giftserver.durable.payouts import NewPayout, NotAvailable, create_payout
from giftserver.durable.proof.book import rules_are_in_force
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.proof.payouts import payouts_are_booked
from giftserver.durable.store import open_database

DAY_MS = 86_400_000


async def earned(book: Any, days_ago: int, diamonds: int) -> None:
    """A gift of so many diamonds to mira that long ago, booked."""
    await book.fund("ana", 10)
    today_ms = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS
    await book.append(book.event("ana", diamonds=diamonds, coins=10), at_ms=today_ms - days_ago * DAY_MS)
    await book.flush()


async def ask(book: Any, diamonds: int) -> str:
    """Mira asks for so many; the payout's id."""
    account = await set_account(book.engine, "mira", "sandbox", "mira@sandbox")
    new = NewPayout("mira", str(uuid.uuid4()), "abc", "sandbox", account.id, diamonds, max(1, diamonds // 2), "USD", 1)
    return (await create_payout(book.engine, new, 10**9)).id


async def test_diamonds_are_pending_for_fourteen_days(book):
    """What was earned 14 UTC days ago can be paid out, what was earned 13 days ago cannot."""
    await earned(book, 14, 100)
    await earned(book, 13, 30)
    await earned(book, 0, 7)
    async with book.engine.connect() as connection:
        standing = await standing_of(connection, "mira")
    assert (standing.balance, standing.pending, standing.available) == (137, 37, 100)
    with pytest.raises(NotAvailable) as refused:
        await ask(book, 101)
    assert refused.value.available == 100
    await ask(book, 60)
    with pytest.raises(NotAvailable):
        await ask(book, 41)
    await ask(book, 40)
    async with book.engine.connect() as connection:
        standing = await standing_of(connection, "mira")
    assert (standing.balance, standing.available, standing.held) == (37, 0, 100)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM payout", "TRUNCATE payout CASCADE", "UPDATE payout SET diamonds = 1",
        "UPDATE payout SET amount_minor = 1", "UPDATE payout SET account = 2", "UPDATE payout SET user_id = 'ana'",
        "UPDATE payout SET key = 'k'", "UPDATE payout SET created_at = now()", "UPDATE payout_step SET detail = ''",
        "DELETE FROM payout_step", "TRUNCATE payout_step", "UPDATE payout_account SET address = 'x'",
        "DELETE FROM payout_account", "UPDATE payout SET state = 'paid', paid_at = now()",
        "UPDATE payout SET state = 'cancelled'", "UPDATE payout SET state = 'requested'",
        "UPDATE payout SET state = 'held'",
    ],
)  # fmt: skip
async def test_the_database_keeps_payouts(book, statement):
    """Terms, steps and accounts are never changed, and a state only goes where it may; whoever writes."""
    await earned(book, 20, 100)
    id = await ask(book, 60)
    if "paid" not in statement:
        assert await begin(book.engine, id) is not None  # it is sending: nobody takes it back
    with pytest.raises(IntegrityError, match="insert-only"):
        await book.run(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payout SET ask_at = NULL", "UPDATE payout SET sent_at = NULL", "UPDATE payout SET paid_at = now()",
        "INSERT INTO transfer (kind, coins, event_at) VALUES ('payouts_of_mine', -1, now())",
        "INSERT INTO account (kind, owner, asset) VALUES ('payout_held', 'mira', 'coins')",
        "UPDATE account SET balance = -1 WHERE kind = 'payout_held'",
        "UPDATE account SET balance = -1 WHERE kind = 'paid_out'",
    ],
)  # fmt: skip
async def test_the_database_refuses_what_cannot_be(book, statement):
    """A payout under way that nobody looks at, one that is paid and is not, accounts below zero."""
    await earned(book, 20, 100)
    await begin(book.engine, await ask(book, 60))
    with pytest.raises(IntegrityError):
        await book.run(statement)


async def test_each_step_is_booked_once(book):
    """The reference is the payout's: a second transfer of the same kind is refused, however it comes about."""
    await earned(book, 20, 100)
    id = await ask(book, 60)
    with pytest.raises(IntegrityError, match="transfer_reference"):
        await book.run(
            "INSERT INTO transfer (kind, coins, diamonds, reference, event_at) "
            f"VALUES ('payout_requested', 0, 60, 'payout-requested:{id}', now())"
        )


async def test_a_ledger_that_was_lived_in_is_migrated(empty_url):
    """From 0013: what is there stays, the new rules hold for all of it, and the new account is there."""
    await migrate.upgrade(empty_url, "0013")
    engine = open_database(empty_url)
    try:
        await credit(engine, "ana", 100, "top_up", "before")
        await migrate.upgrade(empty_url)
        async with engine.connect() as connection:
            rules, book = Invariant("rules"), Invariant("payouts")
            await rules_are_in_force(connection, rules)
            await payouts_are_booked(connection, book)
            balance = await connection.scalar(text("SELECT balance FROM account WHERE owner = 'ana'"))
        assert (rules.violations, book.violations, book.checked, balance) == ([], [], 1, 100)
    finally:
        await engine.dispose()
