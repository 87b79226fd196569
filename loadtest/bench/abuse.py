"""A hundred who mean harm among two thousand viewers: what the viewers notice of them.

    python -m loadtest.bench.abuse

A room is watched while gifts come; then the same with the abusers (loadtest/abusers.py, a process of their own), then
the same without them once more. The web process has a core; everything else is on the other one, the abusers with less
priority. Exit status: 0 all rules hold, 1 one fails.
"""

import asyncio
import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import psutil  # type: ignore[import-untyped]
import uvloop

from loadtest.bench.engines import temporary_folder
from loadtest.bench.fanout import cores
from loadtest.bench.figures import percentile
from loadtest.bench.gifts_cases import MARKED, wait_until
from loadtest.bench.givers import SUBPROTOCOL, Givers
from loadtest.bench.rules import Rule, at_most, exit_status
from loadtest.bench.sides import pinned
from loadtest.bench.stack import Stack, open_stack
from loadtest.crowd import Crowd

ROOM: Final = "hot"
GIVERS: Final = 16
PER_S: Final = 20.0
P99_TIMES, GROWTH_MIB = 2.0, 64.0
SETTLE_S: Final = 2.0
LIMITS: Final = {"GIFTSERVER_COMMANDS_PER_S": "50", "GIFTSERVER_GIFTS_PER_S": "30", "GIFTSERVER_ACCEPTS_PER_S": "2000"}
RIGHT: Final = {
    "malformed": {"4501"}, "long": {"1009"}, "flood": {"4029"}, "pings": {"4029"}, "reconnect": {"left"},
    "stalled": {"left"}, "slow": {"left"}, "half_open": {"408"},
}  # fmt: skip
"""How connections of each kind may end."""


@dataclass(slots=True)
class Phase:
    """What the viewers saw for a while."""

    name: str
    gifts: int
    wanted: int
    seen: int
    p50_ms: float
    p99_ms: float
    ack_max_ms: float
    web_share: float
    rss_mib: float

    def __str__(self) -> str:
        return (
            f"{self.name:<14}{self.gifts:>6} gifts{self.seen:>10,} of {self.wanted:,} shown"
            f"{self.p50_ms:>8.1f}{self.p99_ms:>8.1f} ms (p50, p99), ack {self.ack_max_ms:>6.1f} ms at most"
            f"{self.web_share:>6.2f} core{self.rss_mib:>8.1f} MiB"
        )


class Watched:
    """A room with viewers and givers."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        url = f"ws://127.0.0.1:{stack.port}/v1/rooms/{ROOM}/ws"
        self.crowd = Crowd(url, subprotocol=SUBPROTOCOL, sample_every=5)
        self._givers = Givers(itertools.cycle([MARKED]))
        self._web = psutil.Process(stack.web_pids[0])

    async def gather(self, viewers: int) -> None:
        """Everybody comes."""
        await self.crowd.come(viewers)
        await self._givers.come(self._stack.port, [(ROOM, self._stack.token(name)) for name in givers()])
        await asyncio.sleep(SETTLE_S)

    async def phase(self, name: str, seconds: float) -> Phase:
        """Gifts at a steady rate; returns once they are shown, or do not come any more."""
        givers, crowd = self._givers, self.crowd
        crowd.count_anew()
        givers.took_ns.clear()
        marks, cpu_s = givers.marks, self._stack.cpu_s()["web"]
        await givers.at_rate(PER_S, seconds)
        web_share = (self._stack.cpu_s()["web"] - cpu_s) / seconds
        gifts = givers.marks - marks
        await wait_until(lambda: all(viewer.seen >= gifts for viewer in crowd.viewers), lambda: crowd.totals.deliveries)
        if givers.errors or givers.acked < givers.sent:
            click.echo(f"  {givers.sent - givers.acked} gifts without an answer; errors: {givers.errors}")
        lags_ms = [lag / 1e6 for lag in crowd.totals.lags_ns] or [0.0]
        return Phase(
            name, gifts, gifts * len(crowd.viewers), crowd.totals.deliveries, percentile(lags_ms, 50),
            percentile(lags_ms, 99), max(givers.took_ns) / 1e6, web_share, self._web.memory_info().rss / 2**20,
        )  # fmt: skip

    async def go(self) -> None:
        """Everybody leaves."""
        for giver in self._givers.givers:
            giver.leave()
        await self.crowd.go()


def givers() -> list[str]:
    """Their ids."""
    return [f"giver-{number}" for number in range(GIVERS)]


async def measure(folder: Path, core: int | None, viewers: int, abusers: int, seconds: float) -> list[Rule]:
    """The three phases; what was found."""
    async with open_stack(folder, core, (ROOM,), [*givers(), "abuser"], LIMITS) as stack:
        room = Watched(stack)
        await room.gather(viewers)
        calm = await room.phase("calm", seconds)
        click.echo(f"  {calm}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadtest.abusers", str(stack.port), ROOM, stack.token("abuser"), str(abusers),
            str(seconds + 2 * SETTLE_S), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await asyncio.sleep(SETTLE_S)
        abused = await room.phase(f"{abusers} abusers", seconds)
        click.echo(f"  {abused}")
        ended: dict[str, dict[str, int]] = json.loads((await process.communicate())[0])
        after = await room.phase("calm again", seconds)
        click.echo(f"  {after}")
        lost = room.crowd.totals.lost
        await room.go()
        stack.start("flusher")
        await stack.flushed()
        proof = await stack.proof()
    shown = all(phase.seen == phase.wanted for phase in (calm, abused, after))
    wrong = [f"{kind}: {how}" for kind, ways in ended.items() for how in ways if how not in RIGHT[kind]]
    click.echo(f"  how they ended: {'; '.join(f'{kind} {ways}' for kind, ways in ended.items())}")
    return [
        at_most("p99 with abusers / p99 without", [abused.p99_ms / calm.p99_ms], P99_TIMES),
        Rule("every gift was shown to every viewer", f"{lost} sockets lost", shown and lost == 0),
        at_most("memory grew", [after.rss_mib - calm.rss_mib], GROWTH_MIB, " MiB"),
        Rule("each abuser got the right close code", "; ".join(wrong) or "all did", not wrong and all(ended.values())),
        Rule("verify is clean", proof_words(proof.holds), proof.holds),
    ]


def proof_words(holds: bool) -> str:
    """A word for a proof."""
    return "all invariants hold" if holds else "an invariant is violated"


@click.command()
@click.option("--viewers", type=click.IntRange(2, 10_000), default=2_000, show_default=True)
@click.option("--abusers", type=click.IntRange(8, 1_000), default=100, show_default=True)
@click.option("--seconds", type=click.FloatRange(1.0), default=10.0, show_default=True, help="Length of each phase.")
def main(viewers: int, abusers: int, seconds: float) -> None:
    """Measure what viewers notice of abusers; print what was found."""
    web_core, other_core = cores()
    with (
        temporary_folder() as folder,
        pinned(other_core),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(measure(Path(folder), web_core, viewers, abusers, seconds))
    for rule in found:
        click.echo(f"  {rule}")
    raise SystemExit(exit_status(found))


if __name__ == "__main__":
    main()
