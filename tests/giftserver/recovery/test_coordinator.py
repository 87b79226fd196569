"""Redis restarts, loses its end, loses everything; PostgreSQL is restored: what stands afterwards is exact."""

import asyncio
import contextlib
import socket

import asyncpg
import pytest

from giftserver.durable import flush as flush_module
from giftserver.durable.epochs import Opening, record_epochs, shard_books
from giftserver.durable.flush import read_cursor
from giftserver.durable.intake import read_waiting
from giftserver.durable.store import open_database
from giftserver.engines import Engines
from giftserver.ledger import keys
from giftserver.ledger.outcomes import Accepted, Reason, Refused
from giftserver.metrics import Metrics
from giftserver.recovery import coordinator as coordinator_module
from giftserver.recovery.coordinator import Coordinator
from giftserver.recovery.rebuild import load_all
from giftserver.settings import Settings
from giftserver.worker import CreditCarrier
from tests.giftserver.recovery.conftest import SHARD, Till, open_ledger_of


async def test_after_a_restart_nobody_pays_until_the_run_is_approved(till: Till) -> None:
    """The same history under another run: refused without a charge, then open in the next epoch, nothing lost."""
    first = await till.give()
    assert isinstance(first, Accepted)
    await till.crash()
    closed = await till.give()
    assert closed == Refused(Reason.TRY_AGAIN, "FENCED")
    assert await till.meta("seq") == "1"
    await till.coordinator.settle()
    assert await till.meta("epoch") == "2"
    again = await till.ledger.send(till.sent[0])
    assert isinstance(again, Accepted)
    assert (again.repeated, again.epoch, again.seq) == (True, 1, 1)
    later = await till.give(30)
    assert isinstance(later, Accepted)
    assert (later.epoch, later.seq, later.balance_coins) == (2, 2, 60)
    await till.flush()
    assert await till.violations() == []


async def test_a_script_that_is_gone_is_loaded_again(till: Till) -> None:
    """SCRIPT FLUSH on the approved run costs nobody anything: one execution."""
    await till.give()
    await till.redis.script_flush()
    outcome = await till.give(20)
    assert isinstance(outcome, Accepted)
    assert (outcome.seq, outcome.balance_coins) == (2, 70)


async def test_a_wiped_redis_is_filled_again(till: Till) -> None:
    """Balances, keys and the day's sums come back exact; nothing that is missing is taken for zero."""
    await till.give(10)
    await till.fund("ben", 50)
    await till.give(5, "ben")
    await till.flush()
    before = await till.redis.hgetall(keys.earned(SHARD, f"{await day(till)}"))
    await till.redis.flushall()
    assert await till.give(1) == Refused(Reason.TRY_AGAIN, "FENCED")
    await till.coordinator.settle()
    assert await till.redis.hgetall(keys.earned(SHARD, f"{await day(till)}")) == before
    repeated = await till.ledger.send(till.sent[0])
    assert isinstance(repeated, Accepted)
    assert repeated.repeated
    assert await till.ledger.balance("ana") == 90
    assert await till.ledger.balance("ben") == 45
    outcome = await till.give(1)
    assert isinstance(outcome, Accepted)
    assert (outcome.epoch, outcome.seq, outcome.balance_coins) == (2, 2, 89)
    await till.flush()
    assert await till.violations() == []


async def day(till: Till) -> str:
    """The day of the ledger's clock."""
    seconds, _ = await till.redis.time()
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d}"


async def test_a_redis_that_lost_its_end_is_rebuilt(till: Till) -> None:
    """PostgreSQL has gifts that Redis forgot: they stay charged, their keys stay taken, the wallet is right."""
    await till.give(10)
    names = [keys.meta(SHARD), keys.wallet(SHARD, "ana"), keys.earned(SHARD, await day(till))]
    older = {name: await till.redis.dump(name) for name in names}
    await till.give(20)
    await till.flush()
    for name, value in older.items():
        await till.redis.restore(name, 0, value, replace=True)
    await till.redis.xdel(keys.events(SHARD), "1-2")
    await till.redis.delete(keys.receipt(SHARD, "ana", till.sent[1].key))
    await till.crash()
    await till.coordinator.settle()
    assert "lost gifts 2 … 2" in till.coordinator.reports[SHARD].reason
    again = await till.ledger.send(till.sent[1])
    assert isinstance(again, Accepted)
    assert (again.repeated, again.balance_coins) == (True, 70)
    outcome = await till.give(1)
    assert isinstance(outcome, Accepted)
    assert (outcome.epoch, outcome.seq, outcome.balance_coins) == (2, 3, 69)
    await till.flush()
    assert await till.violations() == []


