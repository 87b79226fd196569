"""The torture by hand: `python -m tests.torture.run --seed 1 --seconds-max 300`; `make torture` calls it.

Exit code 0 when nothing was violated, else 1. The last line of the output sums the run up; the report is in
artifacts/torture-<seed>.json and .txt.
"""

import asyncio
import contextlib
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import uvloop

from giftserver.embedded.instance import ending_in_order
from tests.torture.campaign import Campaign, Plan, campaign
from tests.torture.faults import KINDS, possible
from tests.torture.stack import ROOT, Stack, running
from tests.torture.workload import Rates

ARTIFACTS = ROOT / "artifacts"
CALM_S = (0.5, 3.0)
FULL_CHECK_GIFTS = 100_000
"""Above this many gifts every tenth cycle is checked, below every one."""

RACE_COINS = 5_000
RACE = Plan(
    name="racer", people=1, sockets=64, rooms=1, window=8, menu=(("dewdrop", 1),), quantity=(3, 3), gifts_max=3_000,
    rates=Rates(other_body=0, bad_clock=0), start_coins=RACE_COINS, top_ups_per_s=0,
)  # fmt: skip
"""Many sockets and one wallet that is too small for all of their gifts."""


class Report:
    """What is printed and kept of one run."""

    def __init__(self, seed: int, options: dict[str, Any]) -> None:
        self.seed, self.options = seed, options
        self.began_s = time.monotonic()
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """One line, with the seconds since the beginning."""
        text = f"{time.monotonic() - self.began_s:7.1f} s  {line}"
        self.lines.append(text)
        click.echo(text)

    def summary(self, run: Campaign) -> str:
        """The one line."""
        tally, verdict = run.tally, run.tally.verdict
        return (
            f"torture seed {self.seed}: {verdict.gifts:,} gifts of {len(run.history.gifts):,} sent, "
            f"{tally.cycles} fault cycles, {tally.resolved:,} unknowns resolved, "
            f"{len(verdict.lost)} acknowledged and lost, {tally.violations} violations, "
            f"{time.monotonic() - self.began_s:.0f} s"
        )

    def write(self, run: Campaign, logs: dict[str, Any], warnings: dict[str, int]) -> None:
        """The report's files."""
        ARTIFACTS.mkdir(exist_ok=True)
        tally, verdict = run.tally, run.tally.verdict
        attempts = Counter(attempt.outcome for gift in run.history.gifts for attempt in gift.attempts)
        found = {
            "seed": self.seed,
            "options": self.options,
            "seconds": round(time.monotonic() - self.began_s, 1),
            "gifts_in_the_ledger": verdict.gifts,
            "coins_in_the_ledger": verdict.coins,
            "gifts_sent": len(run.history.gifts),
            "attempts": dict(attempts),
            "refusals": dict(run.load.codes),
            "credits": len(run.history.credits),
            "cycles": tally.cycles,
            "checks": tally.checks,
            "faults": dict(tally.faults),
            "points_reached": dict(run.injector.reached),
            "unknowns_resolved": tally.resolved,
            "slowest_return_s": round(tally.slowest_s, 2),
            "acknowledged_and_lost": len(verdict.lost),
            "decided_anew": verdict.decided_anew,
            "given_back": verdict.refunds,
            "violations": tally.violations,
            "warnings_logged": warnings,
            "found": [*tally.failures, *verdict.violations],
            "lost": verdict.lost[:100],
        }
        text = [
            *self.lines,
            "",
            *(f"{name}: {value}" for name, value in found.items() if name not in ("found", "lost")),
        ]
        text += ["", "violations:" if tally.violations else "no violations", *tally.failures, *verdict.violations]
        text += ["", "acknowledged and lost (the first 100):", *verdict.lost[:100]] if verdict.lost else []
        for name, tail in logs.items() if tally.violations else ():
            text += ["", f"end of {name}:", *tail]
        base = ARTIFACTS / f"torture-{self.seed}"
        base.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
        base.with_suffix(".txt").write_text("\n".join(text) + f"\n{self.summary(run)}\n")


