"""The proof that no coin is lost: every invariant of the ledger, on a live system, as a report."""

from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.proof.book import CHECKS
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.proof.live import LiveProof
from giftserver.durable.proof.snapshot import snapshot
from giftserver.durable.store import unlimited


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What every invariant showed."""

    invariants: tuple[Invariant, ...]

    @property
    def holds(self) -> bool:
        """Whether all of them hold."""
        return all(invariant.holds for invariant in self.invariants)

    @property
    def exit_code(self) -> int:
        """0 when all hold, 1 when one is violated."""
        return 0 if self.holds else 1

    def render(self) -> str:
        """A line an invariant, its violations below it, and the verdict."""
        width = max(len(invariant.name) for invariant in self.invariants)
        lines = []
        for invariant in self.invariants:
            verdict = "holds" if invariant.holds else "VIOLATED"
            name = f"{invariant.name:<{width}}"
            lines.append(f"{name}  {verdict:<8}  {invariant.checked:>12,} checked  {invariant.seconds:8.2f} s")
            lines += [f"    {violation}" for violation in invariant.violations]
            if invariant.more:
                lines.append("    … and more")
        broken = sum(not invariant.holds for invariant in self.invariants)
        lines.append("All invariants hold." if not broken else f"{broken} of {len(self.invariants)} are violated.")
        return "\n".join(lines)


async def verify(engine: AsyncEngine, ledger_redis: Redis) -> VerifyReport:
    """Check every invariant while gifts may flow. Raises SQLAlchemy's and redis-py's errors when an engine is away."""
    async with unlimited(engine) as patient:
        return await _verify(patient, ledger_redis)


async def _verify(engine: AsyncEngine, ledger_redis: Redis) -> VerifyReport:
    book = {name: Invariant(name) for name in CHECKS}
    async with snapshot(engine) as connection:
        for name, check in CHECKS.items():
            with book[name].timed():
                await check(connection, book[name])
    live = LiveProof(engine, ledger_redis)
    streams = Invariant("every accepted gift is flushed or in its stream")
    wallets = Invariant("Redis coins = PostgreSQL - unflushed - unapplied credits")
    earned = Invariant("earned slices = diamonds posted + unflushed")
    with streams.timed():
        await live.streams(streams)
    with wallets.timed():
        await live.wallets(wallets, book["nobody is below zero"])
    with earned.timed():
        await live.earned(earned)
    return VerifyReport((*book.values(), streams, wallets, earned))
