"""The gift path, from a sender's socket to the ledger, back to the sender, and to every viewer of the room.

    python -m loadtest.bench.gifts            # a quarter of an hour: docs/bench/gifts.json
    python -m loadtest.bench.gifts --quick    # two minutes

The real web process on one core; both Valkeys, fsync always, and the senders and viewers (loadtest/bench/givers.py,
loadtest/crowd.py) on another. A round is a new giftserver that goes through every case, brings its gifts to PostgreSQL
and is proved by `verify`. Exit status: 0 all rules hold, 1 one fails, 3 none fails but one was not measured.
"""

import asyncio
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from giftserver.embedded import EmbeddedError
from giftserver.ledger import keys
from loadtest.bench import report
from loadtest.bench.engines import temporary_folder
from loadtest.bench.fanout import BUSY, BUSY_LOAD, RESULTS, SCRATCH, cores
from loadtest.bench.figures import Measured, Row
from loadtest.bench.gifts_cases import HOT, ROOMS, SENDERS, SOME_MARKED, WITH_LARGE, Case, run_case
from loadtest.bench.machine import machine
from loadtest.bench.orders import people as people_of
from loadtest.bench.rounds import order_of
from loadtest.bench.rules import Rule, as_json, at_least, at_most, exit_status
from loadtest.bench.sides import pinned
from loadtest.bench.stack import open_stack

ACKED_PER_S, SHOWN_PER_S, ACK_P99_MS = 20_000, 12_000, 25.0
FOLDED_PER_S: Final = 2_000
VIEWERS: Final = 1_000
NOTES: Final = (
    "acked, shown: gifts a second that were acknowledged, and that a decoded viewer was shown; lags from when a gift "
    "was due. Shares are of a core: web has one, the others share one.",
)
BESIDE: Final = "The flusher runs beside, on the core of the others."
AFTER: Final = "PostgreSQL, flusher and audit have no core here: gifts are flushed and proved after each round."


@dataclass(slots=True)
class Results:
    """Every case with its rounds, and what was not as it must be."""

    measured: dict[str, Measured] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    gifts: int = 0
    proofs: int = 0


