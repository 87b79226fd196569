"""The proof on a schedule: `verify` every so often inside a running process, its result as metrics and log events."""

import asyncio
import time
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Gauge
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.proof.audit_log import audit_head_of
from giftserver.durable.proof.chain import chain_heads
from giftserver.durable.verify import VerifyReport, verify

log = structlog.get_logger()

FIRST_AFTER_S: Final = 60.0
"""At the latest this long after the start comes the first proof; before it, shards may still be being opened."""

RETRY_S: Final = 60.0
"""An engine was away: the proof is tried again after this, or at the next regular time if that is sooner."""

CANCEL_AGAIN_S: Final = 0.1


class AuditMetrics:
    """What the last finished proof showed; `giftserver_verify_holds` at 0 is an alarm."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._gauges: _Gauges | None = None

    def show(self, report: VerifyReport, seconds: float) -> None:
        """Set the gauges; each invariant lists at most SHOWN_MAX violations."""
        if self._gauges is None:  # not before there is something to show: a gauge begins at 0, which is an alarm
            self._gauges = _Gauges(self._registry)
        for invariant in report.invariants:
            self._gauges.violations.labels(invariant.name).set(len(invariant.violations))
        self._gauges.seconds.set(seconds)
        self._gauges.finished.set(time.time())
        self._gauges.holds.set(int(report.holds))


class _Gauges:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.holds = Gauge("giftserver_verify_holds", "1: the last verify held, 0: violated", registry=registry)
        self.violations = Gauge(
            "giftserver_verify_violations", "Violations that the last verify listed", ["invariant"], registry=registry
        )
        self.seconds = Gauge("giftserver_verify_seconds", "Duration of the last verify", registry=registry)
        self.finished = Gauge(
            "giftserver_verify_finished_timestamp_seconds", "When the last verify finished", registry=registry
        )


async def audit(engine: AsyncEngine, ledger_redis: Redis, metrics: AuditMetrics) -> VerifyReport:
    """Prove once and tell. Logs name invariants and gifts' numbers only: violations themselves may name people.

    Raises SQLAlchemy's and redis-py's errors when an engine is away; the gauges then keep what they had.
    """
    started_s = time.perf_counter()
    report = await verify(engine, ledger_redis)
    seconds = time.perf_counter() - started_s
    metrics.show(report, seconds)
    for invariant in report.invariants:
        if not invariant.holds:
            found = len(invariant.violations)
            log.error("verify_violated", invariant=invariant.name, violations=found, more=invariant.more)
    async with engine.connect() as connection:
        heads = await chain_heads(connection)
        acts, acts_hash = await audit_head_of(connection)
    log.info("verify_finished", holds=report.holds, seconds=round(seconds, 3))
    log.info("chain_heads", heads=heads)
    log.info("audit_head", last=acts, hash=acts_hash)
    return report


async def audit_regularly(
    engine: AsyncEngine, ledger_redis: Redis, registry: CollectorRegistry, every_s: float, stop: asyncio.Event
) -> None:
    """Prove every `every_s` until `stop`; 0: never. A proof under way at `stop` is given up, it changes nothing."""
    if every_s <= 0:
        return
    metrics = AuditMetrics(registry)
    stopping = asyncio.create_task(stop.wait(), name="stop of the audit")
    try:
        await asyncio.wait({stopping}, timeout=min(every_s, FIRST_AFTER_S))
        while not stop.is_set():
            proved = await _try(engine, ledger_redis, metrics, stopping)
            await asyncio.wait({stopping}, timeout=every_s if proved else min(every_s, RETRY_S))
    finally:
        stopping.cancel()


async def _try(engine: AsyncEngine, ledger_redis: Redis, metrics: AuditMetrics, stopping: "asyncio.Task[bool]") -> bool:
    """One proof, given up at the stop; whether it came to its end."""
    proof = asyncio.create_task(audit(engine, ledger_redis, metrics), name="audit")
    try:
        await asyncio.wait({proof, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        while not proof.done():  # redis-py can swallow a cancellation
            proof.cancel()
            await asyncio.wait({proof}, timeout=CANCEL_AGAIN_S)
    problem = None if proof.cancelled() else proof.exception()
    if problem is not None:  # the engines' drivers have many errors; the next proof may find them back
        log.warning("verify_waits", error=type(problem).__name__)
    return problem is None
