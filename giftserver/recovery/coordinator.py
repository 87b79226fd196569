"""The coordinator: one process that says which run of Redis may take gifts, and for how long.

It holds an advisory lock in PostgreSQL. Each second it looks at all shards; one that is open under the run and epoch
it should have gets a lease of five more seconds. Any other is fenced, compared, filled or opened again in a new epoch,
which is written to PostgreSQL first: no number of a gift is ever used twice.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.cluster.client import by_server, server_of
from giftserver.durable.closings import openings_ahead_are_now
from giftserver.durable.epochs import Opening, ShardBook, record_epochs, shard_books
from giftserver.durable.lock import CoordinatorLock
from giftserver.durable.restore import stricter_users, unmark_credits
from giftserver.failpoints import failpoint
from giftserver.ledger import keys
from giftserver.ledger.guarded import run_and_time, run_script
from giftserver.recovery.lease import Isolation, Lease
from giftserver.recovery.rebuild import clear_shards, rebuild_shard
from giftserver.recovery.selfcheck import EnginesUnfit, engine_problems, loses_seconds
from giftserver.recovery.verdict import REPLAYING, Action, Verdict, judge
from giftserver.recovery.view import ShardView, read_view

log = structlog.get_logger()

LOOK_S: Final = 1.0
SETTLING_S: Final = 0.1
SERVER_S: Final = 2.0
"""A server of which the leases take longer than this is away; the others' leases must not wait for it."""

DATABASE_S: Final = 1.5
"""A PostgreSQL that takes longer is away: a turn must end before the leases do."""

CREDITS_AGAIN_S: Final = 3_600.0
"""Credits applied within this time are offered again after Redis restarted: it may have lost them."""


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What the coordinator found at a shard and did about it."""

    shard: int
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A shard as it was seen, and what is to be done with it."""

    shard: int
    view: ShardView
    book: ShardBook
    verdict: Verdict


