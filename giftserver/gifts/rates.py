"""What a coin of gift is worth to the creator: dated rate cards, rational and integer."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RateCard:
    """Diamonds = coins × numerator ÷ denominator, rounded down. A gift remembers the version it was sent under."""

    version: int
    numerator: int
    denominator: int

    def diamonds(self, coins: int) -> int:
        """Diamonds the creator earns for a gift of this many coins."""
        return coins * self.numerator // self.denominator


CURRENT: Final = RateCard(version=1, numerator=1, denominator=1)
