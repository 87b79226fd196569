"""What the flusher reports, and its Prometheus form."""

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class FlushMetrics(Protocol):
    """Where a flusher reports to."""

    def posted(self, shard: int, gifts: int, seconds: float) -> None:
        """A batch of gifts is in PostgreSQL, after this many seconds."""

    def waiting(self, shard: int, gifts: int) -> None:
        """So many gifts are accepted but not yet in PostgreSQL."""

    def halted(self, shard: int, halted: bool) -> None:
        """The shard stopped because of what it saw, or goes on."""

    def failed(self, shard: int) -> None:
        """A flush failed because an engine was away; it will be tried again."""


class PrometheusFlushMetrics:
    """FlushMetrics in a Prometheus registry; `giftserver_flush_halted` at 1 is an alarm."""

    def __init__(self, registry: CollectorRegistry) -> None:
        shard = ["shard"]
        self._gifts = Counter("giftserver_flush_gifts", "Gifts posted to PostgreSQL", shard, registry=registry)
        self._seconds = Histogram(
            "giftserver_flush_seconds",
            "Duration of one batch",
            registry=registry,
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15),
        )
        self._waiting = Gauge(
            "giftserver_flush_waiting_gifts", "Gifts accepted but not in PostgreSQL", shard, registry=registry
        )
        self._halted = Gauge(
            "giftserver_flush_halted", "1: the shard stopped and a person must look", shard, registry=registry
        )
        self._failures = Counter(
            "giftserver_flush_failures", "Flushes that failed with an engine away", shard, registry=registry
        )

    def posted(self, shard: int, gifts: int, seconds: float) -> None:
        """Count the gifts and observe the duration."""
        self._gifts.labels(f"{shard:02d}").inc(gifts)
        self._seconds.observe(seconds)

    def waiting(self, shard: int, gifts: int) -> None:
        """Set the gauge."""
        self._waiting.labels(f"{shard:02d}").set(gifts)

    def halted(self, shard: int, halted: bool) -> None:
        """Set the alarm to 1 or 0."""
        self._halted.labels(f"{shard:02d}").set(int(halted))

    def failed(self, shard: int) -> None:
        """Count the failure."""
        self._failures.labels(f"{shard:02d}").inc()