class Coordinator:
    """Judges and opens shards. Calls raise the engines' errors; repeating them is always safe."""

    def __init__(
        self, database: AsyncEngine, ledger_redis: Redis, *, lease_ms: int = 0, production: bool = False
    ) -> None:
        self._database, self._redis = database, ledger_redis
        self._production, self._problems = production, ""
        self._lock = CoordinatorLock(database)
        self.lease = Lease(ledger_redis, lease_ms)
        self._isolation = Isolation(ledger_redis)
        self.reports: dict[int, ShardReport] = {}
        self.rebuilt = False
        """Set when a shard was filled again; whoever loads the wallets unsets it."""

    async def run(self, stop: asyncio.Event) -> None:
        """Coordinate until `stop`; engines that are away are waited for, another coordinator is watched."""
        failing = ""
        while not stop.is_set():
            try:
                settled = await self._turn()
                failing, pause_s = "", LOOK_S if settled else SETTLING_S
            except Exception as problem:  # the engines' drivers have many errors; the work goes on when they are back
                if failing != type(problem).__name__:
                    failing = type(problem).__name__
                    log.warning("coordinator_waits", error=failing)
                pause_s = SETTLING_S
            try:
                async with asyncio.timeout(pause_s):
                    await stop.wait()
            except TimeoutError:
                continue
        await self._lock.release()

    async def _turn(self) -> bool:
        """One look; whether nothing is under way."""
        try:
            async with asyncio.timeout(DATABASE_S):
                held = await self._lock.take()
        except Exception as problem:
            # PostgreSQL is away for this process. Gifts go on where Redis is surely the only one that serves them.
            if not isinstance(problem, RedisError) and await self._isolation.alone():
                for shards in await _by_server(self._redis):
                    await self.lease.renew(shards)
            raise
        if not held:
            self.lease.forget()
            return True
        return await self.settle()

    async def settle(self) -> bool:
        """Judge the shards nobody vouches for and do what they need; whether nothing is under way.

        Only the holder of the lock may call this, or a tool that runs alone. Of a cluster a server may be away: the
        shards of the others are settled before its error is raised.
        """
        groups = await _by_server(self._redis)
        done = await asyncio.gather(*(self._settle(shards) for shards in groups), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        return all(done)

    async def _settle(self, shards: Collection[int]) -> bool:
        """Settle the shards of one server."""
        async with asyncio.timeout(SERVER_S):
            kept = await self.lease.renew(shards)
        seen = await self.look(shards, kept)
        await self._isolation.remember(shards)
        strange = [shard for shard, found in seen.items() if found.verdict.action is not Action.KEEP]
        for shard in seen.keys() - set(strange):
            self.lease.grant(shard, str(seen[shard].view.epoch), seen[shard].view.run)
        if not strange:
            return True
        for shard in strange:
            failpoint("coordinator.before_fence")
            if seen[shard].view.clock_went_back:
                await openings_ahead_are_now(self._database, seen[shard].view.now_ms)
            replaying = seen[shard].verdict.action is Action.REPLAY
            await run_script(self._redis, "fence_shard.lua", shard, REPLAYING if replaying else "fenced")
            failpoint("coordinator.after_fence")
        fenced = await self.look(strange)
        lost = {shard for shard, found in fenced.items() if found.verdict.action is Action.REBUILD}
        if lost:
            await clear_shards(self._redis, lost)
        reopened = {shard for shard, found in fenced.items() if found.verdict.action is Action.REOPEN}
        if reopened:
            await unmark_credits(self._database, reopened, CREDITS_AGAIN_S)
            # This Redis may have forgotten a hold or a limit: such a wallet is loaded anew before anything is spent.
            for user in await stricter_users(self._database, reopened, CREDITS_AGAIN_S):
                await self._redis.unlink(keys.wallet(keys.shard_of(user), user))
        for found in fenced.values():
            self._report(found)
        await self._check_engines(shards)
        await self._open(
            [found for found in fenced.values() if found.verdict.action in (Action.REBUILD, Action.REOPEN)]
        )
        self.rebuilt = self.rebuilt or any(found.book.cursor.seq for shard, found in fenced.items() if shard in lost)
        return all(found.verdict.action is not Action.REPLAY for found in fenced.values())

    async def look(
        self, shards: Collection[int] = range(keys.SHARDS), vouched: Collection[int] = ()
    ) -> dict[int, Found]:
        """Shards that nobody vouches for, and those whose mark says that PostgreSQL lost something; each judged.

        The marks are read before PostgreSQL, and PostgreSQL before the shards: what moves meanwhile moves forward.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            for shard in shards:
                pipe.hget(keys.meta(shard), "flushed")
            marks = {shard: int(mark or 0) for shard, mark in zip(shards, await pipe.execute(), strict=True)}
        async with asyncio.timeout(DATABASE_S):
            books = await shard_books(self._database)
        seen = {}
        for shard, book in sorted(books.items()):
            if shard in marks and (shard not in vouched or marks[shard] > book.cursor.seq):
                view = await read_view(self._redis, shard, book)
                seen[shard] = Found(shard, view, book, judge(view, book, marks[shard]))
        return seen

    async def _check_engines(self, shards: Collection[int]) -> None:
        """Before anything opens: say what is wrong with the engines; in production raise EnginesUnfit."""
        problems = "; ".join(await engine_problems(self._redis, self._database, shards))
        if problems != self._problems:
            self._problems = problems
            if problems:
                log.error("engines_unfit", problems=problems)
            elif await loses_seconds(self._redis):
                log.warning("power_loss_may_cost_two_seconds", setting="appendfsync everysec")
        if problems and self._production:
            raise EnginesUnfit(problems)

    async def rebuild(self, shard: int, reason: str) -> None:
        """Open a fenced shard whose meta is gone at PostgreSQL's cursor, as a person decided."""
        found = (await self.look([shard]))[shard]
        await clear_shards(self._redis, {shard})
        await self._open([replace(found, verdict=Verdict(Action.REBUILD, reason))])

    def _report(self, found: Found) -> None:
        shard, verdict = found.shard, found.verdict
        before = self.reports.get(shard)
        self.reports[shard] = ShardReport(shard, verdict.action, verdict.reason)
        if verdict.action in (Action.STOP, Action.REPLAY) and (before is None or before.reason != verdict.reason):
            level = log.error if verdict.action is Action.STOP else log.warning
            level("shard_closed", shard=shard, action=verdict.action.value, reason=verdict.reason)

    async def _open(self, fenced: list[Found]) -> None:
        """Fill and open fenced shards, each in a new epoch."""
        openings = []
        for found in fenced:
            seq = found.view.seq
            if found.verdict.action is Action.REBUILD:
                seq = found.book.cursor.seq
                if seq > 0:
                    await rebuild_shard(self._database, self._redis, found.shard)
            epoch = max(found.view.epoch, found.book.epoch_max, found.book.cursor.epoch) + 1
            verdict = found.verdict
            openings.append(Opening(found.shard, epoch, found.view.run, verdict.action.value, seq, verdict.reason))
        recorded = await record_epochs(self._database, openings)
        for found, opening in zip(fenced, openings, strict=True):
            if found.shard not in recorded:
                continue  # a flush came in between: the next look judges it again
            failpoint("coordinator.before_open")
            judged_at = "" if found.view.meta is None else found.view.meta["seq"]
            flushed = min(found.book.cursor.seq, opening.seq)
            gone = int(found.verdict.action is Action.REBUILD and found.book.cursor.seq > 0)
            _, now_ms = await run_and_time(await server_of(self._redis, keys.meta(found.shard)))
            end_ms = self.lease.end_ms(now_ms)
            args = (keys.SCHEMA, opening.run, opening.epoch, judged_at, opening.seq, flushed, end_ms, gone)
            if await run_script(self._redis, "open_shard.lua", found.shard, *args):
                self.lease.grant(found.shard, str(opening.epoch), opening.run)
                log.info("shard_opened", shard=found.shard, epoch=opening.epoch, reason=found.verdict.reason)
            failpoint("coordinator.after_open")


async def _by_server(redis: Redis) -> list[list[int]]:
    """All shards, in groups that one server holds each."""
    shard_of = {keys.meta(shard): shard for shard in range(keys.SHARDS)}
    return [[shard_of[name] for name in group] for group in await by_server(redis, shard_of)]


async def open_ledger(database: AsyncEngine, ledger_redis: Redis) -> dict[int, ShardReport]:
    """Judge and open every shard once, without a lease: for tools and tests that run alone."""
    coordinator = Coordinator(database, ledger_redis)
    await coordinator.settle()
    return coordinator.reports
