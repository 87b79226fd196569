"""A crowd beside Locust: its process reports, and its reports become results."""

import pytest

from loadtest.bench.sides import SIDES, Sides
from loadtest.crowd_row import CrowdRow, evenly

Told = tuple[str, float, int, str | None]


class Table:
    """Takes what is told."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def tell(self, name: str, value: float, size: int, problem: BaseException | None) -> None:
        """One result."""
        self.told.append((name, value, size, None if problem is None else str(problem)))


def test_a_crowd_that_is_not_let_in_is_a_failure() -> None:
    """Its process ends, and says why in a row."""
    table = Table()
    row = CrowdRow("ws://127.0.0.1:1/", 3, table.tell)
    row.run()
    [(name, _, _, problem)] = table.told
    assert name == "crowd not let in"
    assert problem


async def test_a_crowd_reports_until_it_is_stopped() -> None:
    """Each second a line; the last one when its input ends."""
    table = Table()
    side = next(side for side in SIDES if side.name == "websockets.broadcast")
    with Sides(None, None) as sides, sides.serving(side) as (port, _):
        row = CrowdRow(f"ws://127.0.0.1:{port}/", 3, table.tell)
        row.take({"deliveries": 4, "bytes": 500, "lost": 1, "lags_ms": [1.5, 2.5]})
        row.stop()
        row.run()
    assert table.told[:4] == [
        ("crowd lag", 1.5, 0, None),
        ("crowd lag", 2.5, 0, None),
        ("crowd deliveries a second", 4, 500, None),
        ("crowd outage", 0.0, 0, "a viewer's socket was closed"),
    ]
    assert table.told[4:] == [("crowd deliveries a second", 0, 0, None)]


@pytest.mark.parametrize(("count", "told"), [(0, 0), (7, 7), (100, 100), (1_000, 100)])
def test_lags_are_drawn_evenly(count: int, told: int) -> None:
    """No more than a line holds, and their median stays where it was."""
    lags = [float(number) for number in range(count)]
    drawn = evenly(lags[::-1], 100)
    assert len(drawn) == told
    assert drawn == sorted(drawn)
    if count:
        assert abs(drawn[len(drawn) // 2] - lags[count // 2]) <= 10
