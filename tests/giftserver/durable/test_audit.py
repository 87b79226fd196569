"""The proof on a schedule: its metrics, its log events, and that it ends when asked."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from giftserver.durable import audit as audit_module
from giftserver.durable.audit import AuditMetrics, audit, audit_regularly
from giftserver.durable.store import open_database
from giftserver.ledger import keys
from tests.giftserver.durable.conftest import Book

SHARD = keys.shard_of("ana")
Until = Callable[..., Awaitable[None]]


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """The gauge as Prometheus reads it."""
    return registry.get_sample_value(f"giftserver_verify_{name}", labels or None)


async def test_a_proof_that_holds_is_shown(book: Book) -> None:
    """Holds, no violations, how long, and when; the log has the hash of each shard's last gift."""
    await book.fund("ana", 100)
    await book.gift("ana")
    await book.flush()
    registry = CollectorRegistry()
    with capture_logs() as lines:
        report = await audit(book.engine, book.redis, AuditMetrics(registry))
    assert report.holds
    assert value(registry, "holds") == 1
    assert all(value(registry, "violations", invariant=invariant.name) == 0 for invariant in report.invariants)
    assert (value(registry, "seconds") or 0) > 0
    assert (value(registry, "finished_timestamp_seconds") or 0) > 1_700_000_000
    head = (await book.rows("SELECT encode(chain, 'hex') FROM flush_cursor WHERE shard = :s", s=SHARD))[0][0]
    [heads] = [line["heads"] for line in lines if line["event"] == "chain_heads"]
    assert heads == {f"{SHARD:02d}-1-1": head}
    assert [line["log_level"] for line in lines] == ["info", "info", "info"]


async def test_a_violation_is_an_alarm_without_names(book: Book) -> None:
    """The gauges and the log name the invariant; who is concerned is not logged."""
    await book.fund("ana", 100)
    await book.redis.hincrby(keys.wallet(SHARD, "ana"), "coins", 1)
    registry = CollectorRegistry()
    with capture_logs() as lines:
        report = await audit(book.engine, book.redis, AuditMetrics(registry))
    name = "Redis coins = PostgreSQL - unflushed - unapplied credits"
    assert not report.holds
    assert value(registry, "holds") == 0
    assert value(registry, "violations", invariant=name) == 1
    assert value(registry, "violations", invariant="balance = sum of entries") == 0
    [alarm] = [line for line in lines if line["event"] == "verify_violated"]
    assert (alarm["log_level"], alarm["invariant"], alarm["violations"]) == ("error", name, 1)
    assert "ana" not in str(lines)


async def test_it_is_repeated_until_the_stop(book: Book, until: Until) -> None:
    """Every `every_s` a proof; what was violated and is mended shows as mended."""
    await book.fund("ana", 100)
    registry, stop = CollectorRegistry(), asyncio.Event()
    task = asyncio.create_task(audit_regularly(book.engine, book.redis, registry, 0.02, stop))

    async def shows(holds: int) -> bool:
        return value(registry, "holds") == holds

    await until(lambda: shows(1))
    await book.redis.hincrby(keys.wallet(SHARD, "ana"), "coins", 1)
    await until(lambda: shows(0))
    await book.redis.hincrby(keys.wallet(SHARD, "ana"), "coins", -1)
    await until(lambda: shows(1))
    stop.set()
    await asyncio.wait_for(task, 5)
    assert value(registry, "finished_timestamp_seconds") is not None


async def test_zero_is_never(book: Book) -> None:
    """With 0 nothing is proved and no metric is there."""
    registry = CollectorRegistry()
    await asyncio.wait_for(audit_regularly(book.engine, book.redis, registry, 0, asyncio.Event()), 5)
    assert generate_latest(registry) == b""


async def test_a_proof_under_way_is_given_up_at_the_stop(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process need not wait for the end of a long proof, also when its first cancellation is swallowed."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def endless(*engines: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    monkeypatch.setattr(audit_module, "verify", endless)
    task = asyncio.create_task(audit_regularly(book.engine, book.redis, CollectorRegistry(), 0.01, stop))
    await asyncio.wait_for(started.wait(), 5)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert not [running for running in asyncio.all_tasks() if running.get_name() == "audit"]


async def test_an_engine_that_is_away_is_waited_for(book: Book, until: Until) -> None:
    """It is logged, the gauges stay empty, and the loop goes on to the stop."""
    away = open_database("postgresql://nobody@127.0.0.1:1/none")
    registry, stop = CollectorRegistry(), asyncio.Event()
    with capture_logs() as lines:
        task = asyncio.create_task(audit_regularly(away, book.redis, registry, 0.01, stop))

        async def waited_twice() -> bool:
            return len([line for line in lines if line["event"] == "verify_waits"]) >= 2

        await until(waited_twice)
        stop.set()
        await asyncio.wait_for(task, 5)
    assert value(registry, "holds") is None
    await away.dispose()
