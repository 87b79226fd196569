"""What is done to a running stack, one fault at a time; each ends with everything running again.

A lossy fault may rightly take acknowledged gifts that were not yet in PostgreSQL; no other may.
"""

import asyncio
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from giftserver.durable.closings import time_closings
from giftserver.durable.rooms import set_live
from giftserver.gifts.rooms import RoomDirectory
from giftserver.ledger import keys
from giftserver.ledger.clock import latest_ms
from tests.torture.history import Fault, History
from tests.torture.stack import ROOT, Stack
from tests.torture.waiting import rest, until

POINTS: Final = {
    "flush.before_begin": "flusher",
    "flush.after_post": "flusher",
    "flush.after_commit": "flusher",
    "flush.before_trim": "flusher",
    "flush.after_trim": "flusher",
    "credit.before_mark": "worker",
}
"""Places under way where a process kills itself when it is told to, and the process."""

RECOVERY_POINTS: Final = (
    "coordinator.before_fence",
    "coordinator.after_fence",
    "coordinator.before_open",
    "coordinator.after_open",
    "rebuild.middle",
)
"""Places where the worker kills itself while it brings Redis back."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `engines`: it needs shards that open again by themselves after Redis restarts."""

    name: str
    inject: Callable[["Injector"], Awaitable[None]]
    engines: bool = False
    lossy: bool = False
    points: bool = False


class Injector:
    """Does faults to one stack, with dice of its own."""

    def __init__(self, stack: Stack, history: History, seed: int) -> None:
        self.stack, self.history, self.chance = stack, history, random.Random(seed)
        self.reached: Counter[str] = Counter()
        """How often a process killed itself at a place."""

    async def inject(self, kind: Kind) -> float:
        """Do it and undo it; the moment (monotonic seconds) from which everything runs again."""
        began_s = time.monotonic()
        self.history.faults.append(Fault(began_s, kind.name, lossy=False))
        await kind.inject(self)
        ended_s = time.monotonic()
        if kind.lossy:  # what was acknowledged until now may be gone
            self.history.faults.append(Fault(ended_s, kind.name, lossy=True))
        return ended_s

    def web(self) -> str:
        """Name of one of the web processes."""
        return self.chance.choice([name for name in self.stack.servers if name.startswith("web")])

    async def rest(self, least_s: float, most_s: float) -> None:
        """Let the fault work for a while."""
        await rest(self.chance.uniform(least_s, most_s))

    async def kill(self, *names: str) -> None:
        """kill -9 all of them at once, and start them again after a moment."""
        await asyncio.gather(*(self.stack.kill(name) for name in names))
        await self.rest(0.0, 0.4)
        for name in sorted(names, key=lambda one: one in self.stack.servers):  # engines first
            await self.stack.restart(name)

    async def armed(self, name: str, point: str, times: int) -> None:
        """Start a process anew that will kill itself when it passes a place so many times."""
        await self.stack.kill(name)
        self.stack.servers[name].start(GIFTSERVER_FAILPOINTS=f"{point}:{times}")

    async def ended(self, name: str, point: str, deadline_s: float) -> None:
        """Wait until it has killed itself, if it passes the place at all, and start it as usual."""
        self.reached[point] += await until(lambda: not self.stack.servers[name].alive, deadline_s)
        await self.stack.kill(name)
        await self.stack.restart(name)

    async def freeze(self, name: str) -> None:
        """SIGSTOP for one to three seconds."""
        self.stack.signal(name, signal.SIGSTOP)
        try:
            await self.rest(1.0, 3.0)
        finally:
            self.stack.signal(name, signal.SIGCONT)

    async def crooked(self, misbehave: Callable[[], None]) -> None:
        """The network between the web processes and the ledger's Redis misbehaves for a while."""
        misbehave()
        try:
            await self.rest(0.5, 2.5)
        finally:
            self.stack.proxy.behave()


def killing(*names: str) -> Callable[[Injector], Awaitable[None]]:
    """kill -9 of these."""

    async def inject(injector: Injector) -> None:
        await injector.kill(*(injector.web() if name == "web" else name for name in names))

    return inject


def freezing(name: str) -> Callable[[Injector], Awaitable[None]]:
    """SIGSTOP of this."""
    return lambda injector: injector.freeze(injector.web() if name == "web" else name)


async def slow_network(injector: Injector) -> None:
    """Every chunk is late, some of them later than the deadline."""
    proxy = injector.stack.proxy
    await injector.crooked(lambda: setattr(proxy, "delay_s", injector.chance.choice((0.02, 0.2, 1.5))))


async def replies_dropped(injector: Injector) -> None:
    """Replies end after some bytes, again and again: what was decided is not told."""
    proxy = injector.stack.proxy
    for _ in range(injector.chance.randint(3, 12)):
        proxy.drop_replies_after(injector.chance.randint(0, 4_000))
        await injector.rest(0.05, 0.25)
    proxy.behave()


async def half_closed(injector: Injector) -> None:
    """Requests go through, replies never come."""
    await injector.crooked(injector.stack.proxy.half_close)


async def black_hole(injector: Injector) -> None:
    """Nothing comes through, nothing is closed."""
    await injector.crooked(lambda: setattr(injector.stack.proxy, "black_hole", True))


