"""The flusher and the worker end themselves at each named place, as a crash would; what stands afterwards is exact."""

import asyncio
import os
import signal
import sys
from functools import partial

from giftserver.durable.closings import time_closings
from giftserver.durable.credits import credit
from giftserver.durable.rooms import set_live, upsert_room
from giftserver.ledger import keys
from giftserver.ledger.clock import earliest_ms, latest_ms
from giftserver.ledger.outcomes import Accepted
from giftserver.settings import Settings
from tests.giftserver.recovery.conftest import SHARD, Till
from tests.torture.waiting import clock_passes

FLUSHER = ("flush.before_begin", "flush.after_post", "flush.after_commit", "flush.before_trim", "flush.after_trim")
COORDINATOR = (
    "coordinator.before_fence", "coordinator.after_fence", "coordinator.before_open", "coordinator.after_open",
)  # fmt: skip
KILLS = int(os.environ.get("GIFTSERVER_TEST_KILLS", "1"))  # by hand: 20


async def start(till: Till, settings: Settings, command: str, failpoints: str = "") -> asyncio.subprocess.Process:
    """One of the server's processes on the test's engines."""
    url = till.instance._urls().ledger_redis_url
    environment = os.environ | {
        "GIFTSERVER_LEDGER_REDIS_URL": str(url),
        "GIFTSERVER_ROOMS_REDIS_URL": str(settings.rooms_redis_url),
        "GIFTSERVER_DATABASE_URL": str(settings.database_url),
        "GIFTSERVER_FAILPOINTS": failpoints,
        "GIFTSERVER_VERIFY_EVERY_S": "0",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "giftserver", command, env=environment, stdout=asyncio.subprocess.DEVNULL
    )


async def killed(till: Till, settings: Settings, command: str, failpoint: str) -> None:
    """Run a process until it ends itself at the failpoint."""
    process = await start(till, settings, command, failpoint)
    async with asyncio.timeout(30):
        assert await process.wait() == -signal.SIGKILL, f"it never came to {failpoint}"


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a process in order."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        await process.wait()


async def test_a_flusher_that_dies_anywhere(till: Till, settings: Settings, until) -> None:
    """Each gift is posted once, wherever and however often the flusher dies."""
    await till.fund("ana", 2 * len(FLUSHER) * KILLS)
    given = 0
    for failpoint in FLUSHER * KILLS:
        await till.coordinator.settle()
        for _ in range(2):
            assert isinstance(await till.give(1), Accepted)
            given += 1
        await killed(till, settings, "flusher", failpoint)
    flusher = await start(till, settings, "flusher")

    async def all_flushed() -> bool:
        return await till.meta("flushed") == str(given)

    await until(all_flushed, 30)
    await ended(flusher)
    assert await till.violations() == []


async def test_a_coordinator_that_dies_anywhere(till: Till, settings: Settings, until) -> None:
    """Its successor opens every shard, no epoch is used twice, and no gift is lost or taken twice."""
    first = await till.give(10)
    assert isinstance(first, Accepted)
    for _ in range(KILLS):
        await till.crash()
        for failpoint in COORDINATOR:
            await killed(till, settings, "worker", f"{failpoint}:3")
    worker = await start(till, settings, "worker")

    async def open_again() -> bool:
        return isinstance(await till.ledger.send(till.order(1)), Accepted)

    await until(open_again, 30)
    await ended(worker)
    again = await till.ledger.send(till.sent[0])
    assert isinstance(again, Accepted)
    assert again.repeated
    await till.flush()
    assert await till.violations() == []


async def test_a_rebuild_that_dies_in_the_middle(till: Till, settings: Settings, until) -> None:
    """A half-filled Redis stays closed; the successor fills it from the beginning."""
    await till.fund("ben", 50)
    await till.give(10)
    await till.give(5, "ben")
    await till.flush()
    await till.redis.flushall()
    for _ in range(KILLS):
        await killed(till, settings, "worker", "rebuild.middle:2")
        assert await till.meta("state") != "open"
    worker = await start(till, settings, "worker")

    async def whole() -> bool:
        return await till.ledger.balance("ana") == 90 and await till.ledger.balance("ben") == 45

    await until(whole, 30)
    await ended(worker)
    assert await till.violations() == []


async def test_a_worker_that_dies_before_it_marks_a_credit(till: Till, settings: Settings, until) -> None:
    """The credit is in the wallet and not marked: it is offered again and comes once."""
    for _ in range(KILLS):
        await credit(till.database, "ana", 25, "top_up", f"test:{os.urandom(8).hex()}")
        await killed(till, settings, "worker", "credit.before_mark")
    worker = await start(till, settings, "worker")

    async def right() -> bool:
        coins = await till.redis.hget(keys.wallet(SHARD, "ana"), "coins")
        return coins == str(100 + 25 * KILLS).encode()

    await until(right, 30)
    await ended(worker)
    assert await till.violations() == []


async def test_a_worker_that_dies_after_a_refund(till: Till, settings: Settings, until) -> None:
    """The refund stands, nobody was told: it is not made again, and its coins come to the wallet."""
    await upsert_room(till.database, "harbour", creator="mira", creator_name="Mira", title="Boats")
    for _ in range(KILLS):
        await set_live(till.database, "harbour", True, await earliest_ms(till.redis))
        await set_live(till.database, "harbour", False)
        await time_closings(till.database, partial(latest_ms, till.redis))
        await clock_passes(till.redis, await latest_ms(till.redis))
        assert isinstance(await till.give(10), Accepted)
        await till.flush()
        await killed(till, settings, "worker", "refund.after_commit")
        await till.coordinator.settle()
    worker = await start(till, settings, "worker")

    async def right() -> bool:
        return await till.redis.hget(keys.wallet(SHARD, "ana"), "coins") == b"100"

    await until(right, 30)
    await ended(worker)
    assert await till.violations() == []
