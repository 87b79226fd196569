"""One side of the fan-out benchmark under its loads: what it delivered, what that cost, how late it came.

A load that the side cannot carry is given up as soon as it is BEHIND_S behind, so that slow sides do not hold up the
run, and so are the greater ones after it.
"""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psutil  # type: ignore[import-untyped]

from loadtest.bench.awake import Awake
from loadtest.bench.figures import Values, percentile
from loadtest.bench.publisher import Publisher
from loadtest.bench.sides import Broken, Side, Sides, cpu_s, rss_kib
from loadtest.crowd import Crowd

WINDOW: Final = 32
"""Messages on their way to the last viewer where a side is measured as fast as its viewers are shown."""

AS_FAST: Final = 0
"""The load that says so; every other one is messages a second."""

WARM_S: Final = 0.7
FIRST: Final = 50
"""Viewers who come before memory is measured: what a server loads for its first ones is not theirs."""

BEHIND_S: Final = 1.0
"""A side that owes its viewers more than they get in so long does not carry the load."""

DRAIN_S: Final = 15.0
LOST_S: Final = 3.0
"""What does not come while nothing else comes either for so long is lost."""

SETTLE_S: Final = 30.0
LOOK_S: Final = 0.05
FULL_SHARE: Final = 0.9

Outcome = Values | str
"""What was measured, or why the side did not carry the load."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Clocks and counters at one moment, or between two."""

    seconds: float
    cpu_s: float
    crowd_s: float
    deliveries: int
    reads: int

    def __sub__(self, before: "Spent") -> "Spent":
        return Spent(
            self.seconds - before.seconds, self.cpu_s - before.cpu_s, self.crowd_s - before.crowd_s,
            self.deliveries - before.deliveries, self.reads - before.reads,
        )  # fmt: skip


async def measure(sides: Sides, side: Side, viewers: int, loads: Sequence[int], seconds: float) -> dict[int, Outcome]:
    """The side with so many viewers under each load, the smallest first."""
    crowd: Crowd | None = None
    try:
        with sides.serving(side) as (port, process):
            crowd = Crowd(f"ws://127.0.0.1:{port}{side.path}", hello=side.hello)
            publisher = side.publisher("127.0.0.1", port)
            load = Load(crowd, publisher, process, seconds)
            try:
                await load.gather(viewers)
                return await load.all(sorted(loads))
            finally:
                load.stop()
    except (Broken, OSError, TimeoutError, psutil.Error) as problem:
        words = str(problem) or type(problem).__name__
        return dict.fromkeys(loads, f"{viewers:,} viewers could not be served: {words}")
    finally:
        if crowd is not None:
            await crowd.go()
        gc.collect()


