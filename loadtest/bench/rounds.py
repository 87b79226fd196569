"""Running cases in rounds, in an order that changes, so that a slow minute does not meet the same case each time."""

import gc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from loadtest.bench.figures import Measured, Values


@dataclass(frozen=True, slots=True)
class Case:
    """Something to measure: `run` sets up, measures and returns the metrics of one round."""

    name: str
    run: Callable[[], Awaitable[Values]]


def order_of(count: int, number: int) -> list[int]:
    """Positions of the cases in round `number` (from 0): turned on by one each round, every second one backwards."""
    turned = [(position + number) % count for position in range(count)]
    return turned[::-1] if number % 2 else turned


async def measure(cases: Sequence[Case], rounds: int, say: Callable[[str], None]) -> list[Measured]:
    """Run every case once a round; the result is in the order of the cases."""
    measured = [Measured(case.name) for case in cases]
    for number in range(rounds):
        say(f"  round {number + 1} of {rounds}")
        for position in order_of(len(cases), number):
            measured[position].add(await cases[position].run())
            gc.collect()
    return measured
