"""The last events of a room: exact or refused, from memory where they are there, by one shared read where not."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from rooms.history import EVENT, RESUME_MAX, History, Record
from rooms.hub import Resume
from rooms.tail import KEPT_S, Tail
from rooms.tick import Shown
from tests.rooms.conftest import Listener, MakeHub, Plain, event, until


class Counting(History):
    """A history that counts its reads, and fails or waits when it is told to."""

    reads = 0
    away = False

    async def page(self, room: str, after: int, limit: int) -> Any:
        self.reads += 1
        if self.away:
            raise RedisAway("away")
        return await super().page(room, after, limit)


@pytest.fixture
def history(rooms_redis: Redis) -> Counting:
    """Few events are kept."""
    return Counting(rooms_redis, combo_window_ms=300, history_events=100, ttl_s=600)


def shown(offset: int) -> Shown:
    return Shown.of(Record(offset, EVENT, 0, "", 0, 0, str(offset)), Plain())


def offsets(found: Any) -> list[int] | None:
    return None if found is None else [message.message.offset for message in found]


async def test_a_thousand_who_come_back_are_one_read(history: Counting, make_hub: MakeHub) -> None:
    """At once, into a process that has just opened the room; those who follow are none."""
    epoch, _ = await history.open("r")
    await history.append("r", [event(number) for number in range(50)])
    hub = await make_hub()
    listeners = [Listener(outbox_bytes=1_000_000) for _ in range(1_000)]
    await asyncio.gather(
        *(hub.join("r", one.connection, Resume(epoch, n % 50), None) for n, one in enumerate(listeners))
    )
    for n, listener in enumerate(listeners):
        assert listener.messages[0]["resumed"] is True
        assert listener.offsets == list(range(n % 50 + 1, 51))
    assert history.reads == 1
    await history.append("r", [event(number) for number in range(50, 60)])
    await until(lambda: listeners[0].offsets[-1] == 60)
    late = Listener(outbox_bytes=1_000_000)
    await hub.join("r", late.connection, Resume(epoch, 20), None)
    assert late.offsets == list(range(21, 61))
    assert history.reads == 1


async def test_what_is_in_memory_needs_no_history(history: Counting, make_hub: MakeHub) -> None:
    """Not even one that keeps fewer events."""
    hub = await make_hub()
    first = Listener(outbox_bytes=1_000_000)
    room = await hub.join("r", first.connection, None, None)
    for start in range(0, 400, 50):
        await history.append("r", [event(number) for number in range(start, start + 50)])
    await until(lambda: first.offsets and first.offsets[-1] == 400)
    history.away = True
    back = Listener(outbox_bytes=1_000_000)
    await hub.join("r", back.connection, Resume(room.epoch, 10), None)
    assert back.offsets == list(range(11, 401))
    assert history.reads == 0


async def test_events_that_come_while_the_history_is_read(history: Counting) -> None:
    """The tail stays one run: what was read is put before what came meanwhile."""
    epoch, _ = await history.open("r")
    await history.append("r", [event(number) for number in range(40)])
    tail = Tail("r", epoch, 40, history, Plain())
    asking = asyncio.create_task(tail.between(30, 40))
    await until(lambda: history.reads)
    for offset in range(41, 46):
        tail.append(shown(offset))
    assert offsets(await asking) == list(range(31, 41))
    assert offsets(await tail.between(0, 45)) == list(range(1, 46))
    assert history.reads == 1


async def test_what_cannot_be_exact_is_refused(history: Counting) -> None:
    """From the future, too far back, trimmed, or of another epoch; and nobody reads again for what is not there."""
    epoch, _ = await history.open("r")
    for start in range(0, 500, 50):
        await history.append("r", [event(number) for number in range(start, start + 50)])
    tail = Tail("r", epoch, 500, history, Plain())
    assert await tail.between(501, 500) is None
    assert await tail.between(490, 501) is None
    assert await tail.between(500 - RESUME_MAX - 1, 500) is None
    assert history.reads == 0
    for _ in range(3):
        assert await tail.between(100, 500) is None
    assert history.reads == 1
    assert offsets(await tail.between(450, 500)) == list(range(451, 501))
    other = Tail("r", "ffff", 500, history, Plain())
    assert await other.between(499, 500) is None


async def test_a_gap_in_the_history_ends_the_tail(history: Counting, rooms_redis: Redis) -> None:
    """What is before it is not given as if it were whole."""
    epoch, _ = await history.open("r")
    for start in range(0, 40, 10):
        await history.append("r", [event(number) for number in range(start, start + 10)])
    await rooms_redis.xdel("{r:r}:batches", "20-0")
    tail = Tail("r", epoch, 40, history, Plain())
    assert await tail.between(10, 40) is None
    assert offsets(await tail.between(20, 40)) == list(range(21, 41))


async def test_a_read_that_fails_is_told_and_tried_again(history: Counting) -> None:
    """To everybody who waits for it; the next one reads."""
    epoch, _ = await history.open("r")
    await history.append("r", [event(number) for number in range(10)])
    tail = Tail("r", epoch, 10, history, Plain())
    history.away = True
    failed = await asyncio.gather(*(tail.between(n, 10) for n in range(5)), return_exceptions=True)
    assert [type(one) for one in failed] == [RedisAway] * 5
    history.away = False
    assert offsets(await tail.between(5, 10)) == list(range(6, 11))
    assert history.reads == 2


async def test_what_is_old_is_let_go(history: Counting) -> None:
    """After its time, and whatever its age beyond what a resume may ask for; what is younger stays."""
    epoch, _ = await history.open("r")
    tail = Tail("r", epoch, 0, history, Plain())
    for offset in range(1, 11):
        tail.append(shown(offset))
    tail.age(100.0)
    for offset in range(11, 21):
        tail.append(shown(offset))
    tail.age(101.0)
    tail.age(100.0 + KEPT_S)
    assert tail.begin == 10
    tail.age(101.0 + KEPT_S)
    assert tail.begin == 20
    for offset in range(21, 21 + 5 * RESUME_MAX):
        tail.append(shown(offset))
    assert RESUME_MAX <= len(tail._events) < 2 * RESUME_MAX
    tail.age(300.0)
    tail.age(300.0 + KEPT_S)
    assert tail.begin == tail._end
