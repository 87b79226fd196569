"""Many senders on our client at the same time, timed."""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import Accepted, GiftOrder, Outcome
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


class Sender:
    """Sends its gifts one after the other, each once the one before is decided, without a task: as a socket does."""

    def __init__(self, ledger: Ledger, orders: Sequence[GiftOrder], waited_s: list[float]) -> None:
        self._ledger, self._orders, self._waited_s = ledger, iter(orders), waited_s
        self._started_s = 0.0
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self) -> asyncio.Future[None]:
        """Begin; done when all are accepted. Raises AssertionError when one is not."""
        self._next()
        return self._ended

    def _next(self) -> None:
        order = next(self._orders, None)
        if order is None:
            self._ended.set_result(None)
            return
        self._started_s = time.perf_counter()
        self._ledger.post(order, self._told)

    def _told(self, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            self._waited_s.append(time.perf_counter() - self._started_s)
            self._next()
        else:
            self._ended.set_exception(AssertionError(outcome))


async def send_all(bench: Bench, by_sender: Sequence[Sequence[GiftOrder]]) -> Sending:
    """Each sender sends its gifts one after the other, the first before the clock runs: it opens connections.

    Raises AssertionError when a gift is not accepted.
    """
    batches: list[int] = []
    ledger = bench.ledger(lambda gifts, seconds: batches.append(gifts))
    waited_s: list[float] = []
    for order in (orders[0] for orders in by_sender):
        outcome = await ledger.send(order)
        assert isinstance(outcome, Accepted), outcome
    batches.clear()
    gc.collect()
    gc.freeze()  # the prepared gifts are not the client's garbage
    server_before_s = await bench.server_cpu_s()
    started_s, cpu_before_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(Sender(ledger, orders[1:], waited_s).send() for orders in by_sender))
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_before_s
    server_s = await bench.server_cpu_s() - server_before_s
    gc.unfreeze()
    await ledger.close()
    return Sending(len(waited_s), seconds, waited_s, cpu_s, server_s, sum(batches) / max(1, len(batches)))
