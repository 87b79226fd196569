"""Medians, spreads, percentiles, slopes and ratios."""

import pytest

from loadtest.bench.figures import Measured, growth_percent, percentile, ratios, short, slope, spread


def test_a_spread_is_the_median_and_the_extremes() -> None:
    """One slow round moves the spread, not the median."""
    found = spread([10.0, 11.0, 2.0, 12.0, 11.5])
    assert (found.median, found.low, found.high, found.rounds) == (11.0, 2.0, 12.0, 5)
    assert found.off_percent == pytest.approx(100 * 9 / 11)
    assert str(found) == "11.0 [2.00 … 12.0]"
    assert spread([0.0]).off_percent == 0


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (99.5, 100), (100, 100), (0, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    """Nearest rank, whatever the order."""
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_no_values_have_no_percentile() -> None:
    """Nothing measured is not zero."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_a_slope_is_that_of_the_nearest_line() -> None:
    """Exact for points on a line, 0 for one size alone."""
    assert slope([1, 2, 3], [5, 7, 9]) == pytest.approx(2)
    assert slope([1, 2, 3, 4], [1, 2, 2, 1]) == pytest.approx(0)
    assert slope([7], [3]) == 0


def test_growth_is_percent_of_the_mean_for_each_tenfold_size() -> None:
    """A flat cost grows by nothing; one that doubles from 1 k to 1 M shows."""
    sizes = [1e3, 1e4, 1e5, 1e6]
    assert growth_percent(sizes, [20, 20, 20, 20]) == pytest.approx(0)
    assert growth_percent(sizes, [15, 20, 25, 30]) == pytest.approx(100 * 5 / 22.5)


def test_ratios_are_taken_round_by_round() -> None:
    """What slows both sides of a round down does not change its ratio."""
    ours, other = Measured("ours"), Measured("other")
    for pace in (1.0, 0.5, 2.0):
        ours.add({"gifts_per_s": 30 * pace})
        other.add({"gifts_per_s": 40 * pace})
    assert ratios(ours, other) == [0.75, 0.75, 0.75]


@pytest.mark.parametrize(
    ("value", "text"), [(12_345.6, "12,346"), (99.94, "99.9"), (1.234, "1.23"), (0.0123456, "0.0123"), (0, "0")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    """No more digits than mean something."""
    assert short(value) == text
