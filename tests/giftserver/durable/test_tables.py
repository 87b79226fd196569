"""The database holds the ledger's rules itself: whoever writes to it, however."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from giftserver.durable.proof.book import rules_are_in_force
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.tables import gift_id, metadata


async def test_migrations_make_what_the_tables_say(book):
    """Tables, columns, indexes and constraints of the migrated database are those of the metadata."""
    async with book.engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
        rules = Invariant("rules")
        await rules_are_in_force(connection, rules)
    assert differences == []
    assert rules.holds
    assert rules.checked > 20


def test_gift_ids_grow_within_a_shard_and_never_meet():
    """A gift's id holds its shard, epoch and seq."""
    assert gift_id(0, 1, 1) == (1 << 55) + (1 << 40) + 1
    assert gift_id(15, 32767, 2**40 - 1) < 2**63
    assert gift_id(3, 1, 2**40 - 1) < gift_id(3, 2, 1) < gift_id(4, 1, 1)


TRANSFER = "INSERT INTO transfer (id, kind, coins, event_at) VALUES (77, 'grant', 5, now())"
LINE = "INSERT INTO entry (transfer, n, account, version, amount, balance_after) VALUES "

REFUSED = {
    "one-sided": ([TRANSFER, LINE + "(77, 1, 2, 1, 5, 5)"], "do not sum to zero"),
    "unequal": ([TRANSFER, LINE + "(77, 1, 2, 1, 5, 5), (77, 2, 1, 1, -4, -4)"], "do not sum to zero"),
    "two assets": ([TRANSFER, LINE + "(77, 1, 2, 1, 5, 5), (77, 2, 3, 1, -5, -5)"], "do not sum to zero"),
    "two currencies": (
        ["INSERT INTO account (id, kind, owner, asset) VALUES (2001, 'clearing', 'sandbox', 'USD'), "
         "(2002, 'revenue', 'platform', 'JPY')", TRANSFER,
         LINE + "(77, 1, 2001, 1, 5, 5), (77, 2, 2002, 1, -5, -5)"], "do not sum to zero",
    ),
    "unequal money": (
        ["INSERT INTO account (id, kind, owner, asset) VALUES (2001, 'clearing', 'sandbox', 'USD'), "
         "(2002, 'revenue', 'platform', 'USD')", TRANSFER,
         LINE + "(77, 1, 2001, 1, 5, 5), (77, 2, 2002, 1, -4, -4), (77, 3, 1, 1, -1, -1)"], "do not sum to zero",
    ),
    "coins paid in money": (
        ["INSERT INTO account (id, kind, owner, asset) VALUES (2001, 'clearing', 'sandbox', 'USD')", TRANSFER,
         LINE + "(77, 1, 2001, 1, 5, 5), (77, 2, 1, 1, -5, -5)"], "do not sum to zero",
    ),
    "one at a time": ([TRANSFER, LINE + "(77, 1, 2, 1, 5, 5)", LINE + "(77, 2, 1, 1, -5, -5)"], "do not sum to zero"),
    "a later pair": (
        [TRANSFER, LINE + "(77, 1, 2, 1, 5, 5), (77, 2, 1, 1, -5, -5)",
         LINE + "(77, 3, 2, 2, 5, 10), (77, 4, 1, 2, -5, -10)"], "numbered from 1",
    ),
    "no transfer": ([LINE + "(77, 1, 2, 1, 5, 5), (77, 2, 1, 1, -5, -5)"], "not there"),
    "no account": ([TRANSFER, LINE + "(77, 1, 2, 1, 5, 5), (77, 2, 999, 1, -5, -5)"], "not there"),
    "nothing moved": ([TRANSFER, LINE + "(77, 1, 2, 1, 0, 0)"], "entry_amount"),
    "a version twice": (
        [TRANSFER, LINE + "(77, 1, 2, 1, 5, 5), (77, 2, 2, 1, -5, 0)"], "entry_account_version",
    ),
    "a gift's wrong number": (
        ["INSERT INTO transfer (id, kind, shard, epoch, seq, sender, key, request_hash, room, creator, gift, quantity, "
         "coins, diamonds, catalog_version, rate_version, note, event_at) VALUES "
         "(77, 'gift', 0, 1, 1, 'ana', 'k', 'h', 'r', 'mira', 'rose', 1, 5, 2, 1, 1, '', now())"],
        "transfer_gift_number",
    ),
    "half a gift": (
        ["INSERT INTO transfer (id, kind, coins, event_at) VALUES (77, 'gift', 5, now())"], "gift_complete",
    ),
    "no coins": (["INSERT INTO transfer (kind, coins, event_at) VALUES ('grant', 0, now())"], "transfer_coins"),
    "a reference twice": (
        ["INSERT INTO transfer (kind, coins, reference, event_at) VALUES ('grant', 5, 'r', now()), "
         "('grant', 5, 'r', now())"], "transfer_reference",
    ),
    "reversed twice": (
        [TRANSFER, "INSERT INTO transfer (kind, coins, reverses, event_at) VALUES ('correction', 5, 77, now()), "
         "('correction', 5, 77, now())"], "transfer_reverses",
    ),
    "a wallet below zero": (
        ["INSERT INTO account (kind, owner, asset, balance) VALUES ('wallet', 'ana', 'coins', -1)"], "not_below_zero",
    ),
    "earnings below zero": (
        ["INSERT INTO account (kind, owner, asset) VALUES ('earnings', 'mira', 'diamonds')",
         "UPDATE account SET balance = -1 WHERE owner = 'mira'"], "not_below_zero",
    ),
    "a balance doubles cannot hold": (
        ["INSERT INTO account (kind, owner, asset, balance) VALUES ('wallet', 'ana', 'coins', 9007199254740992)"],
        "account_balance_limit",
    ),
    "diamonds in a wallet": (
        ["INSERT INTO account (kind, owner, asset) VALUES ('wallet', 'ana', 'diamonds')"], "account_kind",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
async def test_the_database_refuses(book, what):
    """A write that breaks a rule is refused, and nothing of its transaction stays."""
    statements, reason = REFUSED[what]
    with pytest.raises(IntegrityError, match=reason):
        await book.run(*statements)
    assert await book.rows("SELECT 1 FROM transfer") == []
    assert await book.rows("SELECT 1 FROM entry") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfer SET coins = 1", "DELETE FROM transfer", "TRUNCATE transfer CASCADE",
        "UPDATE entry SET amount = 1", "DELETE FROM entry", "TRUNCATE entry",
        "UPDATE account SET owner = 'ben' WHERE owner = 'ana'", "DELETE FROM account", "TRUNCATE account",
        "UPDATE transfer SET coins = 1 WHERE false", "UPDATE ledger_epoch SET seq = 1", "DELETE FROM ledger_epoch",
        "TRUNCATE ledger_epoch",
    ],
)  # fmt: skip
async def test_the_past_cannot_be_changed(book, statement):
    """Transfers and entries are insert-only and accounts keep their names, also for the owner of the tables."""
    await book.fund("ana", 100)
    before = await book.rows("SELECT * FROM entry ORDER BY transfer, n")
    with pytest.raises(IntegrityError, match="the ledger is insert-only"):
        await book.run(statement)
    assert await book.rows("SELECT * FROM entry ORDER BY transfer, n") == before


async def test_the_check_of_entries_looks_up_by_key(book):
    """A connection keeps its plan: one that fits an empty ledger must not walk the whole of a large one."""
    [row] = await book.rows("SELECT proconfig FROM pg_proc WHERE proname = 'entry_must_balance'")
    assert {"enable_seqscan=off", "enable_hashjoin=off", "enable_mergejoin=off"} <= set(row.proconfig)
