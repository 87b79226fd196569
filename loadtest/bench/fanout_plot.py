"""The picture of the fan-out: what a core delivers, how late, and what a viewer takes. Needs matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from loadtest.bench.fanout_load import AS_FAST
from loadtest.bench.fanout_plan import Results, Spot
from loadtest.bench.figures import spread
from loadtest.bench.plot import OTHER, OURS
from loadtest.bench.sides import OURS as OUR_SIDE
from loadtest.bench.sides import SIDES

LAG_RATE: Final = 50
"""Messages a second at which lags are drawn: most sides carry it at some number of viewers."""

PANELS: Final = (
    ("k_per_cpu_s", AS_FAST, "thousand deliveries per CPU-second, in the window", "log"),
    ("p99_ms", LAG_RATE, f"p99 lag at {LAG_RATE} messages/s, ms", "linear"),
    ("busy_kib", AS_FAST, "KiB a viewer, busy", "linear"),
)
"""Metric, load, label and scale of each column."""


def draw(path: Path, results: Results, counts: Sequence[int], caption: str) -> bool:
    """Write the picture; False, with nothing written, when matplotlib is not installed or nothing was measured."""
    counts = [viewers for viewers in counts if any(results.outcomes(spot) for spot in shown(viewers))]
    if not counts:
        return False
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    size = 14, 0.6 + len(counts) * (0.9 + 0.24 * len(SIDES))
    figure, axes = pyplot.subplots(len(counts), len(PANELS), figsize=size, squeeze=False, sharey="row")
    for viewers, line in zip(counts, axes, strict=True):
        for (metric, load, label, scale), axis in zip(PANELS, line, strict=True):
            bars(axis, results, viewers, load, metric)
            axis.set_xscale(scale)
            axis.set_xlabel(label, fontsize=8)
        line[0].set_title(f"{viewers:,} viewers", loc="left", fontsize=10)
    figure.suptitle(caption, fontsize=8)
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def shown(viewers: int) -> list[Spot]:
    """What is drawn of so many viewers."""
    return [Spot(side.name, viewers, load) for side in SIDES for load in {load for _, load, _, _ in PANELS}]


def bars(axis: Any, results: Results, viewers: int, load: int, metric: str) -> None:
    """A bar for each side, the first on top; a word for one that did not carry the load."""
    for place, side in enumerate(reversed(SIDES)):
        spot = Spot(side.name, viewers, load)
        values = results.values(spot, metric)
        colour = OURS if side.name.startswith(OUR_SIDE) else OTHER
        if results.carried(spot):
            found = spread(values)
            whiskers = [[found.median - found.low], [found.high - found.median]]
            axis.barh([place], [found.median], xerr=whiskers, color=colour, capsize=2)
        elif results.outcomes(spot):
            axis.text(0.01, place, "not carried", fontsize=7, va="center", transform=axis.get_yaxis_transform())
    axis.set_yticks(range(len(SIDES)), [side.name for side in reversed(SIDES)])
    axis.tick_params(labelsize=8)