async def test_a_credit_that_redis_forgot_comes_again(till: Till) -> None:
    """It was marked as applied; after a restart it is offered once more, and comes once."""
    wallet = keys.wallet(SHARD, "ana")
    older = await till.redis.dump(wallet)
    carrier = CreditCarrier(Engines(till.redis, till.redis, till.database), till.ledger, Metrics())
    await till.fund("ana", 25)
    await carrier.carry()
    await till.redis.restore(wallet, 0, older, replace=True)
    await till.crash()
    await till.coordinator.settle()
    assert await carrier.carry() > 0
    assert await till.ledger.balance("ana") == 125
    await carrier.carry()
    assert await till.ledger.balance("ana") == 125
    assert await till.violations() == []


async def test_a_restored_postgresql_is_filled_from_the_stream(till: Till, settings: Settings) -> None:
    """The shard is closed while the flusher brings what the backup lacks, then goes on with right wallets."""
    await till.give(10)
    await till.flush()
    async with backup(till, settings) as restored:
        await till.give(20)
        await till.flush()
        await till.give(5)
        old, till.database = till.database, restored
        coordinator = Coordinator(restored, till.redis)
        assert await coordinator.settle() is False
        assert (await till.meta("state"), "being filled" in coordinator.reports[SHARD].reason) == ("replaying", True)
        assert await till.give(1) == Refused(Reason.TRY_AGAIN, "FENCED")
        assert await coordinator.settle() is False
        await till.flush()
        assert await coordinator.settle() is True
        till.ledger = open_ledger_of(till.redis, restored)
        outcome = await till.give(1)
        assert isinstance(outcome, Accepted)
        assert (outcome.seq, outcome.balance_coins) == (4, 64)
        await till.flush()
        assert await till.violations() == []
        till.database = old


@contextlib.asynccontextmanager
async def backup(till: Till, settings: Settings):
    """A copy of the database as it is now."""
    assert settings.database_url is not None
    base, name = settings.database_url.rsplit("/", 1)
    await till.database.dispose()
    admin = await asyncpg.connect(base + "/postgres")
    await admin.execute(f'CREATE DATABASE "{name}_b" TEMPLATE "{name}"')
    restored = open_database(f"{base}/{name}_b")
    try:
        yield restored
    finally:
        await restored.dispose()
        await admin.execute(f'DROP DATABASE "{name}_b" WITH (FORCE)')
        await admin.close()


async def test_a_gap_stops_the_shard_for_a_person(till: Till) -> None:
    """What contradicts itself is never opened, and the other shards go on."""
    await till.give(10)
    await till.give(10)
    await till.redis.xdel(keys.events(SHARD), "1-1")
    await till.crash()
    await till.coordinator.settle()
    assert "missing in the stream" in till.coordinator.reports[SHARD].reason
    assert await till.meta("state") == "fenced"
    assert await till.give(1) == Refused(Reason.TRY_AGAIN, "FENCED")
    other = next(user for user in ("ben", "chloe", "dmitri") if keys.shard_of(user) != SHARD)
    await till.fund(other, 10)
    assert isinstance(await till.give(5, other), Accepted)


async def test_without_a_lease_nobody_pays(till: Till) -> None:
    """A shard whose coordinator is gone stops by itself, and goes on with the next renewal."""
    await till.redis.hset(keys.meta(SHARD), "lease_ms", 1)
    assert await till.give() == Refused(Reason.TRY_AGAIN, "LEASE")
    await till.coordinator.settle()
    assert isinstance(await till.give(), Accepted)
    assert await till.meta("epoch") == "1"


