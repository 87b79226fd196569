"""The hash chain: what it covers, that flushes carry it on, and that tampering with the past is found."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from giftserver.durable import migrate
from giftserver.durable.chain import COLUMNS, FORM, canonical, exact_ms, fields_of, hashes, next_hash
from giftserver.durable.flush import flush_shard
from giftserver.durable.intake import FlushedGift
from giftserver.durable.proof.chain import chain_heads, gifts_are_chained
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.proof.snapshot import snapshot
from giftserver.durable.store import open_database
from giftserver.durable.tables import gift_id
from giftserver.ledger import keys
from giftserver.ledger.events import GiftEvent
from tests.giftserver.durable.conftest import Book

SHARD = keys.shard_of("ana")
LEDGER = Path(__file__).parents[3] / "docs" / "ledger.md"


async def broken(book: Book) -> list[str]:
    """What the check of the chain says."""
    found = Invariant("chain")
    async with snapshot(book.engine) as connection:
        await gifts_are_chained(connection, found)
    return found.violations


async def flushed(book: Book, gifts: int = 6) -> None:
    """Gifts of ana, flushed two at a time."""
    await book.fund("ana", 10_000)
    for n in range(gifts):
        await book.gift("ana", coins=10 + n, note=f"note {n} ✿")
    while (await flush_shard(book.engine, book.redis, SHARD, limit=2)).status == "posted":
        continue


@pytest.fixture
def stream_gift() -> FlushedGift:
    """A gift as the stream has it."""
    event = GiftEvent("k-1", "abc", "ana", "Ana", "mira", "harbour", "rose", 3, 30, 15, 12, 1, "für dich")
    return FlushedGift(7, 1, 42, 1_760_000_000_123, event)


def test_the_canonical_bytes_are_these(stream_gift: FlushedGift) -> None:
    """The form is fixed for good: what it gives today is what it must give in ten years."""
    expected = (
        "giftserver gift 1\x007\x001\x0042\x00ana\x00k-1\x00abc\x00harbour\x00mira\x00rose\x003\x0030\x0015\x0012\x001"
        "\x00für dich\x001760000000123"
    ).encode()
    assert canonical(fields_of(stream_gift)) == expected
    assert hashes(b"", [stream_gift]) == [hashlib.sha256(expected).digest()]
    assert hashes(b"\x01" * 32, [stream_gift]) == [hashlib.sha256(b"\x01" * 32 + expected).digest()]


def test_every_field_counts(stream_gift: FlushedGift) -> None:
    """Another value in any field, or text moved from one field to its neighbour, is another hash."""
    fields = fields_of(stream_gift)
    assert len(fields) == len(COLUMNS) + 1
    seen = {next_hash(b"", fields)}
    for n in range(len(fields)):
        seen.add(next_hash(b"", (*fields[:n], f"{fields[n]}0", *fields[n + 1 :])))
        if n:
            seen.add(next_hash(b"", (*fields[: n - 1], f"{fields[n - 1]}{fields[n]}", "", *fields[n + 1 :])))
    assert len(seen) == 2 * len(fields)
    assert FORM.endswith(" 1")


def test_times_are_exact_to_the_ms() -> None:
    """A time that was shifted by a microsecond is not the time of the gift."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1_760_000_000_123)
    assert exact_ms(at) == 1_760_000_000_123
    assert exact_ms(at + timedelta(microseconds=1)) == "1760000000123.001"


async def test_flushes_carry_the_chain_on(book: Book) -> None:
    """Batch after batch, each hash follows from the one before, and the cursor has the last one."""
    await flushed(book)
    rows = await book.rows(f"SELECT {', '.join(COLUMNS)}, event_at, hash FROM transfer WHERE kind = 'gift' ORDER BY id")
    previous = b""
    for row in rows:
        previous = next_hash(previous, (*row[: len(COLUMNS)], exact_ms(row.event_at)))
        assert row.hash == previous
    assert len(rows) == 6
    assert (await book.rows("SELECT chain FROM flush_cursor WHERE shard = :s", s=SHARD))[0].chain == previous
    assert await broken(book) == []
    async with book.engine.connect() as connection:
        assert await chain_heads(connection) == {f"{SHARD:02d}-1-6": previous.hex()}


async def test_two_flushers_make_one_chain(book: Book) -> None:
    """Whoever loses the race adds nothing to it."""
    await book.fund("ana", 10_000)
    for _ in range(30):
        await book.gift("ana")

    async def flush() -> None:
        while (await flush_shard(book.engine, book.redis, SHARD, limit=3)).status != "idle":
            continue

    await asyncio.gather(flush(), flush(), flush())
    assert await broken(book) == []
    assert (await book.rows("SELECT count(hash) FROM transfer"))[0][0] == 30


SECOND = gift_id(SHARD, 1, 2)
THIRD = gift_id(SHARD, 1, 3)
LAST = gift_id(SHARD, 1, 6)
CHANGED = {
    "shard": "3", "epoch": "2", "seq": "7", "sender": "'ben'", "key": "'other'", "request_hash": "'other'",
    "room": "'attic'", "creator": "'tomas'", "gift": "'lily'", "quantity": "9", "coins": "99", "diamonds": "99",
    "catalog_version": "9", "rate_version": "9", "note": "'other'", "event_at": "event_at + interval '1 microsecond'",
    "reference": "'put in'", "hash": "sha256(hash)",
}  # fmt: skip
NO_RULES = "ALTER TABLE transfer DROP CONSTRAINT transfer_gift_number"


