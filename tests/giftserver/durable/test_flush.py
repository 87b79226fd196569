"""The flush: every gift exactly once, and a halt at anything that must not be."""

import asyncio
import uuid

import msgspec
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from giftserver.durable import flush as flush_module
from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard, read_cursor, trim_events
from giftserver.durable.intake import Cursor, FlushHalted
from giftserver.ledger import keys

SHARD = keys.shard_of("ana")


async def test_a_gift_becomes_four_entries_and_moves_the_cursor(book):
    """A gift is four entries with the balance after each, and the cursor stands at it."""
    await book.fund("ana", 100)
    await book.gift("ana", coins=10, diamonds=5)
    await book.gift("ana", coins=30, diamonds=15)
    result = await flush_shard(book.engine, book.redis, SHARD)
    assert (result.status, len(result.gifts), result.cursor) == ("posted", 2, Cursor(1, 2))
    assert result.gifts[1].transfer == f"{SHARD:02d}-1-2"
    rows = await book.rows(
        "SELECT a.kind, e.n, e.version, e.amount, e.balance_after FROM entry e JOIN account a ON a.id = e.account "
        "JOIN transfer t ON t.id = e.transfer WHERE t.kind = 'gift' ORDER BY t.id, e.n"
    )
    assert [tuple(row) for row in rows] == [
        ("wallet", 1, 2, -10, 90),
        ("gifts_spent", 2, 1, 10, 10),
        ("diamonds_issued", 3, 1, -5, -5),
        ("earnings", 4, 1, 5, 5),
        ("wallet", 1, 3, -30, 60),
        ("gifts_spent", 2, 2, 30, 40),
        ("diamonds_issued", 3, 2, -15, -20),
        ("earnings", 4, 2, 15, 20),
    ]
    assert await book.balance("ana") == 60
    assert await book.balance("mira", "earnings") == 20
    assert await book.redis.hget(keys.meta(SHARD), "flushed") == b"2"


async def test_a_gift_of_no_diamonds_has_two_entries(book):
    """A rate that rounds down to nothing is lawful and leaves the diamonds alone."""
    await book.fund("ana", 100)
    await book.gift("ana", coins=1, diamonds=0)
    assert await book.flush() == 1
    assert len(await book.rows("SELECT 1 FROM entry JOIN transfer t ON t.id = transfer WHERE t.kind = 'gift'")) == 2
    assert await book.rows("SELECT 1 FROM account WHERE kind = 'earnings'") == []


async def test_many_senders_and_creators_in_small_batches(book):
    """Whatever the batches, the sums are the gifts' sums and nothing is posted twice."""
    people = [f"viewer{n}" for n in range(30)]
    for person in people:
        await book.fund(person, 1000)
    for n in range(300):
        await book.gift(people[n % 30], creator=f"creator{n % 7}", coins=1 + n % 5, diamonds=1)
    posted = 0
    for shard in range(keys.SHARDS):
        while (result := await flush_shard(book.engine, book.redis, shard, limit=7)).status == "posted":
            posted += len(result.gifts)
    assert posted == 300
    spent = sum(1 + n % 5 for n in range(300))
    assert await book.balance("platform", "gifts_spent") == spent
    assert sum([await book.balance(person) for person in people]) == 30_000 - spent
    assert sum([await book.balance(f"creator{n}", "earnings") for n in range(7)]) == 300


async def test_seq_goes_on_across_an_epoch(book):
    """A new epoch continues the count; its first gift directly follows the last of the old one."""
    await book.fund("ana", 100)
    await book.gift("ana")
    await book.redis.hset(keys.meta(SHARD), "epoch", 4)
    await book.gift("ana")
    assert await book.flush() == 2
    assert await read_cursor(book.engine, SHARD) == Cursor(4, 2)


async def test_nothing_waiting_and_unknown_shard(book):
    """An idle shard does nothing; a wiped Redis is not a reason to write anything."""
    assert (await flush_shard(book.engine, book.redis, SHARD)).status == "idle"
    await book.redis.flushall()
    assert (await flush_shard(book.engine, book.redis, SHARD)).status == "absent"


