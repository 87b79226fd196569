"""A room's history as one script keeps it: what many events share is written once, and says the same as one by one."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from rooms.history import COMBO_ENDED, Event, History, Record, channel, decode_batch
from tests.rooms.conftest import event, until

KEYS = ("meta", "batches", "combos", "due", "seen", "scores", "names")
TTL_S = 600


def event_of(number: int, person: str, combo_key: str = "", quantity: int = 1) -> Event:
    return Event(f"e{number}", combo_key, quantity, 10 * quantity, person, person.upper(), str(number))


@pytest.fixture
async def published(rooms_redis: Redis) -> AsyncIterator[list[Any]]:
    """Batches that the channel of room r carried."""
    client: Any = rooms_redis
    got: list[Any] = []
    async with client.pubsub() as pubsub:
        await pubsub.ssubscribe(channel("r"))

        async def listen() -> None:
            while True:
                message = await pubsub.get_message(timeout=1)
                if message is not None and message["type"] == "smessage":
                    got.append(decode_batch(message["data"]))

        task = asyncio.create_task(listen())
        yield got
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _ends(history: History) -> bool:
    """Whether a combo of room r was due now."""
    ended, _ = await history.close_due("r")
    return ended > 0


def facts(records: Sequence[Record]) -> list[tuple[Any, ...]]:
    return [(one.offset, one.kind, one.combo_quantity, one.combo_score, one.body) for one in records]


async def test_a_batch_says_what_its_events_say_one_by_one(history: History, rooms_redis: Redis) -> None:
    """Records, combos, scores, the room's sum and names."""
    events = [
        event_of(1, "ana", "ana|rose", 2),
        event_of(2, "ben"),
        event_of(3, "ana", "ana|rose"),
        event_of(4, "ben", "ben|rose", 5),
        event_of(5, "ana", "ana|kite"),
        event_of(6, "ana", "ana|rose", 4),
    ]
    assert await history.append("batch", events) == 6
    for one in events:
        await history.append("single", [one])
    _, batch = await history.page("batch", 0, 100)
    _, single = await history.page("single", 0, 100)
    assert facts(batch) == facts(single)
    assert [one.combo_quantity for one in batch] == [2, 1, 3, 5, 1, 7]
    assert await rooms_redis.xlen("{r:batch}:batches") == 1
    for room in ("batch", "single"):
        assert {(one.person, one.name, one.score) for one in await history.top(room)} == {
            ("ana", "ANA", 80), ("ben", "BEN", 60),
        }  # fmt: skip
        assert await history.total_score(room) == 140
        assert {(one.quantity, one.score) for one in await history.combos(room)} == {(7, 70), (5, 50), (1, 10)}


async def test_the_channel_carries_what_is_kept(history: History, published: list[Any]) -> None:
    """The same records under the room's epoch, and the ends of combos."""
    await history.append("r", [event(number, "ana|rose" if number % 2 else "") for number in range(40)])
    await until(lambda: published)
    epoch, kept = await history.page("r", 0, 100)
    assert published[0].epoch == epoch
    assert published[0].records == kept
    await until(lambda: _ends(history))
    await until(lambda: len(published) == 2)
    _, kept = await history.page("r", 40, 100)
    assert published[1].records == kept
    assert [one.kind for one in kept] == [COMBO_ENDED]


async def test_an_event_is_appended_once(history: History) -> None:
    """However often it is in one batch or in several."""
    assert await history.append("r", []) == 0
    assert await history.append("r", [event(1), event(2), event(1)]) == 2
    assert await history.append("r", [event(2), event(3), event(3)]) == 1
    assert await history.append("r", [event(1)]) == 0
    _, kept = await history.page("r", 0, 100)
    assert [(one.offset, one.body) for one in kept] == [(1, "1"), (2, "2"), (3, "3")]


async def test_a_combo_whose_window_passed_ends_before_the_next_begins(history: History) -> None:
    """In the batch that brings the next one, when nobody else ended it; only once."""
    await history.append("r", [event(1, "ana|rose"), event(2, "ana|rose")])
    [combo] = await history.combos("r")
    await until(lambda: _is_over(history, combo.ends_at_ms))
    await history.append("r", [event(3, "ana|rose"), event(4, "ana|rose")])
    _, kept = await history.page("r", 0, 100)
    assert [(one.kind, one.combo_quantity) for one in kept] == [("e", 1), ("e", 2), ("c", 2), ("e", 1), ("e", 2)]
    assert len({one.combo for one in kept}) == 2


async def _is_over(history: History, ends_at_ms: int) -> bool:
    redis: Any = history._redis
    time_s, time_us = await redis.time()
    return bool(time_s * 1_000 + time_us // 1_000 > ends_at_ms)


async def test_a_page_begins_and_ends_inside_batches(history: History) -> None:
    """And so does what is resumed."""
    for start in range(0, 60, 20):
        await history.append("r", [event(number) for number in range(start, start + 20)])
    epoch, page = await history.page("r", 15, 10)
    assert [one.offset for one in page] == list(range(16, 26))
    assert epoch is not None
    assert [one.offset for one in await history.since("r", epoch, 55) or []] == list(range(56, 61))
    assert [one.offset for one in await history.since("r", epoch, 20) or []] == list(range(21, 61))
    assert await history.since("r", epoch, 15, limit=10) is None
    assert await history.unshown("r", limit=5) == list(range(56, 61))


async def test_as_many_events_are_kept_as_was_said(rooms_redis: Redis) -> None:
    """Whether they came one by one or many at once; not many more."""
    history = History(rooms_redis, combo_window_ms=300, history_events=500, ttl_s=TTL_S)
    numbers = itertools.count()
    for size in (1, 200):
        room = f"by-{size}"
        for _ in range(2_000 // size):
            await history.append(room, [event(next(numbers)) for _ in range(size)])
        epoch, _ = await history.open(room)
        assert len(await history.since(room, epoch, 1_500) or []) == 500
        _, kept = await history.page(room, 0, 10_000)
        assert 500 <= len(kept) < 1_000


async def test_the_keys_of_a_room_end_together(history: History, rooms_redis: Redis) -> None:
    """Also those that went away in between and came again; an end is moved when some time has passed."""
    await history.append("r", [event(1, "ana|rose")])
    await until(lambda: _ends(history))
    assert not await rooms_redis.exists("{r:r}:combos")
    await history.retract("r", "ana", 1)
    await history.append("r", [event(2, "ana|rose")])
    ends = [await rooms_redis.pexpiretime(f"{{r:r}}:{key}") for key in KEYS]
    assert len(set(ends)) == 1, ends
    assert 0 < await rooms_redis.pttl("{r:r}:meta") <= TTL_S * 1_000


async def test_an_end_is_moved_now_and_then(rooms_redis: Redis) -> None:
    """Not with every append, and before a tenth of the time has passed."""
    history = History(rooms_redis, combo_window_ms=300, history_events=100, ttl_s=1)
    await history.append("r", [event(1)])
    first = await rooms_redis.pexpiretime("{r:r}:seen")
    numbers = itertools.count(2)
    moves = set()

    async def moved() -> bool:
        await history.append("r", [event(next(numbers))])
        moves.add(await rooms_redis.pexpiretime("{r:r}:seen"))
        return len(moves) >= 5

    await until(moved)
    ordered = sorted({first, *moves})
    assert all(later - sooner > 100 for sooner, later in itertools.pairwise(ordered))
    assert next(numbers) > 2 * len(ordered)
