"""The benchmark of the ledger: `python -m loadtest.bench.ledger`, or `--quick` for a short one.

Five rows, each with both sides of a comparison or all sizes of a growth, in one run on one machine: our client against
the limit of the script, our ledger against one PostgreSQL transaction a gift, the flush, the cost as the ledger grows,
its memory. How to read it: loadtest/README.md.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from giftserver.embedded import EmbeddedError
from loadtest.bench.client_row import client_row
from loadtest.bench.design_row import design_row
from loadtest.bench.engines import Bench, NotEmpty, opened, temporary_folder
from loadtest.bench.figures import Row
from loadtest.bench.flush_row import flush_row
from loadtest.bench.growth_row import growth_row
from loadtest.bench.machine import machine
from loadtest.bench.memory_row import memory_row
from loadtest.bench.plot import draw
from loadtest.bench.report import head, headline, table, write_json
from loadtest.bench.sizes import FULL, QUICK, Size

RESULTS: Final = Path("docs/bench")
SCRATCH: Final = Path(".loadtest/bench")
ROWS: Final = "abcde"


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the benchmark to run, and on what."""

    size: Size
    rows: str = ROWS
    redis_url: str | None = None
    database_url: str | None = None
    fsync: str = "always"
    program: Path | None = None
    live_gifts_per_s: int = 5_000


@click.command()
@click.option("--quick", is_flag=True, help="Two to three minutes, smaller sizes; results go to .loadtest/bench.")
@click.option("--rows", default=ROWS, show_default=True, help="Only these rows.")
@click.option("--rounds", type=click.IntRange(1, 100), help="Rounds of every case.  [default: 5]")
@click.option("--redis-url", help="An empty ledger Redis that may be wiped, instead of the embedded one.")
@click.option("--database-url", help="A PostgreSQL where databases may be made, instead of the embedded one.")
@click.option("--fsync", type=click.Choice(["always", "everysec"]), default="always", show_default=True)
@click.option("--benchmark-program", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="valkey-benchmark or redis-benchmark, if not on the PATH.")  # fmt: skip
@click.option("--live-gifts-per-s", type=click.IntRange(1), default=5_000, show_default=True,
              help="Live rate that row c is held against.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results.")
def main(
    quick: bool,
    rows: str,
    rounds: int | None,
    redis_url: str | None,
    database_url: str | None,
    fsync: str,
    benchmark_program: Path | None,
    live_gifts_per_s: int,
    out: Path | None,
) -> None:
    """Measure the ledger; print tables, write ledger.json and ledger.png."""
    if not rows or set(rows) - set(ROWS):
        raise click.UsageError(f"rows are letters of {ROWS}")
    size = QUICK if quick else FULL
    size = replace(size, rounds=rounds or size.rounds)
    choice = Choice(size, rows, redis_url, database_url, fsync, benchmark_program, live_gifts_per_s)
    started_s = time.monotonic()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            facts, done = runner.run(run(choice, progress))
    except (EmbeddedError, NotEmpty) as problem:
        raise click.ClickException(str(problem)) from problem
    facts = {**facts, "kind": "quick" if quick else "full", "seconds": round(time.monotonic() - started_s)}
    show(facts, done, out or (SCRATCH if quick else RESULTS))


def show(facts: dict[str, Any], rows: list[Row], folder: Path) -> None:
    """Print the report and write its files."""
    click.echo(f"\n{head(facts)}\n")
    for row in rows:
        click.echo(f"{table(row)}\n")
    click.echo(f"Medians:\n{headline(rows)}\n")
    write_json(folder / "ledger.json", facts, rows)
    caption = f"{facts['cpu']}, {facts['cores']} cores, {facts['ledger_engine']}, fsync {facts['appendfsync']}"
    drawn = draw(folder / "ledger.png", rows, f"{caption}; medians of {facts['rounds']} rounds, least … greatest")
    click.echo(f"Written: {folder / 'ledger.json'}" + (f" and {folder / 'ledger.png'}" if drawn else ""))
    if not drawn:
        click.echo("No picture: matplotlib is not installed (pip install -e '.[bench]').")


async def run(choice: Choice, say: Callable[[str], None]) -> tuple[dict[str, Any], list[Row]]:
    """Measure the rows chosen: the facts of the run, and the rows. Raises EmbeddedError, NotEmpty, drivers' errors."""
    with temporary_folder() as folder:
        facts = machine(Path(folder))
        engines = Path(folder) / "engines"
        urls = choice.redis_url, choice.database_url
        async with opened(choice.size, engines, *urls, choice.fsync, say) as bench:
            facts |= {**bench.facts, "rounds": choice.size.rounds}
            done = [await start() for letter, start in starts(bench, choice).items() if letter in choice.rows]
    return facts, done


def starts(bench: Bench, choice: Choice) -> dict[str, Callable[[], Awaitable[Row]]]:
    """What measures each row."""

    def telling(letter: str, row: Callable[[], Awaitable[Row]]) -> Callable[[], Awaitable[Row]]:
        def start() -> Awaitable[Row]:
            bench.say(f"row {letter}")
            return row()

        return start

    rows: dict[str, Callable[[], Awaitable[Row]]] = {
        "a": lambda: client_row(bench, choice.program),
        "b": lambda: design_row(bench),
        "c": lambda: flush_row(bench, choice.live_gifts_per_s),
        "d": lambda: growth_row(bench),
        "e": lambda: memory_row(bench),
    }
    return {letter: telling(letter, row) for letter, row in rows.items()}


def progress(text: str) -> None:
    """Progress, apart from the report."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
