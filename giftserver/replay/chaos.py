"""Accidents on purpose: what bad networks and impatient clients do to gifts, drawn from a seed."""

import random
from collections import Counter
from enum import Enum
from typing import Final


class Accident(Enum):
    """What happens to one gift; the value is its name in the report."""

    NONE = "nothing"
    CUT_BEFORE_REPLY = "connections cut after sending"
    TWICE = "keys sent twice before the reply"
    REPLY_LOST = "replies lost"
    AGAIN_AFTER_REPLY = "keys sent again after the reply"
    CUT_AFTER_REPLY = "connections cut after the reply"


DECK: Final = (*Accident, *[Accident.NONE] * 2)


class Chaos:
    """Deals accidents from a shuffled deck, so that even a short run meets each kind; `off` deals none."""

    def __init__(self, chance: random.Random, *, on: bool) -> None:
        self.on = on
        self.met: Counter[Accident] = Counter()
        self._chance = chance
        self._deck: list[Accident] = []

    def deal(self) -> Accident:
        """The accident of the next gift."""
        if not self.on:
            return Accident.NONE
        if not self._deck:
            self._deck = list(DECK)
            self._chance.shuffle(self._deck)
        return self._deck.pop()

    def met_with(self, accident: Accident) -> None:
        """Count an accident that happened."""
        self.met[accident] += 1

    def report(self) -> str:
        """What happened, in words."""
        parts = [f"{count} {accident.value}" for accident, count in self.met.items()]
        return ", ".join(parts) or "no accident"