def cases(viewers: int) -> tuple[Case, ...]:
    """At the maximum and at half of what the rules ask for; then small gifts by the thousand, with large ones."""
    hot = (HOT,)
    return (
        Case("no viewers, maximum", 0),
        Case(f"no viewers, {ACKED_PER_S // 2:,}/s", ACKED_PER_S // 2),
        Case(f"{viewers:,} viewers, maximum", 0, SOME_MARKED, hot, viewers),
        Case(f"{viewers:,} viewers, {SHOWN_PER_S // 2:,}/s", SHOWN_PER_S // 2, SOME_MARKED, hot, viewers),
        Case(f"{viewers:,} viewers, {FOLDED_PER_S:,}/s, folded", FOLDED_PER_S, WITH_LARGE, hot, viewers),
    )


@click.command()
@click.option("--quick", is_flag=True, help="One short round; results go to .loadtest/bench.")
@click.option("--rounds", type=click.IntRange(1, 100), help="[default: 3; quick: 1]")
@click.option("--seconds", type=click.FloatRange(0.1), help="Length of each measurement.  [default: 6; quick: 3]")
@click.option("--viewers", type=click.IntRange(10), default=VIEWERS, show_default=True, help="Of the hot room.")
@click.option("--window", type=click.IntRange(1, 100), default=16, show_default=True,
              help="Gifts on their way on each of the 64 sockets, at the maximum.")  # fmt: skip
@click.option("--flush-beside", is_flag=True, help="Flush while the clock runs, not after each round.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results.")
def main(
    quick: bool, rounds: int | None, seconds: float | None, viewers: int, window: int, flush_beside: bool,
    out: Path | None,
) -> None:  # fmt: skip
    """Measure the gift path; print a table and rules, write gifts.json."""
    started_s = time.monotonic()
    web_core, other_core = cores()
    rounds, seconds = rounds or (1 if quick else 3), seconds or (3.0 if quick else 6.0)
    chosen = cases(viewers)
    results = Results({case.name: Measured(case.name) for case in chosen})
    try:
        with ExitStack() as held:
            folder = Path(held.enter_context(temporary_folder()))
            facts = machine(folder) | {"web_core": web_core, "other_core": other_core, "rounds": rounds}
            held.enter_context(pinned(other_core))
            runner = held.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
            for number in range(rounds):
                progress(f"round {number + 1} of {rounds}")
                (folder / str(number)).mkdir(mode=0o711)
                run = one_round(results, folder / str(number), web_core, chosen, number, window, seconds, flush_beside)
                runner.run(run)
    except EmbeddedError as problem:
        raise click.ClickException(str(problem)) from problem
    facts |= {"kind": "quick" if quick else "full", "window": window, "seconds": round(time.monotonic() - started_s)}
    notes = [*NOTES, BESIDE if flush_beside else AFTER]
    row = Row("a", f"gifts of {SENDERS} senders", list(results.measured.values()), [], notes)
    raise SystemExit(show(facts, row, rules(results, chosen), out or (SCRATCH if quick else RESULTS)))


async def one_round(
    results: Results, folder: Path, core: int | None, chosen: tuple[Case, ...], number: int, window: int,
    seconds: float, flush_beside: bool,
) -> None:  # fmt: skip
    """A new giftserver, every case, and the proof."""
    senders = people_of(SENDERS, range(keys.SHARDS), "sender")
    async with open_stack(folder, core, ROOMS, senders) as stack:
        if flush_beside:
            stack.start("flusher")
        for position in order_of(len(chosen), number):
            case = chosen[position]
            progress(case.name)
            found = await run_case(stack, case, senders, window, seconds)
            results.measured[case.name].add(found.values)
            results.wrong += found.wrong
        if not flush_beside:
            stack.start("flusher")
        progress("flushing and proving")
        await stack.flushed()
        proof = await stack.proof()
        results.gifts += await stack.accepted()
        results.proofs += 1
        if not proof.holds:
            results.wrong.append(f"verify: {proof.render()}")


def rules(results: Results, chosen: tuple[Case, ...]) -> list[Rule]:
    """What the gift path must reach."""
    most, half, hot_most, hot_half, _ = (results.measured[case.name].values for case in chosen)
    wrong = "; ".join(results.wrong)
    return [
        at_least("gifts acknowledged, no viewers", most.get("acked_per_s", []), ACKED_PER_S, "/s"),
        at_least("gifts shown to every viewer", shown_per_s(hot_most), SHOWN_PER_S, "/s"),
        at_most(f"ack p99, {chosen[1].name}", half.get("ack_p99_ms", []), ACK_P99_MS, " ms"),
        at_most(f"ack p99, {chosen[3].name}", hot_half.get("ack_p99_ms", []), ACK_P99_MS, " ms"),
        Rule(
            "every gift was acknowledged, is in the ledger once, and was shown to all; verify is clean",
            wrong or f"{results.gifts:,} gifts, {results.proofs} proofs",
            not wrong if results.proofs else None,
        ),
    ]


def shown_per_s(values: dict[str, list[float]]) -> list[float]:
    """Gifts a second that were acknowledged and shown: the slower of the two counts."""
    both = zip(values.get("acked_per_s", []), values.get("shown_per_s", []), strict=True)
    return [min(acked, shown) for acked, shown in both]


def show(facts: dict[str, Any], row: Row, judged: list[Rule], folder: Path) -> int:
    """Print the table and the rules, write the file; the exit status."""
    click.echo(f"\n{report.head(facts)}\n")
    if facts["load_before"] > BUSY_LOAD:
        click.echo(f"  {BUSY}\n")
    click.echo(report.table(row))
    click.echo()
    for rule in judged:
        click.echo(f"  {rule}")
    folder.mkdir(parents=True, exist_ok=True)
    written = report.as_json(facts, [row]) | {"rules": as_json(judged)}
    (folder / "gifts.json").write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    click.echo(f"\nWritten: {folder / 'gifts.json'}")
    return exit_status(judged)


def progress(text: str) -> None:
    """Progress, apart from the report."""
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