async def halted(book, shard: int = SHARD) -> FlushHalted:
    before = await read_cursor(book.engine, shard)
    transfers = await book.rows("SELECT count(*) FROM transfer WHERE kind = 'gift'")
    with pytest.raises(FlushHalted) as halt:
        await flush_shard(book.engine, book.redis, shard)
    assert await read_cursor(book.engine, shard) == before
    assert await book.rows("SELECT count(*) FROM transfer WHERE kind = 'gift'") == transfers
    return halt.value


async def test_a_gap_halts(book):
    """A missing event stops the shard; the good events before it in the batch are not posted around it."""
    await book.fund("ana", 100)
    for _ in range(3):
        await book.gift("ana")
    await book.redis.xdel(keys.events(SHARD), "1-2")
    halt = await halted(book)
    assert (halt.rule, halt.event) == ("gap", "1-3")


async def test_events_lost_from_the_stream_halt(book):
    """Gifts that Redis counts but no longer holds are a gap, not an idle shard."""
    await book.fund("ana", 100)
    await book.gift("ana")
    await book.redis.delete(keys.events(SHARD))
    assert (await halted(book)).rule == "gap"


async def test_an_epoch_that_goes_back_halts(book):
    """After epoch 3 nothing of epoch 2 is taken: such an event cannot even follow in the stream."""
    await book.fund("ana", 100)
    await book.redis.hset(keys.meta(SHARD), "epoch", 3)
    await book.gift("ana")
    await book.flush()
    await book.redis.delete(keys.events(SHARD))
    await book.redis.hset(keys.meta(SHARD), "epoch", 2)
    await book.gift("ana")
    assert (await halted(book)).rule == "gap"


async def test_a_redis_behind_postgresql_halts(book):
    """A Redis that counts fewer gifts than PostgreSQL has lost some; its new numbers would be taken for old ones."""
    await book.fund("ana", 100)
    await book.gift("ana")
    await book.flush()
    await book.redis.hset(keys.meta(SHARD), "seq", 0)
    assert (await halted(book)).rule == "behind"


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x90", b"\x9d" + b"\xa1a" * 13, b"\xff" * 40])
async def test_an_undecodable_event_halts(book, payload):
    """Bytes that are not a gift event stop the shard."""
    await book.fund("ana", 100)
    await book.append(book.event("ana"), payload=payload)
    assert (await halted(book)).rule == "undecodable"


@pytest.mark.parametrize(
    "changes",
    [
        {"coins": 0}, {"coins": -5}, {"coins": 10**12 + 1}, {"coins": True}, {"coins": 1.0}, {"coins": "10"},
        {"diamonds": -1}, {"diamonds": 10**12 + 1}, {"quantity": 0}, {"key": ""}, {"room": ""}, {"gift": ""},
        {"creator": ""}, {"creator": "ana"}, {"note": "a\0b"}, {"note": "n" * 1001}, {"catalog_version": -1},
    ],
    ids=str,
)  # fmt: skip
async def test_a_forged_event_halts(book, changes):
    """An amount, name or text that no gift may have stops the shard, before PostgreSQL sees it."""
    await book.fund("ana", 100)
    forged = book.event("ana", **changes)
    await book.append(book.event("ana"), payload=msgspec.msgpack.encode(forged))
    assert (await halted(book)).rule in ("unlawful", "undecodable")


async def test_another_shards_sender_halts(book):
    """A sender's gifts come through the sender's shard only."""
    other = (SHARD + 1) % keys.SHARDS
    await book.fund("ana", 100)
    await book.append(book.event("ana"), shard=other)
    halt = await halted(book, other)
    assert (halt.rule, halt.detail) == ("unlawful", f"the sender's shard is {SHARD:02d}")


async def test_a_key_used_twice_halts(book):
    """(sender, key) is unique for ever: a second gift of a key is refused by PostgreSQL."""
    await book.fund("ana", 100)
    key = str(uuid.uuid4())
    await book.gift("ana", key=key)
    await book.flush()
    await book.gift("ana", key=key)
    halt = await halted(book)
    assert halt.rule == "refused"
    assert "transfer_sender_key" in halt.detail


