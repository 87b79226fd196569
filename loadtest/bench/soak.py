"""Viewers come and leave for a long time: what the web process keeps of them.

    python -m loadtest.bench.soak --minutes 30

Some hundred places of one room are taken by a viewer for a moment each, again and again: some leave politely, some
vanish, some resume where they stopped, and a few gifts are shown meanwhile. The memory of the web process is looked at
all the time. Exit status: 0 when it does not grow, 1 when it does.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import click
import psutil  # type: ignore[import-untyped]
import uvloop

from loadtest.bench.engines import temporary_folder
from loadtest.bench.fanout import RESULTS, SCRATCH
from loadtest.bench.gifts_cases import MARKED
from loadtest.bench.givers import Givers
from loadtest.bench.rules import Rule, at_most, exit_status
from loadtest.bench.stack import Stack, open_stack
from loadtest.returning import Homecoming, Returner

ROOM: Final = "hot"
GIVERS: Final = ("giver-0", "giver-1")
PER_S: Final = 2.0
STAY_S: Final = 2.0
LOOK_S: Final = 2.0
GROWTH_MIB: Final = 4.0
FULL_MINUTES: Final = 30.0
LIMITS: Final = {"GIFTSERVER_ACCEPTS_PER_S": "2000"}


class Place:
    """One viewer after the other."""

    def __init__(self, stack: Stack, home: Homecoming, chance: random.Random) -> None:
        self._address, self._home, self._chance = ("127.0.0.1", stack.port), home, chance
        self.visits = 0

    async def run(self) -> None:
        """Until cancelled: come, stay for a moment, maybe lose the socket and come back, leave."""
        while True:
            viewer = Returner(self._address, ROOM, self._home, self._chance)
            await viewer.come()
            await asyncio.sleep(self._chance.random() * STAY_S)
            if self._chance.random() < 0.3:
                viewer.vanish()
                await asyncio.sleep(self._chance.random() * STAY_S)
            viewer.leave(politely=self._chance.random() < 0.5)
            self.visits += 1


async def soak(stack: Stack, places: int, minutes: float) -> tuple[list[tuple[float, float]], int, Homecoming]:
    """Minutes and MiB of the web process, visits, and what happened to those who came back."""
    home, chance = Homecoming(), random.Random(7)
    givers = Givers(itertools.cycle([MARKED]))
    await givers.come(stack.port, [(ROOM, stack.token(name)) for name in GIVERS])
    all_places = [Place(stack, home, chance) for _ in range(places)]
    tasks = [asyncio.create_task(place.run()) for place in all_places]
    tasks.append(asyncio.create_task(givers.at_rate(PER_S, minutes * 60)))
    web, started_s, seen = psutil.Process(stack.web_pids[0]), time.monotonic(), []
    while (passed_s := time.monotonic() - started_s) < minutes * 60:
        seen.append((passed_s / 60, web.memory_info().rss / 2**20))
        await asyncio.sleep(LOOK_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for giver in givers.givers:
        giver.leave()
    return seen, sum(place.visits for place in all_places), home


def growth_mib(seen: Sequence[tuple[float, float]]) -> float:
    """Median of the last fifth less the median of the second one: the first is for caches to fill."""
    fifth = max(1, len(seen) // 5)
    sizes = [mib for _, mib in seen]
    return median(sizes[-fifth:]) - median(sizes[fifth : 2 * fifth])


async def run(folder: Path, places: int, minutes: float) -> tuple[list[tuple[float, float]], list[Rule]]:
    """The soak in a giftserver of its own."""
    async with open_stack(folder, None, (ROOM,), GIVERS, LIMITS) as stack:
        stack.start("flusher")
        seen, visits, home = await soak(stack, places, minutes)
        await stack.flushed()
        proof = await stack.proof()
    grew = f"the web process grew, in {minutes:g} minutes and {visits:,} visits"
    exact = f"{home.resumed:,} resumed, {home.restarted:,} began anew, {home.repeated:,} messages told twice"
    return seen, [
        at_most(grew, [growth_mib(seen)], GROWTH_MIB, " MiB"),
        Rule("who came back was told exactly what was missed", exact, home.repeated == 0 < home.resumed),
        Rule("verify is clean", "all invariants hold" if proof.holds else proof.render(), proof.holds),
    ]


def draw(path: Path, seen: Sequence[tuple[float, float]], caption: str) -> bool:
    """Write the picture; False, with nothing written, when matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(9, 3.5))
    axis.plot(*zip(*seen, strict=True), color="#2f6f4f", linewidth=1)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("minutes", fontsize=8)
    axis.set_ylabel("MiB of the web process", fontsize=8)
    axis.set_title(caption, fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


@click.command()
@click.option("--minutes", type=click.FloatRange(0.1), default=FULL_MINUTES, show_default=True)
@click.option("--places", type=click.IntRange(1, 5_000), default=200, show_default=True)
def main(minutes: float, places: int) -> None:
    """Let viewers come and leave; print what was found, write soak.json and soak.png."""
    with temporary_folder() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen, found = runner.run(run(Path(folder), places, minutes))
    for rule in found:
        click.echo(f"  {rule}")
    out = RESULTS if minutes >= FULL_MINUTES else SCRATCH
    draw(out / "soak.png", seen, f"{found[0]}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "soak.json").write_text(json.dumps({"minutes_mib": [[round(a, 3), round(b, 2)] for a, b in seen]}) + "\n")
    raise SystemExit(exit_status(found))


if __name__ == "__main__":
    main()