async def test_a_full_redis_takes_no_more(till: Till) -> None:
    """From 85 % of its memory on gifts are refused before Redis itself refuses, and go on when there is room."""
    used = int((await till.redis.info("memory"))["used_memory"])
    await till.redis.config_set("maxmemory", int(used / 0.9))
    await till.coordinator.settle()
    assert await till.give() == Refused(Reason.TRY_AGAIN, "MEMORY")
    await till.redis.config_set("maxmemory", 0)
    await till.coordinator.settle()
    assert isinstance(await till.give(), Accepted)


async def test_older_keys_are_made_anew_when_everything_is_flushed(till: Till) -> None:
    """A release with another key layout starts by itself once the streams are empty, and not before."""
    assert isinstance(await till.give(10), Accepted)
    await till.redis.hset(keys.meta(SHARD), mapping={"schema": str(keys.SCHEMA - 1), "run": "another"})
    await till.coordinator.settle()
    assert await till.give() == Refused(Reason.TRY_AGAIN, "FENCED")
    await till.flush()
    await till.coordinator.settle()
    outcome = await till.give(10)
    assert isinstance(outcome, Accepted)
    assert outcome.balance_coins == 80
    assert await till.violations() == []


async def test_a_full_redis_is_freed_by_the_flusher(till: Till) -> None:
    """Marks and leases are written beyond the limit too: else nothing could ever be trimmed, and no shard opened."""
    assert isinstance(await till.give(), Accepted)
    await till.redis.config_set("maxmemory", 1)
    await till.flush()
    assert await till.meta("flushed") == "1"
    await till.coordinator.settle()
    assert await till.give() == Refused(Reason.TRY_AGAIN, "MEMORY")
    await till.redis.config_set("maxmemory", 0)
    await till.coordinator.settle()
    assert isinstance(await till.give(), Accepted)


async def test_a_full_redis_needs_room_before_it_takes_gifts_again(till: Till) -> None:
    """Between 80 and 85 % it stays as it was, so that it does not change to and fro."""
    used = int((await till.redis.info("memory"))["used_memory"])
    for share, taken in ((0.825, True), (0.9, False), (0.825, False), (0.7, True)):
        await till.redis.config_set("maxmemory", int(used / share))
        await till.coordinator.settle()
        assert isinstance(await till.give(1), Accepted) == taken, share


async def test_an_epoch_is_used_once(till: Till) -> None:
    """A coordinator that died between recording and opening leaves a number that nobody takes."""
    await record_epochs(till.database, [Opening(SHARD, 2, "r", "reopen", 0, "died")])
    successor = Coordinator(till.database, till.redis, lease_ms=60_000)
    await successor.settle()
    assert await till.meta("epoch") == "3"
    assert (await shard_books(till.database))[SHARD].epoch_max == 3
    assert isinstance(await till.give(), Accepted)


