"""What a process counts, in Prometheus' terms; one registry a process, no module-level state.

Web processes that share a port keep their counts in files of one folder (the library's multiprocess mode, which the
environment variable PROMETHEUS_MULTIPROC_DIR turns on), and whichever is asked tells the counts of all.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

CLOSED = ("fenced", "memory", "backlog", "unreachable")
"""Why a shard takes no gifts."""


HAND_OVER_S: Final = 0.2
"""What gifts move is counted here first, and handed to the library's metrics so often: they take a lock each time."""


class Observations:
    """A histogram's next observations, sorted into its buckets."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram: Any = histogram
        self._bounds = histogram._upper_bounds
        self._begin()

    def _begin(self) -> None:
        self._counts, self._sum = [0] * len(self._bounds), 0.0

    def add(self, amount: float) -> None:
        """One more."""
        self._counts[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def hand_over(self) -> None:
        """Let the histogram have them."""
        counts, total = self._counts, self._sum
        self._begin()
        for bucket, count in zip(self._histogram._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._histogram._sum.inc(total)


class Metrics:
    """Metrics of web, flusher and worker; each process moves its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.gifts = Counter("giftserver_gifts", "Gifts by outcome", ["outcome"], registry=registry)
        self.gift_coins = Counter("giftserver_gift_coins", "Coins of accepted gifts", registry=registry)
        self.gift_seconds = Histogram(
            "giftserver_gift_seconds", "From command to reply", buckets=LATENCY_BUCKETS_S, registry=registry
        )
        self.batch_gifts = Histogram(
            "giftserver_ledger_batch_gifts",
            "Gifts per script call",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "giftserver_ledger_batch_seconds", "Time of a script call", buckets=LATENCY_BUCKETS_S, registry=registry
        )
        self.connections = Gauge(
            "giftserver_connections", "Open sockets of a process", registry=registry, multiprocess_mode="liveall"
        )
        self.rooms = Gauge(
            "giftserver_rooms", "Rooms open in a process", registry=registry, multiprocess_mode="liveall"
        )
        self.closes = Counter("giftserver_closes", "Sockets closed by the server", ["code"], registry=registry)
        self.resumes = Counter("giftserver_resumes", "Joins by result", ["result"], registry=registry)
        self.refused_sockets = Counter(
            "giftserver_refused_sockets", "Handshakes refused", ["reason"], registry=registry
        )
        self.bad_messages = Counter("giftserver_bad_messages", "Frames that break the protocol", registry=registry)
        self.announced = Counter("giftserver_announced", "Gifts shown to rooms", ["by"], registry=registry)
        self.announce_failures = Counter("giftserver_announce_failures", "Announcements to retry", registry=registry)
        self.credits_applied = Counter("giftserver_credits_applied", "Outbox credits applied", registry=registry)
        self.refunds = Counter("giftserver_refunds", "Gifts given back", registry=registry)
        self.refunds_refused = Gauge(
            "giftserver_refunds_refused", "Gifts to give back that the durable ledger refuses", registry=registry
        )
        self.provider_events = Counter(
            "giftserver_provider_events", "Events of payment providers by outcome", ["provider", "outcome"],
            registry=registry,
        )  # fmt: skip
        self.webhooks_refused = Counter(
            "giftserver_webhooks_refused", "Webhooks that were not believed", ["provider"], registry=registry
        )
        self.paid_uncredited = Gauge(
            "giftserver_payments_paid_uncredited", "Paid for 5 minutes and not credited: look at these",
            registry=registry, multiprocess_mode="livemostrecent",
        )  # fmt: skip
        self._add_payouts(registry)
        self.rule_findings = Counter(
            "giftserver_rule_findings", "Findings that opened a case or joined one", ["rule"], registry=registry
        )
        self.closed_shards = Gauge(
            "giftserver_closed_shards", "Shards that take no gifts, when asked", ["reason"], registry=registry,
            multiprocess_mode="livemostrecent",
        )  # fmt: skip
        self._accepted = self.gifts.labels("accepted")
        self._seconds = Observations(self.gift_seconds)
        self._batches = Observations(self.batch_gifts), Observations(self.batch_seconds)
        self._gifts_now = self._coins_now = 0
        self._handing_over: asyncio.TimerHandle | None = None

    def _add_payouts(self, registry: CollectorRegistry) -> None:
        self.payouts = Counter(
            "giftserver_payouts", "Steps of payouts: sent, paid, failed, returned, held, away, review", ["step"],
            registry=registry,
        )  # fmt: skip
        self.payouts_unsettled = Gauge(
            "giftserver_payouts_unsettled",
            "Sending for an hour: `unknown`, the provider gave no answer: look at these; `pending`, it is on its way",
            ["outcome"], registry=registry, multiprocess_mode="livemostrecent",
        )  # fmt: skip
        self.payouts_review = Gauge(
            "giftserver_payouts_review", "Payouts whose provider says what cannot be: look at these",
            registry=registry, multiprocess_mode="livemostrecent",
        )  # fmt: skip

    def closed(self, shards: Mapping[str, int]) -> None:
        """So many shards take no gifts now, by reason; a reason that is not named has none."""
        for reason in CLOSED:
            self.closed_shards.labels(reason).set(shards.get(reason, 0))

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        self.hand_over()
        if not values.ValueClass._multiprocess:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)

    def batch(self, gifts: int, seconds: float) -> None:
        """One script call decided this many gifts."""
        sizes, times = self._batches
        sizes.add(gifts)
        times.add(seconds)
        self._soon()

    def gift(self, refused: str | None, seconds: float) -> None:
        """A gift was answered after this time: accepted, or refused with this code."""
        if refused is None:
            self._gifts_now += 1
        else:
            self.gifts.labels(refused).inc()
        self._seconds.add(seconds)
        self._soon()

    def charged(self, coins: int) -> None:
        """A gift was accepted for the first time."""
        self._coins_now += coins

    def _soon(self) -> None:
        if self._handing_over is None:
            self._handing_over = asyncio.get_running_loop().call_later(HAND_OVER_S, self.hand_over)

    def hand_over(self) -> None:
        """Let the library's metrics have what was counted here since the last time."""
        if self._handing_over is None:
            return
        self._handing_over.cancel()
        self._handing_over = None
        gifts, coins, self._gifts_now, self._coins_now = self._gifts_now, self._coins_now, 0, 0
        self._accepted.inc(gifts)
        self.gift_coins.inc(coins)
        for one in (self._seconds, *self._batches):
            one.hand_over()
