"""Gifts that came after their room had closed: found when they are booked, given back once, and proven."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy.exc import IntegrityError

from giftserver.durable.closings import LATE_MAX_MS, time_closings
from giftserver.durable.credits import credits_after
from giftserver.durable.earnings import earnings_of
from giftserver.durable.flush import flush_shard
from giftserver.durable.history import gift_by_key, wallet_history
from giftserver.durable.refunds import due_refunds, refund_gift, refunded_lately
from giftserver.durable.rooms import CLOCK_DOUBT_MS, set_live, upsert_room
from giftserver.durable.tables import gift_id
from giftserver.durable.verify import verify
from giftserver.ledger import keys
from giftserver.ledger.clock import earliest_ms, latest_ms

SHARD = keys.shard_of("ana")


@pytest.fixture
async def open_room(book):
    """A ledger where harbour is live and ana has 100 coins."""
    await upsert_room(book.engine, "harbour", creator="mira", creator_name="Mira", title="Boats")
    await set_live(book.engine, "harbour", True)
    await book.fund("ana", 100)
    return book


async def close(book) -> int:
    """Close harbour as a web process does; the moment."""
    await set_live(book.engine, "harbour", False)
    await time_closings(book.engine, partial(latest_ms, book.redis))
    [row] = await book.rows("SELECT closed_ms FROM room_closing WHERE opened_ms IS NULL")
    return row.closed_ms


async def reopen(book) -> int:
    now_ms = await earliest_ms(book.redis)
    await set_live(book.engine, "harbour", True, now_ms)
    return now_ms


async def holds(book) -> None:
    report = await verify(book.engine, book.redis)
    assert report.holds, report.render()


async def give_back(book) -> list:
    """Everything that is due."""
    return [await refund_gift(book.engine, gift) for gift in await due_refunds(book.engine)]


async def test_what_comes_after_the_closing_is_due_and_nothing_else(open_room):
    """At the very moment is in time; a moment later, in this room, is not."""
    book = open_room
    await book.gift("ana", key="before")
    closed_ms = await close(book)
    await book.append(book.event("ana", key="at"), at_ms=closed_ms)
    late = await book.append(book.event("ana", key="late"), at_ms=closed_ms + 1)
    await book.append(book.event("ana", key="elsewhere", room="meadow"), at_ms=closed_ms + 1)
    await book.flush()
    assert await due_refunds(book.engine) == [gift_id(SHARD, 1, late)]


async def test_a_refund_takes_everything_back(open_room):
    """Coins to the sender through the outbox, diamonds from the creator, out of every sum; the statement says it."""
    book = open_room
    await book.gift("ana", key="kept", coins=30, diamonds=15)
    closed_ms = await close(book)
    await book.append(book.event("ana", key="late", coins=20, diamonds=10), at_ms=closed_ms + 5)
    await book.flush()
    assert (await book.balance("ana"), await book.balance("mira", "earnings")) == (50, 25)

    [refund] = await give_back(book)
    assert (refund.sender, refund.room, refund.coins, refund.diamonds) == ("ana", "harbour", 20, 10)
    assert refund.reason == "room_closed"
    assert (await book.balance("ana"), await book.balance("mira", "earnings")) == (70, 15)
    newest = (await wallet_history(book.engine, "ana")).entries[0]
    assert (newest.kind, newest.amount_coins, newest.balance_coins) == ("refund", 20, 70)
    assert (newest.gift, newest.room, newest.creator, newest.key) == ("rose", "harbour", "mira", None)
    assert (await gift_by_key(book.engine, "ana", "late")).refunded
    assert not (await gift_by_key(book.engine, "ana", "kept")).refunded
    assert await refunded_lately(book.engine, "harbour") == [refund.gift]
    earned = await earnings_of(book.engine, "mira", datetime.now(UTC).date() - timedelta(days=1))
    assert (earned.earned_diamonds, earned.balance_diamonds) == (15, 15)
    assert [diamonds for _, diamonds in earned.days] == [15]
    [_, credit] = await credits_after(book.engine, "ana", 0)
    assert (credit.credit_no, credit.coins, credit.transfer) == (2, 20, refund.transfer)
    await holds(book)


async def test_a_gift_of_no_diamonds_is_given_back(open_room):
    """It has two entries, and so has its refund."""
    book = open_room
    closed_ms = await close(book)
    await book.append(book.event("ana", coins=1, diamonds=0), at_ms=closed_ms + 1)
    await book.flush()
    await give_back(book)
    assert await book.balance("ana") == 100
    await holds(book)


async def test_a_gift_is_given_back_once(open_room):
    """However many workers try at the same time, and again later."""
    book = open_room
    closed_ms = await close(book)
    await book.append(book.event("ana"), at_ms=closed_ms + 1)
    await book.flush()
    [gift] = await due_refunds(book.engine)
    done = await asyncio.gather(*(refund_gift(book.engine, gift) for _ in range(8)))
    assert sum(refund is not None for refund in done) == 1
    assert await refund_gift(book.engine, gift) is None
    assert await book.balance("ana") == 100
    await holds(book)


async def test_a_refund_beside_credits_and_gifts(open_room):
    """Credits are numbered one after the other while refunds, credits and flushes go on together."""
    book = open_room
    await book.fund("ana", 10_000)
    closed_ms = await close(book)
    for _ in range(40):
        await book.append(book.event("ana"), at_ms=closed_ms + 1)
    await book.flush()
    for number in range(40):
        await book.append(book.event("ana", key=f"more{number}", room="meadow"))
    gifts = await due_refunds(book.engine)
    assert len(gifts) == 40
    await asyncio.gather(
        book.flush(),
        *(refund_gift(book.engine, gift) for gift in gifts),
        *(book.fund(f"other{number}", 10) for number in range(10)),
    )
    assert await book.balance("ana") == 100 + 10_000 - 400
    assert [c.credit_no for c in await credits_after(book.engine, "ana", 0)] == list(range(1, 43))


async def test_what_the_creator_no_longer_has_is_not_taken(open_room):
    """The refund is refused whole: no coin is given that no creator gives back, and it stays due."""
    book = open_room
    closed_ms = await close(book)
    await book.append(book.event("ana", diamonds=5), at_ms=closed_ms + 1)
    await book.flush()
    [gift] = await due_refunds(book.engine)
    await book.run("UPDATE account SET balance = 4 WHERE owner = 'mira'")
    with pytest.raises(IntegrityError, match="not_below_zero"):
        await refund_gift(book.engine, gift)
    assert await due_refunds(book.engine) == [gift]
    assert await book.balance("ana") == 90
    assert await book.rows("SELECT 1 FROM transfer WHERE kind = 'refund'") == []


async def test_a_closed_time_that_is_over(open_room):
    """Its gifts are late whenever they are booked, but for its end: a clock that stepped back makes nothing late."""
    book = open_room
    closed_ms = await close(book)
    late = await book.append(book.event("ana", key="late"), at_ms=closed_ms + 1)
    opened_ms = closed_ms + CLOCK_DOUBT_MS + 10
    await set_live(book.engine, "harbour", True, opened_ms)
    await book.append(book.event("ana", key="in doubt"), at_ms=closed_ms + 10)
    await book.append(book.event("ana", key="again"), at_ms=opened_ms)
    await book.flush()
    assert await due_refunds(book.engine) == [gift_id(SHARD, 1, late)]
    await give_back(book)
    await holds(book)


async def test_a_room_that_opened_again_soon_has_no_late_gifts_to_come(open_room):
    """What was late has been booked by then; what is booked later stays where it is."""
    book = open_room
    closed_ms = await close(book)
    await reopen(book)
    await book.append(book.event("ana"), at_ms=closed_ms + 1)
    await book.flush()
    assert await due_refunds(book.engine) == []
    await holds(book)


async def test_what_comes_long_after_the_closing_stays(open_room):
    """It was dated by another clock, or belongs to a show that a restored PostgreSQL does not know of."""
    book = open_room
    closed_ms = await close(book)
    late = await book.append(book.event("ana", key="late"), at_ms=closed_ms + LATE_MAX_MS)
    await book.append(book.event("ana", key="later"), at_ms=closed_ms + LATE_MAX_MS + 1)
    await book.flush()
    assert await due_refunds(book.engine) == [gift_id(SHARD, 1, late)]
    await holds(book)


async def test_a_closing_without_its_time_is_timed_before_gifts_are_booked(open_room):
    """The web process died after COMMIT: what was decided before is in time, what comes after is not."""
    book = open_room
    await book.gift("ana", key="in time")
    await set_live(book.engine, "harbour", False)
    assert (await flush_shard(book.engine, book.redis, SHARD)).status == "lost_race"
    [closing] = await book.rows("SELECT closed_ms FROM room_closing")
    assert closing.closed_ms <= await earliest_ms(book.redis)
    assert (await flush_shard(book.engine, book.redis, SHARD)).status == "posted"
    assert await due_refunds(book.engine) == []
    await book.append(book.event("ana", key="late"), at_ms=closing.closed_ms + 1)
    await book.flush()
    assert len(await due_refunds(book.engine)) == 1


async def test_a_closing_is_timed_once_and_after_it_was_seen(open_room):
    """One that is committed while the clock is asked is left for the next time."""
    book = open_room
    await upsert_room(book.engine, "meadow", creator="ines", creator_name="Ines", title="Grass")
    await set_live(book.engine, "meadow", True)
    await set_live(book.engine, "harbour", False)

    async def asked() -> int:
        await set_live(book.engine, "meadow", False)
        return 1_000

    async def later() -> int:
        return 3_000

    assert await time_closings(book.engine, asked) == 1
    assert await time_closings(book.engine, later) == 1
    assert await time_closings(book.engine, later) == 0
    rows = await book.rows("SELECT room, closed_ms FROM room_closing ORDER BY room")
    assert [tuple(row) for row in rows] == [("harbour", 1_000), ("meadow", 3_000)]


async def test_closing_twice_is_closing_once(open_room):
    """The first moment counts; opening what is open changes nothing."""
    book = open_room
    first_ms = await close(book)
    await set_live(book.engine, "harbour", False)
    assert await close(book) == first_ms
    await reopen(book)
    await set_live(book.engine, "harbour", True, 5)
    [row] = await book.rows("SELECT opened_ms FROM room_closing")
    assert row.opened_ms == first_ms


async def test_a_room_that_an_older_version_opened_can_be_closed(open_room):
    """During an upgrade a process that knows nothing of closings opens the room: the next closing has a new moment."""
    book = open_room
    first_ms = await close(book)
    await book.run("UPDATE room SET live = true WHERE id = 'harbour'")
    await book.run(f"UPDATE room_closing SET closed_ms = {first_ms - 5_000}")
    assert await close(book) >= first_ms


async def test_opening_without_a_clock_refunds_nothing(open_room):
    """When the ledger's Redis is away nobody knows what is late; nobody's gift is taken on a guess."""
    book = open_room
    closed_ms = await close(book)
    await set_live(book.engine, "harbour", True)
    await book.append(book.event("ana"), at_ms=closed_ms + 1)
    await book.flush()
    assert await due_refunds(book.engine) == []


WRONG = {
    "a late gift that nobody gives back": ("DELETE FROM refund_due", "nobody gives it back"),
    "other coins": ("UPDATE transfer SET coins = 9 WHERE kind = 'refund'", "not transfer"),
    "another room": ("UPDATE transfer SET room = 'attic' WHERE kind = 'refund'", "not transfer"),
    "an entry of somebody else": (
        "UPDATE entry SET account = (SELECT id FROM account WHERE owner = 'ben') WHERE transfer = "
        "(SELECT id FROM transfer WHERE kind = 'refund') AND amount = 10",
        "not transfer",
    ),
    "not asked for": ("UPDATE refund_due SET refund = NULL", "refund_due says nothing"),
    "a sum by day": ("UPDATE gift_day SET refunded_coins = 0", "given back; the refunds say"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_verify_finds(open_room, what):
    """Each way a refund can be wrong is a violation."""
    book = open_room
    await book.fund("ben", 10)
    closed_ms = await close(book)
    await book.append(book.event("ana"), at_ms=closed_ms + 1)
    await book.flush()
    await give_back(book)
    statement, said = WRONG[what]
    await book.run(statement, tamper=True)
    report = await verify(book.engine, book.redis)
    [refunds] = [one for one in report.invariants if one.name.startswith("refunds")]
    assert any(said in violation for violation in refunds.violations), report.render()