@pytest.mark.parametrize("funded", [0, 5])
async def test_coins_nobody_credited_halt(book, funded):
    """A gift that would take a wallet below zero, or from a wallet PostgreSQL does not know, is refused."""
    if funded:
        await book.fund("ana", funded)
    await book.gift("ana", coins=6)
    assert (await halted(book)).rule == "refused"


async def test_two_flushers_race_and_one_wins(book):
    """Of flushers on the same shard one posts; the others find the cursor moved and post nothing."""
    await book.fund("ana", 1000)
    for _ in range(20):
        await book.gift("ana")
    results = await asyncio.gather(*(flush_shard(book.engine, book.redis, SHARD) for _ in range(6)))
    assert sorted(result.status for result in results if result.status != "idle").count("posted") == 1
    assert len(await book.rows("SELECT 1 FROM transfer WHERE kind = 'gift'")) == 20
    assert await book.balance("ana") == 800


async def test_a_stale_cursor_posts_nothing(book):
    """A flusher that believes in an old cursor loses and learns that it must read it again."""
    await book.fund("ana", 1000)
    await book.gift("ana")
    await book.flush()
    result = await flush_shard(book.engine, book.redis, SHARD, cursor=Cursor(0, 0))
    assert (result.status, result.cursor) == ("lost_race", None)
    assert await book.balance("ana") == 990


async def test_killed_after_commit_before_the_mark(book, monkeypatch):
    """A flusher that ends between COMMIT and meta.flushed leaves only the mark behind; the next flush sets it."""
    await book.fund("ana", 100)
    await book.gift("ana")

    async def dies(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(flush_module, "mark_flushed", dies)
        with pytest.raises(asyncio.CancelledError):
            await flush_shard(book.engine, book.redis, SHARD)
    assert await book.redis.hget(keys.meta(SHARD), "flushed") == b"0"
    assert (await flush_shard(book.engine, book.redis, SHARD)).status == "idle"
    assert await book.redis.hget(keys.meta(SHARD), "flushed") == b"1"
    assert await book.balance("ana") == 90


async def test_redis_gone_after_commit_is_still_posted(book, monkeypatch):
    """When Redis does not take the mark the gifts stand all the same, and the result says so."""
    await book.fund("ana", 100)
    await book.gift("ana")

    class Gone:
        async def __call__(self, **_: object) -> None:
            raise RedisConnectionError("gone")

    monkeypatch.setattr(flush_module, "_script", lambda *_: Gone())
    assert (await flush_shard(book.engine, book.redis, SHARD)).status == "posted"


async def test_a_commit_without_an_answer_is_settled_by_the_cursor(book, monkeypatch):
    """An error after COMMIT was carried out is a success, told by the cursor; one before it is a failure."""
    await book.fund("ana", 100)
    await book.gift("ana")
    real = flush_module.post_gifts

    async def committed_then_lost(connection, *rest):
        await real(connection, *rest)
        await connection.commit()
        raise ConnectionResetError("the answer to COMMIT")

    async def lost(connection, *rest):
        await real(connection, *rest)
        raise ConnectionResetError("before COMMIT")

    monkeypatch.setattr(flush_module, "post_gifts", lost)
    with pytest.raises(ConnectionResetError):
        await flush_shard(book.engine, book.redis, SHARD)
    assert await book.balance("ana") == 100
    monkeypatch.setattr(flush_module, "post_gifts", committed_then_lost)
    assert (await flush_shard(book.engine, book.redis, SHARD)).status == "posted"
    assert await book.balance("ana") == 90


async def test_the_next_gifts_are_read_while_these_are_posted(book):
    """A flush brings what follows when more is waiting, and the next flush posts it without reading the stream."""
    await book.fund("ana", 100)
    for _ in range(5):
        await book.gift("ana")
    first = await flush_shard(book.engine, book.redis, SHARD, limit=2)
    assert first.ahead is not None
    assert [gift.seq for gift in first.ahead.gifts] == [3, 4]
    await book.redis.delete(keys.events(SHARD))
    second = await flush_shard(book.engine, book.redis, SHARD, 2, first.cursor, first.ahead)
    assert (second.status, second.cursor, second.ahead) == ("posted", Cursor(1, 4), None)
    assert await book.balance("ana") == 60


async def test_nothing_is_read_ahead_when_nothing_is_waiting(book):
    """The live case costs no second look at the stream."""
    await book.fund("ana", 100)
    await book.gift("ana")
    assert (await flush_shard(book.engine, book.redis, SHARD)).ahead is None


async def test_what_was_read_ahead_of_another_cursor_is_not_posted(book):
    """Gifts that do not follow the cursor would leave a hole: they are read again."""
    await book.fund("ana", 100)
    for _ in range(4):
        await book.gift("ana")
    first = await flush_shard(book.engine, book.redis, SHARD, limit=1)
    await flush_shard(book.engine, book.redis, SHARD, 1, first.cursor)
    third = await flush_shard(book.engine, book.redis, SHARD, 1, None, first.ahead)
    assert [gift.seq for gift in third.gifts] == [3]
    assert await book.balance("ana") == 70


async def test_a_bad_event_ahead_halts_only_its_own_flush(book):
    """The good gifts before it are posted; the flush that would post it reads it again and halts."""
    await book.fund("ana", 100)
    await book.gift("ana")
    await book.append(book.event("ana"), payload=b"\xc1")
    first = await flush_shard(book.engine, book.redis, SHARD, limit=1)
    assert (first.status, first.ahead) == ("posted", None)
    assert (await halted(book)).rule == "undecodable"
    assert await book.balance("ana") == 90


async def test_reading_ahead_ends_with_a_flush_that_fails(book, monkeypatch):
    """A flush that raises leaves nothing running behind it."""
    await book.fund("ana", 100)
    for _ in range(2):
        await book.gift("ana")

    async def away(*_: object) -> bool:
        raise ConnectionResetError("before COMMIT")

    monkeypatch.setattr(flush_module, "post_gifts", away)
    with pytest.raises(ConnectionResetError):
        await flush_shard(book.engine, book.redis, SHARD, limit=1)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "read ahead"]


