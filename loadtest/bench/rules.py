"""Rules that a benchmark holds its figures against: each is printed with them, and the run's exit status tells."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.bench.figures import short, spread

ALL_HOLD, ONE_FAILS, NOT_ALL_MEASURED = 0, 1, 3
VERDICTS: Final = {True: "HOLDS", False: "FAILS", None: "NOT MEASURED"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What must be so, what was found, and whether it is so; None where it was not measured."""

    text: str
    found: str
    holds: bool | None

    def __str__(self) -> str:
        return f"{VERDICTS[self.holds]:<12}  {self.text}: {self.found}"


def at_least(text: str, values: Sequence[float], bound: float, unit: str = "", beside: str = "") -> Rule:
    """The median of the rounds is no less than the bound; `beside` is said with it."""
    return _bounded(f"{text} ≥ {short(bound)}{unit}", values, unit, beside, lambda median: median >= bound)


def at_most(text: str, values: Sequence[float], bound: float, unit: str = "", beside: str = "") -> Rule:
    """The median of the rounds is no more than the bound; `beside` is said with it."""
    return _bounded(f"{text} ≤ {short(bound)}{unit}", values, unit, beside, lambda median: median <= bound)


def _bounded(text: str, values: Sequence[float], unit: str, beside: str, judge: Callable[[float], bool]) -> Rule:
    if not values:
        return Rule(text, beside or "not measured", None)
    found = spread(values)
    more = f"; {beside}" if beside else ""
    return Rule(text, f"{found}{unit} in {found.rounds} rounds{more}", judge(found.median))


def exit_status(rules: Iterable[Rule]) -> int:
    """ALL_HOLD, ONE_FAILS, or NOT_ALL_MEASURED when none fails."""
    verdicts = {rule.holds for rule in rules}
    if False in verdicts:
        return ONE_FAILS
    return NOT_ALL_MEASURED if None in verdicts else ALL_HOLD


def as_json(rules: Iterable[Rule]) -> list[dict[str, str]]:
    """The rules for programs."""
    return [{"rule": rule.text, "found": rule.found, "verdict": VERDICTS[rule.holds]} for rule in rules]
