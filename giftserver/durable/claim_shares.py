"""How many coins of a purchase each of its claims has.

Together they always have what the money that they are about bought: of all that was paid that share, rounded down, and
never more than all coins. A claim that is won leaves its coins to those that would have too few without them: a dispute
and a refund of the same money are one loss, whichever of the two it turns out to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shared:
    """What a claim has after coins were shared anew: `coins` in all, of which `frozen_coins` were not spent."""

    claim: Any
    coins: int
    frozen_coins: int


def share(total: int, paid_minor: int, minor: int) -> int:
    """Coins of a purchase of `total` coins for `paid_minor` that so much of the money bought."""
    return total * min(minor, paid_minor) // paid_minor


def share_anew(others: Sequence[Any], total: int, paid_minor: int, unspent: int) -> list[Shared]:
    """What changes for a payment's booked claims, oldest first, when another one is booked no more.

    `unspent` coins of that one were not spent; a claim that needs more than these has spent ones.
    """
    missing = share(total, paid_minor, sum(one.amount_minor for one in others)) - sum(one.coins for one in others)
    changed = []
    for one in others:
        most = -(-total * min(one.amount_minor, paid_minor) // paid_minor)
        more = max(-one.coins, min(missing, max(0, most - one.coins)))
        if not more:
            continue
        taken = min(more, unspent) if more > 0 else min(0, one.coins + more - one.frozen_coins)
        changed.append(Shared(one, one.coins + more, one.frozen_coins + taken))
        missing -= more
        unspent -= taken
    return changed
