"""The results of the fan-out benchmark as rows: one for each number of viewers and load, its cases the sides."""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Final

from loadtest.bench.fanout_load import AS_FAST, WINDOW
from loadtest.bench.fanout_plan import Plan, Results, Spot
from loadtest.bench.figures import Figure, Measured, Row
from loadtest.bench.sides import OURS, OURS_NO_TICK, SIDES

METRICS: Final = (
    "k_per_s", "k_per_cpu_s", "share", "crowd_share", "merged", "p50_ms", "p99_ms", "max_ms", "idle_kib", "busy_kib",
    "connects_per_s", "missing",
)  # fmt: skip


def rows(results: Results, plan: Plan) -> list[Row]:
    """A row for each load, in the order of the plan; those that nobody was given are left out."""
    spots = [
        (viewers, load)
        for viewers, of in plan.items()
        for load in sorted({one for loads in of.values() for one in loads})
    ]
    found = [row(results, letter, *spot) for letter, spot in zip(ascii_lowercase, spots, strict=False)]
    return [one for one in found if one.cases]


def row(results: Results, letter: str, viewers: int, load: int) -> Row:
    """All sides under one load, and what we do for each time another does it."""
    cases, notes = [], []
    for side in SIDES:
        spot = Spot(side.name, viewers, load)
        outcomes = results.outcomes(spot)
        if not outcomes:
            continue
        values = {metric: results.values(spot, metric) for metric in METRICS}
        cases.append(Measured(side.name, values if values["p99_ms"] else {}))
        whys = [outcome for outcome in outcomes if isinstance(outcome, str)]
        if whys:
            notes.append(f"{side.name}: {whys[0]} ({len(whys)} of {len(outcomes)} rounds)")
    ours = OURS_NO_TICK if load == AS_FAST else OURS
    title = f"{viewers:,} viewers, " + (f"{load:,} messages/s" if load else f"a window of {WINDOW} messages")
    return Row(letter, title, cases, figures(results, ours, viewers, load), notes)


def figures(results: Results, ours: str, viewers: int, load: int) -> list[Figure]:
    """Our deliveries per CPU-second over everybody else's."""
    others: Sequence[str] = [side.name for side in SIDES if side.name not in (OURS, OURS_NO_TICK)]
    found = []
    for other in others:
        ratios = results.ratios(Spot(ours, viewers, load), Spot(other, viewers, load), "k_per_cpu_s")
        if ratios:
            found.append(Figure(f"deliveries per CPU-second, {ours} / {other}", ratios, "×"))
    return found
