"""Many senders on our client at the same time, timed."""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import Accepted, GiftOrder
from loadtest.bench.engines import Bench
from loadtest.bench.figures import percentile


@dataclass(frozen=True, slots=True)
class Sending:
    """One run of senders: gifts accepted, seconds, what each gift waited, CPU, gifts in a script call."""

    gifts: int
    seconds: float
    waited_s: list[float]
    client_cpu_s: float
    server_cpu_s: float
    batch: float

    def values(self) -> dict[str, float]:
        """The metrics of a case."""
        return {
            "gifts_per_s": self.gifts / self.seconds,
            "client_cpu_us": self.client_cpu_s / self.gifts * 1e6,
            "server_cpu_us": self.server_cpu_s / self.gifts * 1e6,
            "p50_ms": percentile(self.waited_s, 50) * 1000,
            "p99_ms": percentile(self.waited_s, 99) * 1000,
            "gifts_per_call": self.batch,
        }


async def send_all(bench: Bench, by_sender: Sequence[Sequence[GiftOrder]]) -> Sending:
    """Each sender sends its gifts one after the other, the first before the clock runs: it opens connections.

    Raises AssertionError when a gift is not accepted.
    """
    batches: list[int] = []
    ledger = bench.ledger(lambda gifts, seconds: batches.append(gifts))
    waited_s: list[float] = []

    async def sender(orders: Sequence[GiftOrder]) -> None:
        for order in orders[1:]:
            waited_s.append(await timed(ledger, order))

    await asyncio.gather(*(timed(ledger, orders[0]) for orders in by_sender))
    batches.clear()
    gc.collect()
    gc.freeze()  # the prepared gifts are not the client's garbage
    server_before_s = await bench.server_cpu_s()
    started_s, cpu_before_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(sender, by_sender))
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_before_s
    server_s = await bench.server_cpu_s() - server_before_s
    gc.unfreeze()
    await ledger.close()
    return Sending(len(waited_s), seconds, waited_s, cpu_s, server_s, sum(batches) / max(1, len(batches)))


async def timed(ledger: Ledger, order: GiftOrder) -> float:
    """Seconds until the gift is accepted; AssertionError when it is not."""
    started_s = time.perf_counter()
    outcome = await ledger.send(order)
    assert isinstance(outcome, Accepted), outcome
    return time.perf_counter() - started_s