async def torture(stack: Stack, plan: Plan, report: Report, names: list[str], cycles: int, seconds_max: float) -> int:
    """Load, faults and checks until the time, the cycles or the gifts are over; the number of violations."""
    chance = random.Random(report.seed)
    deadline_s = report.began_s + seconds_max
    deck: list[str] = []
    async with campaign(stack, report.seed, plan) as run:
        while time.monotonic() < deadline_s and not run.load.full and run.tally.cycles < cycles:
            await run.run_for(chance.uniform(*CALM_S))
            if run.load.full:
                break
            if not deck:
                deck = random.Random(chance.random()).sample(names, len(names))
            fault = deck.pop()
            await run.cycle([fault])
            checked = len(run.history.gifts) < FULL_CHECK_GIFTS or run.tally.cycles % 10 == 0
            if checked:
                await run.check()
            state = f"{run.load.accepted:,} accepted, {run.tally.violations} violations"
            report.say(f"cycle {run.tally.cycles}: {fault}; {state}{'' if checked else ' (not checked yet)'}")
            if run.tally.violations:
                break
        if cycles == 0:
            await run.run_for(max(0.0, deadline_s - time.monotonic()))
        if not run.tally.violations:
            await run.check()
        if plan.name == RACE.name and run.load.accepted != (affordable := plan.start_coins // 3):
            run.tally.failures.append(f"{run.load.accepted} gifts were paid, {affordable} could be")
        report.write(run, stack.logs(), stack.warnings())
        if run.tally.violations:
            run.history.write(ARTIFACTS / f"torture-{report.seed}.history")
            for line in (*run.tally.failures, *run.tally.verdict.violations):
                report.say(line)
        click.echo(report.summary(run))
        return run.tally.violations


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--seconds-max", default=60.0, show_default=True, help="Load and faults end after this many seconds.")
@click.option("--cycles", default=1_000_000, help="Fault cycles at most; 0 for load alone.")
@click.option("--gifts", default=0, help="Gifts to send at most; 0: as many as the time allows.")
@click.option("--race", default=0, help="Only this: so many gifts race for one wallet over 64 sockets.")
@click.option("--people", default=12, show_default=True)
@click.option("--sockets", default=2, show_default=True, help="Sockets of each person.")
@click.option("--window", default=16, show_default=True, help="Gifts in flight on each socket.")
@click.option("--webs", default=2, show_default=True, help="Web processes.")
@click.option("--fsync", default="always", show_default=True, type=click.Choice(["always", "everysec"]))
@click.option("--fault", "faults", multiple=True, type=click.Choice(sorted(KINDS)), help="Only these kinds of fault.")
@click.option("--without", multiple=True, type=click.Choice(sorted(KINDS)), help="Not these kinds of fault.")
@click.option("--keep", is_flag=True, help="Keep the folder with engines and logs.")
def main(seed: int, seconds_max: float, cycles: int, gifts: int, race: int, keep: bool, **options: Any) -> None:
    """Load, faults and proof on a private stack."""
    report = Report(seed, {"seconds_max": seconds_max, "cycles": cycles, "gifts": gifts, "race": race, **options})
    sizes = {name: options[name] for name in ("people", "sockets", "window")}
    plan = Plan(**sizes, gifts_max=gifts, start_coins=20_000, top_ups_per_s=25.0, top_up_coins=4_000)
    if race:
        plan, cycles = replace(RACE, gifts_max=race, start_coins=race), 0
    names = [name for name in options["faults"] or possible() if name not in options["without"]]

    async def work(folder: Path) -> int:
        async with running(folder, webs=options["webs"], fsync=options["fsync"]) as stack:
            report.say("the stack runs")
            return await torture(stack, plan, report, names, cycles, seconds_max)

    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    folder.chmod(0o711)
    try:
        with ending_in_order(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            violations = runner.run(work(folder / "stack"))
    finally:
        if keep:
            click.echo(f"kept: {folder}", err=True)
        else:
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
    raise SystemExit(1 if violations else 0)


if __name__ == "__main__":
    main()