class Load:
    """A crowd before one server, and the one who publishes to it."""

    def __init__(self, crowd: Crowd, publisher: Publisher, process: psutil.Process, seconds: float) -> None:
        self._crowd, self._publisher, self._process, self._seconds = crowd, publisher, process, seconds
        self._before_kib, self._counted = 0.0, 1
        self._coming: dict[str, float] = {}
        self._awake = Awake(lambda: crowd.totals.reads)
        self._at_rest = True

    async def gather(self, viewers: int) -> None:
        """Let the viewers come, and wait until each is shown what is published. Raises OSError, TimeoutError."""
        crowd, first = self._crowd, min(FIRST, viewers // 2)
        await crowd.come(first)
        await self._publisher.connect()
        self._before_kib = rss_kib(self._process)
        self._counted = viewers - first
        took_s = await crowd.come(self._counted)
        self._coming = {"connects_per_s": self._counted / took_s, "idle_kib": self._kib()}
        async with asyncio.timeout(SETTLE_S):
            while not all(viewer.seen for viewer in crowd.viewers):
                self._publisher.send(1)
                await asyncio.sleep(4 * LOOK_S)
            shown = -1
            while shown != crowd.totals.deliveries:
                shown = crowd.totals.deliveries
                await asyncio.sleep(4 * LOOK_S)

    def stop(self) -> None:
        """Let the viewers' process sleep again."""
        self._awake.stop()

    def _kib(self) -> float:
        return (rss_kib(self._process) - self._before_kib) / self._counted

    async def all(self, loads: Sequence[int]) -> dict[int, Outcome]:
        """What each load showed; those after one that is not carried are not tried."""
        outcomes: dict[int, Outcome] = {}
        for load in loads:
            outcomes[load] = outcome = await self._one(load)
            where = f"at {load}/s already" if load else f"what the window left took longer than {DRAIN_S:.0f} s"
            if isinstance(outcome, str):
                return outcomes | {other: f"{outcome} {where}" for other in loads if other > load}
            if not self._at_rest:  # what still comes would be counted with the next load's
                return outcomes | {other: f"not carried: {where}" for other in loads if other > load}
        return outcomes

    async def _one(self, load: int) -> Outcome:
        crowd, publisher = self._crowd, self._publisher
        gc.collect()
        crowd.count_anew()
        publisher.sent = 0
        begun = self._spent()
        await self._publish(load, WARM_S)
        crowd.totals.lags_ns.clear()
        before = self._spent()
        await self._publish(load, self._seconds)
        spent = self._spent() - before
        if load and not self._keeps_up(load):
            return not_carried(self._spent() - begun)
        busy_kib = self._kib()
        await self._drain()
        lags_ms = [lag / 1e6 for lag in crowd.totals.lags_ns]
        if not lags_ms:
            return "nothing arrived"
        return {
            "k_per_s": spent.deliveries / spent.seconds / 1e3,
            "k_per_cpu_s": spent.deliveries / spent.cpu_s / 1e3 if spent.cpu_s else 0.0,
            "share": spent.cpu_s / spent.seconds,
            "crowd_share": spent.crowd_s / spent.seconds,
            "merged": spent.deliveries / spent.reads if spent.reads else 0.0,
            "p50_ms": percentile(lags_ms, 50),
            "p99_ms": percentile(lags_ms, 99),
            "max_ms": max(lags_ms),
            **self._coming,
            "busy_kib": busy_kib,
            "missing": publisher.sent * len(crowd.viewers) - crowd.totals.deliveries,
        }

    def _spent(self) -> "Spent":
        totals = self._crowd.totals
        used_s = cpu_s(self._process), self._awake.busy_s
        return Spent(time.perf_counter(), *used_s, totals.deliveries, totals.reads)

    def _keeps_up(self, load: int) -> bool:
        owed = self._publisher.sent - self._crowd.totals.deliveries / len(self._crowd.viewers)
        return owed <= max(load * BEHIND_S, WINDOW)

    async def _publish(self, load: int, seconds: float) -> None:
        crowd, publisher = self._crowd, self._publisher
        if load:
            await publisher.at_rate(load, seconds, lambda: self._keeps_up(load))
            return
        assert crowd.last is not None
        crowd.on_seen = lambda seen: publisher.keep(WINDOW, seen)
        publisher.keep(WINDOW, crowd.last.seen)
        await asyncio.sleep(seconds)
        crowd.on_seen = None

    async def _drain(self) -> None:
        """Wait until everything that was published has been shown, or nothing comes any more, for DRAIN_S at most."""
        begun_s = came_s = time.monotonic()
        shown = -1
        while (now_s := time.monotonic()) < begun_s + DRAIN_S:
            if shown != self._crowd.totals.deliveries:
                shown, came_s = self._crowd.totals.deliveries, now_s
            everything = all(viewer.seen >= self._publisher.sent for viewer in self._crowd.viewers)
            self._at_rest = everything or now_s > came_s + LOST_S
            if self._at_rest:
                return
            await asyncio.sleep(LOOK_S)


def not_carried(spent: Spent) -> str:
    """Why a load was given up: whose core was full."""
    cores = {"server's": spent.cpu_s, "viewers'": spent.crowd_s}
    full = [f"the {name}" for name, used_s in cores.items() if used_s >= FULL_SHARE * spent.seconds]
    return f"not carried: {' and '.join(full)} core is full" if full else "not carried"