async def test_a_flush_between_judging_and_opening(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gifts that Redis lost arrive in PostgreSQL at the last moment: the shard is judged again before it opens."""
    await till.give(10)
    cursor = await read_cursor(till.database, SHARD)
    waiting = await read_waiting(till.redis, SHARD, cursor, 100)
    assert waiting is not None
    await till.redis.flushall()
    record = coordinator_module.record_epochs

    async def late(database, openings):
        monkeypatch.setattr(coordinator_module, "record_epochs", record)
        assert await flush_module._post(till.database, SHARD, cursor, waiting)
        return await record(database, openings)

    monkeypatch.setattr(coordinator_module, "record_epochs", late)
    await till.coordinator.settle()
    assert await till.meta("state") != "open"
    await till.coordinator.settle()
    outcome = await till.give(1)
    assert isinstance(outcome, Accepted)
    assert (outcome.seq, outcome.balance_coins) == (2, 89)
    await till.flush()
    assert await till.violations() == []


async def test_a_successor_keeps_what_is_right(till: Till) -> None:
    """A worker that starts again opens nothing anew, even while gifts flow."""

    async def flow() -> None:
        while not done.is_set():
            await till.give(1)

    done = asyncio.Event()
    flowing = asyncio.create_task(flow())
    for _ in range(5):
        assert await Coordinator(till.database, till.redis, lease_ms=60_000).settle()
        await till.flush()
    done.set()
    await flowing
    assert await till.meta("epoch") == "1"


async def test_one_coordinator_at_a_time(till: Till, until) -> None:
    """The second waits for the lock; when the first is gone it takes over."""
    first, second = (Coordinator(till.database, till.redis, lease_ms=60_000) for _ in range(2))
    stops = [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(first.run(stops[0]))]

    async def first_leads() -> bool:
        return first.lease.knows(SHARD)

    async def second_leads() -> bool:
        return second.lease.knows(SHARD)

    await until(first_leads)
    tasks.append(asyncio.create_task(second.run(stops[1])))
    assert not await second._lock.take()
    stops[0].set()
    await until(second_leads)
    stops[1].set()
    await asyncio.gather(*tasks)


async def test_gifts_go_on_while_postgresql_is_away(till: Till) -> None:
    """A coordinator that loses PostgreSQL renews the lease of a Redis that nobody can have replaced."""
    coordinator = Coordinator(till.database, till.redis, lease_ms=60_000)
    await coordinator.settle()
    coordinator._lock._engine = open_database("postgresql://nobody@127.0.0.1:1/none")
    await till.redis.hset(keys.meta(SHARD), "lease_ms", 1)
    with pytest.raises(OSError, match="Connect call failed"):
        await coordinator._turn()
    assert isinstance(await till.give(), Accepted)
    coordinator._isolation._replicas = dict.fromkeys(coordinator._isolation._replicas, 1)
    await till.redis.hset(keys.meta(SHARD), "lease_ms", 1)
    with pytest.raises(OSError, match="Connect call failed"):
        await coordinator._turn()
    assert await till.give() == Refused(Reason.TRY_AGAIN, "LEASE")


async def test_a_postgresql_that_hangs_is_away(till: Till) -> None:
    """It takes the connection and says nothing: leases are renewed long before they end."""
    silent = socket.create_server(("127.0.0.1", 0))  # the kernel accepts, nobody answers
    port = silent.getsockname()[1]
    coordinator = Coordinator(till.database, till.redis, lease_ms=60_000)
    await coordinator.settle()
    coordinator._lock._engine = open_database(f"postgresql://nobody@127.0.0.1:{port}/none")
    await till.redis.hset(keys.meta(SHARD), "lease_ms", 1)
    with pytest.raises(TimeoutError):
        await coordinator._turn()
    assert isinstance(await till.give(), Accepted)
    await coordinator._lock._engine.dispose()
    silent.close()


async def test_all_wallets_are_loaded(till: Till) -> None:
    """After a wipe the wallets come back before anybody asks, each exactly."""
    people = [f"person-{n}" for n in range(40)]
    for person in people:
        await till.fund(person, 7)
    await till.flush()
    await till.redis.flushall()
    await till.coordinator.settle()
    assert await load_all(till.database, till.ledger.wallets) == 41
    for person in people:
        assert await till.redis.hget(keys.wallet(keys.shard_of(person), person), "coins") == b"7"
    assert await till.violations() == []


async def test_a_gift_that_redis_lost_is_sent_again(till: Till, until) -> None:
    """Accepted, not settled, gone with Redis: the process that accepted it sends it again under its key, once."""
    till.ledger.start()
    await till.give(10)
    await till.flush()
    lost = await till.give(20)
    assert isinstance(lost, Accepted)
    await till.redis.flushall()
    await till.coordinator.settle()

    async def back() -> bool:
        return await till.ledger.receipt("ana", till.sent[1].key) is not None

    await until(back)
    receipt = await till.ledger.receipt("ana", till.sent[1].key)
    assert isinstance(receipt, Accepted)
    assert (receipt.epoch, receipt.seq, receipt.balance_coins) == (2, 2, 70)
    await till.flush()
    assert await till.violations() == []
    assert await till.ledger.balance("ana") == 70
