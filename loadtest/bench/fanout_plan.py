"""Which side of the fan-out benchmark meets which loads, and what became of it in every round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from loadtest.bench.fanout_load import AS_FAST, Outcome
from loadtest.bench.figures import Values
from loadtest.bench.sides import AWAIT_LOOP, C_MERGED, OURS, OURS_NO_TICK, SIDES, UWS, Side

Plan = Mapping[int, Mapping[str, Sequence[int]]]
"""Viewers → name of a side → its loads."""

COUNTS: Final = (1_000, 5_000, 15_000)
RATES: Final = (AS_FAST, 50, 200, 1_000)
MANY, MANY_RATE = 15_000, 100
"""So many viewers in one process have a rate of their own, which a rule names."""

ROOM, ROOM_RATE = 1_000, 1_000
"""What one busy room has: viewers, and gifts a second."""

RULED: Final = (1_000, 5_000)
"""Viewers at which sides are compared by rules."""

_AGAINST: Final = (OURS, OURS_NO_TICK, UWS)
QUICK: Final[Plan] = {
    ROOM: {
        **dict.fromkeys(_AGAINST, RATES),
        C_MERGED: (AS_FAST,),
        AWAIT_LOOP: (AS_FAST,),
    },
    5_000: {
        **dict.fromkeys(_AGAINST, RATES[:-1]),
        C_MERGED: (AS_FAST,),
        AWAIT_LOOP: (AS_FAST,),
    },
    MANY: {OURS: (MANY_RATE,)},
}
"""What the rules need, and no more."""


def full(counts: Sequence[int], rates: Sequence[int]) -> Plan:
    """Every side with all loads."""

    def loads(viewers: int) -> Sequence[int]:
        return sorted({*rates, MANY_RATE}) if viewers == MANY else sorted(set(rates))

    return {viewers: {side.name: loads(viewers) for side in SIDES} for viewers in counts}


def chosen(plan: Plan, names: Sequence[str]) -> Plan:
    """The plan for these sides alone; for all when none is named."""
    if not names:
        return plan
    some = {viewers: {name: loads for name, loads in of.items() if name in names} for viewers, of in plan.items()}
    return {viewers: of for viewers, of in some.items() if of}


def sides_of(plan: Plan) -> list[Side]:
    """The sides that a plan names, in the order of SIDES."""
    named = {name for of in plan.values() for name in of}
    return [side for side in SIDES if side.name in named]


@dataclass(frozen=True, slots=True)
class Spot:
    """One cell of the benchmark."""

    side: str
    viewers: int
    load: int


@dataclass(slots=True)
class Results:
    """Every round's outcomes; a side that is missing on this machine has none."""

    rounds: list[dict[Spot, Outcome]] = field(default_factory=list)

    def outcomes(self, spot: Spot) -> list[Outcome]:
        """What became of a spot, round by round; empty when it was not measured."""
        return [found[spot] for found in self.rounds if spot in found]

    def values(self, spot: Spot, metric: str) -> list[float]:
        """A metric in the rounds that carried it."""
        return [outcome[metric] for outcome in self.outcomes(spot) if not isinstance(outcome, str)]

    def carried(self, spot: Spot) -> bool:
        """Whether the spot was measured, and carried in most of its rounds."""
        return 2 * len(self.values(spot, "p99_ms")) > len(self.outcomes(spot))

    def ratios(self, over: Spot, under: Spot, metric: str) -> list[float]:
        """One spot against another in the rounds that carried both: what shifts both does not shift the ratio."""
        found = []
        for outcomes in self.rounds:
            above, below = outcomes.get(over), outcomes.get(under)
            if _measured(above) and _measured(below) and below[metric]:
                found.append(above[metric] / below[metric])
        return found


def _measured(outcome: Outcome | None) -> TypeGuard[Values]:
    return outcome is not None and not isinstance(outcome, str)