async def test_shards_with_common_creators_flush_at_once(book):
    """They lock accounts in one order and make new creators in one order: none waits in a circle, each sum is right."""
    people = [f"viewer{n}" for n in range(40)]
    for person in people:
        await book.fund(person, 1000)
    for n in range(400):
        await book.gift(people[n % 40], creator=f"creator{(n * 7 + n // 40) % 23}", coins=2, diamonds=1)
    credits = [credit(book.engine, people[n], 5, "grant", f"meanwhile-{n}") for n in range(20)]

    async def flush_all(shard: int) -> None:
        while (await flush_shard(book.engine, book.redis, shard, limit=5)).status == "posted":
            pass

    await asyncio.gather(*(flush_all(shard) for shard in range(keys.SHARDS)), *credits)
    assert await book.balance("platform", "gifts_spent") == 800
    assert sum([await book.balance(f"creator{n}", "earnings") for n in range(23)]) == 400
    assert sum([await book.balance(person) for person in people]) == 40_000 + 100 - 800
    assert (
        await book.rows(
            "SELECT id FROM account WHERE (balance, version) <> (SELECT coalesce(sum(amount), 0), count(*) FROM entry "
            "WHERE entry.account = account.id)"
        )
        == []
    )


async def test_trim_keeps_the_tail_and_what_is_not_announced(book):
    """Only events that are old, flushed and announced are dropped."""
    await book.fund("ana", 100_000)
    await book.redis.config_set("stream-node-max-entries", 10)
    try:
        for n in range(200):
            await book.append(book.event("ana"), at_ms=1_700_000_000_000 + n if n < 120 else None)
        assert await trim_events(book.redis, SHARD) == 0
        await book.flush()
        assert await trim_events(book.redis, SHARD) == 0
        await book.redis.hset(keys.meta(SHARD), "announced", 55)
        assert await trim_events(book.redis, SHARD) == 50
        await book.redis.hset(keys.meta(SHARD), "announced", 200)
        assert await trim_events(book.redis, SHARD) == 70
        assert (await book.redis.xrange(keys.events(SHARD), count=1))[0][0] == b"1-121"
        assert await trim_events(book.redis, SHARD, keep_ms=-60_000) == 80
    finally:
        await book.redis.config_set("stream-node-max-entries", 100)
