"""How many deliveries a core does: our rooms, what a user would otherwise pick, and what the kernel allows.

    python -m loadtest.bench.fanout --peers FOLDER            # everything, an hour or two: docs/bench/fanout.*
    python -m loadtest.bench.fanout --peers FOLDER --quick    # ten minutes, and whether the rules hold

Each side is a server on one core; its viewers and its one publisher are on another. Per side and number of viewers:
messages as fast as the viewers are shown them (a window on their way), and fixed rates. Sides take turns in every
round, in an order that changes. Exit status: 0 all rules hold, 1 one fails, 3 none fails but one was not measured.
"""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from loadtest.bench import report
from loadtest.bench.fanout_load import Outcome, measure
from loadtest.bench.fanout_plan import COUNTS, QUICK, RATES, Plan, Results, Spot, chosen, full, sides_of
from loadtest.bench.fanout_plot import draw
from loadtest.bench.fanout_rows import rows
from loadtest.bench.fanout_rules import STATED, rules
from loadtest.bench.machine import machine
from loadtest.bench.rounds import order_of
from loadtest.bench.rules import as_json, exit_status
from loadtest.bench.sides import SIDES, Side, Sides, pinned

RESULTS: Final = Path("docs/bench")
SCRATCH: Final = Path(".loadtest/bench")
QUICK_S: Final = 540.0
"""A quick run begins no round that would not end by then."""

BUSY_LOAD: Final = 0.7
BUSY: Final = "The machine was busy with something else: lags, and what was not reached, say little."
SPARE_FILES: Final = 200


@click.command()
@click.option("--quick", is_flag=True, help="Ten minutes: what the rules need; results go to .loadtest/bench.")
@click.option("--viewers", "counts", type=click.IntRange(2), multiple=True, default=COUNTS, show_default=True)
@click.option("--rate", "rates", type=click.IntRange(0), multiple=True, default=RATES, show_default=True,
              help="Messages a second; 0: as fast as they are shown.")  # fmt: skip
@click.option("--side", "names", multiple=True, type=click.Choice([side.name for side in SIDES]), help="Only these.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1), help="Length of each measurement.  [default: 6; quick: 2.5]")
@click.option("--peers", type=click.Path(file_okay=False, path_type=Path), help="Folder with npm packages of others.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results.")
def main(
    quick: bool, counts: tuple[int, ...], rates: tuple[int, ...], names: tuple[str, ...], rounds: int,
    seconds: float | None, peers: Path | None, out: Path | None,
) -> None:  # fmt: skip
    """Measure fan-out; print tables and rules, write fanout.json and fanout.png."""
    started_s = time.monotonic()
    server_core, crowd_core = cores()
    facts = machine(Path(tempfile.gettempdir())) | {"server_core": server_core, "viewers_core": crowd_core}
    plan = reachable(chosen(QUICK if quick else full(counts, rates), names))
    with pinned(crowd_core), Sides(peers, server_core) as sides:
        present = [side for side in sides_of(plan) if not told_missing(sides, side)]
        budget_s = QUICK_S if quick else float("inf")
        results = run(sides, present, plan, rounds, seconds or (2.5 if quick else 6.0), budget_s)
    facts |= {"rounds": len(results.rounds), "kind": "quick" if quick else "full"}
    facts["seconds"] = round(time.monotonic() - started_s)
    raise SystemExit(show(facts, results, plan, out or (SCRATCH if quick else RESULTS)))


def cores() -> tuple[int | None, int | None]:
    """A core for the server and one for everybody else; None and None where there are no two, or no way to choose."""
    found = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (found[0], found[1]) if len(found) > 1 else (None, None)


def reachable(plan: Plan) -> Plan:
    """The plan without numbers of viewers for which this process may not open enough files; says so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(plan, default=0) + SPARE_FILES
    if hard == resource.RLIM_INFINITY or soft < hard:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for viewers in plan:
        if viewers + SPARE_FILES > soft:
            click.echo(f"{viewers:,} viewers are left out: allow more open files, `ulimit -n {viewers + SPARE_FILES}`.")
    return {viewers: of for viewers, of in plan.items() if viewers + SPARE_FILES <= soft}


def told_missing(sides: Sides, side: Side) -> bool:
    """Whether the side cannot be measured here; says what to install."""
    needed = sides.missing(side)
    if needed:
        click.echo(f"{side.name} is left out: {needed}.")
    return bool(needed)


def run(sides: Sides, present: list[Side], plan: Plan, rounds: int, seconds: float, budget_s: float) -> Results:
    """Every side with every number of viewers once a round, as many rounds as fit into the time."""
    results = Results()
    started_s, longest_s = time.monotonic(), 0.0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for number in range(rounds):
            begun_s = time.monotonic()
            if begun_s - started_s + longest_s > budget_s:
                break
            outcomes: dict[Spot, Outcome] = {}
            for viewers, of in plan.items():
                for position in order_of(len(present), number):
                    side = present[position]
                    if side.name not in of:
                        continue
                    progress(f"round {number + 1} of {rounds}: {viewers:,} viewers, {side.name}")
                    found = runner.run(measure(sides, side, viewers, of[side.name], seconds))
                    outcomes |= {Spot(side.name, viewers, load): outcome for load, outcome in found.items()}
            results.rounds.append(outcomes)
            longest_s = max(longest_s, time.monotonic() - begun_s)
    return results


def show(facts: dict[str, Any], results: Results, plan: Plan, folder: Path) -> int:
    """Print tables and rules, write the files; the exit status."""
    click.echo(f"\n{report.head(facts)}\n")
    if facts["load_before"] > BUSY_LOAD:
        click.echo(f"  {BUSY}\n")
    found = rows(results, plan)
    for row in found:
        click.echo(f"{report.table(row)}\n")
    judged = rules(results)
    click.echo(f"{STATED}\n")
    for rule in judged:
        click.echo(f"  {rule}")
    folder.mkdir(parents=True, exist_ok=True)
    written = report.as_json(facts, found) | {"rules": as_json(judged)}
    (folder / "fanout.json").write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    caption = f"{facts['cpu']}, a core for the server; medians of {facts['rounds']} rounds, least … greatest"
    drawn = draw(folder / "fanout.png", results, sorted(plan), caption)
    click.echo(f"\nWritten: {folder / 'fanout.json'}" + (f" and {folder / 'fanout.png'}" if drawn else ""))
    if not drawn:
        click.echo("No picture: matplotlib is not installed (pip install -e '.[bench]').")
    return exit_status(judged)


def progress(text: str) -> None:
    """Progress, apart from the report."""
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
