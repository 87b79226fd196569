"""Numbers out of repeated measurements: medians with their spread, percentiles, slopes, ratios by round."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

Values = Mapping[str, float]
"""What one run of a case measured: metric → value. A metric's name ends with its unit."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, and between which values all rounds lay."""

    median: float
    low: float
    high: float
    rounds: int

    @property
    def off_percent(self) -> float:
        """How far the farthest round is from the median, in percent of it."""
        if not self.median:
            return 0.0
        return 100 * max(self.high - self.median, self.median - self.low) / abs(self.median)

    def __str__(self) -> str:
        return f"{short(self.median)} [{short(self.low)} … {short(self.high)}]"


@dataclass(slots=True)
class Measured:
    """One case, measured in every round: metric → values in the order of the rounds."""

    name: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, values: Values) -> None:
        """Take in one more round."""
        for metric, value in values.items():
            self.values.setdefault(metric, []).append(value)

    def spread(self, metric: str) -> Spread:
        """Median and spread of a metric. Raises KeyError when the case does not have it."""
        return spread(self.values[metric])


@dataclass(slots=True)
class Figure:
    """A number that is the point of a row: a ratio, a slope, bytes; one value for each round."""

    name: str
    values: list[float]
    unit: str = ""
    target: str = ""


@dataclass(slots=True)
class Row:
    """A row of the benchmark: its cases, the figures drawn from them, and what a reader must know."""

    letter: str
    title: str
    cases: list[Measured]
    figures: list[Figure]
    notes: list[str]


def spread(values: Sequence[float]) -> Spread:
    """Median, least and greatest of at least one value."""
    return Spread(median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` % of the values do not exceed (nearest rank). Raises ValueError for no values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Slope of the straight line nearest to the points (least squares); 0 when all xs are the same."""
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    width = sum((x - x_mean) ** 2 for x in xs)
    if width == 0:
        return 0.0
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / width


def growth_percent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """How much the cost changes each time the size grows tenfold, in percent of the mean cost."""
    return 100 * slope([math.log10(size) for size in sizes], costs) / (sum(costs) / len(costs))


def ratios(over: Measured, under: Measured, metric: str = "gifts_per_s") -> list[float]:
    """One case against another, round by round: what shifts both in a round does not shift the ratio."""
    return [a / b for a, b in zip(over.values[metric], under.values[metric], strict=True)]


def short(value: float) -> str:
    """A number with three significant digits or more, thousands set apart."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{value:,.{digits}f}"