async def forget_wallets(injector: Injector) -> None:
    """Wallets vanish from Redis, scripts and marks too: all of it comes back by itself."""
    async with injector.stack.clients() as engines:
        redis: Any = engines.ledger_redis
        for _ in range(5):
            names = [name async for name in redis.scan_iter(match="*:wallet:*", count=1_000)]
            for name in injector.chance.sample(names, min(len(names), 5)):
                await redis.delete(name)
            await redis.script_flush()
            shard = injector.chance.randrange(keys.SHARDS)
            if await redis.exists(keys.meta(shard)):
                await redis.hset(keys.meta(shard), "flushed", 0)
            await injector.rest(0.05, 0.2)


async def torn_tail(injector: Injector) -> None:
    """Power loss: Redis is gone and the end of its append-only file with it."""
    await injector.stack.kill("valkey")
    tear(injector.stack.folder.path / "valkey" / "ledger" / "appendonlydir", injector.chance)
    await injector.stack.restart("valkey")


async def late_flusher(injector: Injector) -> None:
    """The flusher stands still while Redis loses its end and shards open again, then goes on with what it had read."""
    injector.stack.signal("flusher", signal.SIGSTOP)
    try:
        await torn_tail(injector)
        await injector.rest(2.0, 4.0)
    finally:
        injector.stack.signal("flusher", signal.SIGCONT)


async def rooms_close(injector: Injector) -> None:
    """Rooms close under load and open again; of some closings the web processes hear only when they look."""
    async with injector.stack.clients() as engines:
        rooms = RoomDirectory(engines.database, engines.rooms_redis, engines.ledger_redis)
        chosen = injector.chance.sample([room.id for room in await rooms.all()], 2)
        try:
            for room in chosen:
                if injector.chance.random() < 0.3:
                    await rooms.set_live(room, False)
                else:
                    await set_live(engines.database, room, False)
                    await time_closings(engines.database, partial(latest_ms, engines.ledger_redis))
            await injector.rest(0.2, 1.5)
        finally:
            for room in chosen:
                await rooms.set_live(room, True)


def tear(folder: Path, chance: random.Random) -> int:
    """Cut a random number of bytes off the newest append-only file; returns how many."""
    newest = max(folder.glob("*.incr.aof"), key=lambda file: int(file.name.split(".")[-3]))
    size = newest.stat().st_size
    cut = min(size, chance.choice((chance.randint(1, 200), chance.randint(200, 20_000), chance.randint(1, 200_000))))
    with newest.open("r+b") as file:
        file.truncate(size - cut)
    return cut


async def flush_all(injector: Injector) -> None:
    """Somebody empties the ledger's Redis."""
    async with injector.stack.clients() as engines:
        await engines.ledger_redis.flushall()


async def wiped_disk(injector: Injector) -> None:
    """Redis is gone and comes back with an empty disk."""
    await injector.stack.kill("valkey")
    shutil.rmtree(injector.stack.folder.path / "valkey" / "ledger" / "appendonlydir", ignore_errors=True)
    await injector.stack.restart("valkey")


async def at_a_point(injector: Injector) -> None:
    """Flusher or worker kills itself at some places in its work, one after the other."""
    for point in injector.chance.sample(sorted(POINTS), 2):
        await injector.armed(POINTS[point], point, injector.chance.randint(1, 20))
        await injector.ended(POINTS[point], point, 6.0)


async def recovery_at_a_point(injector: Injector) -> None:
    """Redis restarts, now and then empty, and the worker kills itself while it brings it back."""
    point = injector.chance.choice(RECOVERY_POINTS)
    await injector.armed("worker", point, injector.chance.randint(1, 3))
    await injector.rest(0.5, 1.5)
    if point.startswith("rebuild") or injector.chance.random() < 0.3:
        await wiped_disk(injector)
    else:
        await injector.kill("valkey")
    await injector.ended("worker", point, 8.0)


KINDS: Final = {
    kind.name: kind
    for kind in (
        *(Kind(f"kill {name}", killing(name)) for name in ("web", "flusher", "worker", "postgres")),
        *(Kind(f"freeze {name}", freezing(name)) for name in ("web", "flusher", "worker", "valkey", "postgres")),
        Kind("kill web and flusher", killing("web", "flusher")),
        Kind("kill web and postgres", killing("web", "postgres")),
        Kind("kill flusher and postgres", killing("flusher", "postgres")),
        Kind("slow network", slow_network),
        Kind("replies dropped", replies_dropped),
        Kind("half-closed network", half_closed),
        Kind("black hole", black_hole),
        Kind("wallets forgotten", forget_wallets),
        Kind("rooms close", rooms_close),
        Kind("kill at a point", at_a_point, points=True),
        Kind("recovery killed at a point", recovery_at_a_point, engines=True, lossy=True, points=True),
        Kind("kill valkey", killing("valkey"), engines=True),
        Kind("kill valkey and web", killing("valkey", "web"), engines=True),
        Kind("kill valkey and flusher", killing("valkey", "flusher"), engines=True),
        Kind("kill valkey and worker", killing("valkey", "worker"), engines=True),
        Kind("kill valkey and postgres", killing("valkey", "postgres"), engines=True),
        Kind("torn tail", torn_tail, engines=True, lossy=True),
        Kind("torn tail under a late flusher", late_flusher, engines=True, lossy=True),
        Kind("flushall", flush_all, engines=True, lossy=True),
        Kind("wiped disk", wiped_disk, engines=True, lossy=True),
    )
}
"""Every kind by its name."""


def possible() -> list[str]:
    """Kinds that this version of giftserver is made to survive."""
    recovers = (ROOT / "giftserver" / "recovery" / "coordinator.py").exists()
    stops = (ROOT / "giftserver" / "failpoints.py").exists()
    return [kind.name for kind in KINDS.values() if (recovers or not kind.engines) and (stops or not kind.points)]