@pytest.mark.parametrize("column", CHANGED)
async def test_a_changed_transfer_is_found(book: Book, column: str) -> None:
    """Whatever column of a posted gift is changed, the check names that gift, and no gift before it."""
    await flushed(book)
    await book.run(NO_RULES, f"UPDATE transfer SET {column} = {CHANGED[column]} WHERE id = {SECOND}", tamper=True)
    violations = await broken(book)
    assert len(violations) == (2 if column == "hash" else 1)
    assert "does not follow" in violations[0]


TAMPERED = {
    "removed": ([f"DELETE FROM transfer WHERE id = {SECOND}"], [f"{SHARD:02d}-1-3"]),
    "the last removed": ([f"DELETE FROM transfer WHERE id = {LAST}"], ["flush cursor"]),
    "swapped": (
        ["CREATE TEMPORARY TABLE kept AS SELECT * FROM transfer",
         f"UPDATE transfer SET coins = k.coins, note = k.note, key = k.key || '2' FROM kept AS k "
         f"WHERE transfer.id IN ({SECOND}, {THIRD}) AND k.id = {SECOND + THIRD} - transfer.id"],
        [f"{SHARD:02d}-1-2", f"{SHARD:02d}-1-3"],
    ),
    "swapped with their hashes": (
        ["CREATE TEMPORARY TABLE kept AS SELECT * FROM transfer",
         f"UPDATE transfer SET coins = k.coins, note = k.note, hash = k.hash, key = k.key || '2' FROM kept AS k "
         f"WHERE transfer.id IN ({SECOND}, {THIRD}) AND k.id = {SECOND + THIRD} - transfer.id"],
        [f"{SHARD:02d}-1-2", f"{SHARD:02d}-1-3", f"{SHARD:02d}-1-4"],
    ),
    "put in": (
        [f"CREATE TEMPORARY TABLE more AS SELECT * FROM transfer WHERE id = {LAST}",
         f"UPDATE more SET seq = 7, key = 'more', id = {gift_id(SHARD, 1, 7)}, hash = sha256(hash)",
         "INSERT INTO transfer SELECT * FROM more"],
        [f"{SHARD:02d}-1-7", "flush cursor"],
    ),
    "put in without a hash": (
        [f"CREATE TEMPORARY TABLE more AS SELECT * FROM transfer WHERE id = {LAST}",
         f"UPDATE more SET seq = 7, key = 'more', id = {gift_id(SHARD, 1, 7)}, hash = NULL",
         "INSERT INTO transfer SELECT * FROM more"],
        [f"{SHARD:02d}-1-7 has no hash"],
    ),
    "the first hashes gone": (
        [f"UPDATE transfer SET hash = NULL WHERE id <= {SECOND}"], [f"{SHARD:02d}-1-3"],
    ),
    "the cursor's hash": (["UPDATE flush_cursor SET chain = sha256(chain)"], ["flush cursor"] * 16),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_with_the_past_is_found(book: Book, what: str) -> None:
    """Gifts removed, exchanged or put in show where the chain breaks."""
    statements, named = TAMPERED[what]
    await flushed(book)
    await book.run(*statements, tamper=True)
    violations = await broken(book)
    assert len(violations) == len(named), violations
    for violation, part in zip(violations, named, strict=True):
        assert part in violation


async def test_a_ledger_from_before_the_chain_goes_on(
    book: Book, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A populated database of the first schema is upgraded as it is: old gifts keep no hash, the next one starts it."""
    engine = open_database(empty_url)
    monkeypatch.setattr(book, "engine", engine)
    try:
        await migrate.upgrade(empty_url, "0001")
        await book.fund("ana", 1_000)
        for n in (1, 2):
            await book.run(
                "INSERT INTO transfer (id, kind, shard, epoch, seq, sender, key, request_hash, room, creator, gift, "
                "quantity, coins, diamonds, catalog_version, rate_version, note, event_at) VALUES "
                f"({gift_id(SHARD, 1, n)}, 'gift', {SHARD}, 1, {n}, 'ana', 'old-{n}', 'h', 'harbour', 'mira', 'rose', "
                "1, 10, 5, 1, 1, '', now())",
                f"UPDATE flush_cursor SET epoch = 1, seq = {n} WHERE shard = {SHARD}",
            )
        await migrate.upgrade(empty_url)
        await book.redis.hset(keys.meta(SHARD), mapping={"seq": 2, "flushed": 2})
        assert await broken(book) == []
        await book.gift("ana")
        await book.gift("ana")
        assert await book.flush() == 2
        assert await broken(book) == []
        rows = await book.rows("SELECT hash FROM transfer WHERE kind = 'gift' ORDER BY id")
        assert [row.hash is not None for row in rows] == [False, False, True, True]
        await book.run(f"UPDATE transfer SET note = 'x' WHERE id = {gift_id(SHARD, 1, 3)}", tamper=True)
        assert len(await broken(book)) == 1
    finally:
        await engine.dispose()


async def test_the_sql_of_the_document_recomputes_the_chain(book: Book) -> None:
    """docs/ledger.md gives a query for readers without this program: silent on a right book, loud on a wrong one."""
    [query] = re.findall(r"```sql\n(.*?)```", LEDGER.read_text(), re.DOTALL)
    await flushed(book)
    assert await book.rows(query) == []
    await book.run(f"UPDATE transfer SET note = 'x' WHERE id = {SECOND}", tamper=True)
    assert [row.id for row in await book.rows(query)] == [SECOND]
