"""The picture of a result: bars of medians with the spread of the rounds. Needs matplotlib (the extra `bench`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from loadtest.bench.figures import Measured, Row, spread

OURS: Final = "#2f6f4f"
OTHER: Final = "#9aa5b1"
METRICS: Final = {
    "a": ("gifts_per_s", "gifts/s"),
    "b": ("gifts_per_s", "gifts/s"),
    "c": ("gifts_per_s", "gifts/s"),
    "d": ("server_cpu_us", "server CPU, µs a gift"),
    "e": ("used_bytes", "bytes"),
}


def draw(path: Path, rows: Sequence[Row], caption: str) -> bool:
    """Write the picture; False, with nothing written, when matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    heights = [0.9 + 0.28 * len(row.cases) for row in rows]
    figure, axes = pyplot.subplots(len(rows), 1, figsize=(10, sum(heights)), height_ratios=heights, squeeze=False)
    for row, axis in zip(rows, axes[:, 0], strict=True):
        bars(axis, row)
    figure.suptitle(caption, fontsize=8)
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def bars(axis: Any, row: Row) -> None:
    """A row's cases as bars, the first on top."""
    metric, label = METRICS[row.letter]
    cases = [case for case in row.cases if metric in case.values][::-1]
    spreads = [spread(case.values[metric]) for case in cases]
    medians = [one.median for one in spreads]
    whiskers = [[one.median - one.low for one in spreads], [one.high - one.median for one in spreads]]
    axis.barh([case.name for case in cases], medians, xerr=whiskers, color=list(map(colour, cases)), capsize=2)
    axis.set_title(f"{row.letter}. {row.title}", loc="left", fontsize=10)
    axis.set_xlabel(label, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.set_xlim(left=0)


def colour(case: Measured) -> str:
    """Grey for what we are compared with."""
    return OTHER if case.name.endswith((": prepared", ": SQL only", " connections")) else OURS
