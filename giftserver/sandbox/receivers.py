"""The test addresses of payouts: what becomes of the money that is sent to each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from giftserver.sandbox.objects import PayoutState

ADDRESS: Final = r"[A-Za-z0-9._+\-]{1,64}@[A-Za-z0-9.\-]{1,120}"
"""What an address matches fully."""

STEP_S: Final = 1.0
SLOW_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a payout on its way: its next states in order. `slow_s`: by so much longer each takes."""

    words: str
    states: tuple[PayoutState, ...] = ("paid",)
    slow_s: float = 0.0

    def after(self, state: PayoutState) -> PayoutState | None:
        """The state that follows this one by itself; None at the end."""
        if state == "pending":
            return self.states[0]
        rest = self.states[self.states.index(state) + 1 :] if state in self.states else ()
        return rest[0] if rest else None


RECEIVERS: Final[Mapping[str, Fate]] = MappingProxyType(
    {
        "paid@sandbox": Fate("Paid"),
        "failed@sandbox": Fate("Fails: the account is closed", ("failed",)),
        "slow@sandbox": Fate("On its way for a minute, then paid", slow_s=SLOW_S),
        "returned@sandbox": Fate("Paid, then it comes back", ("paid", "returned")),
    }
)
"""Every address of which something of its own becomes."""

OTHERS: Final = Fate("Paid")


def fate_of(address: str) -> Fate:
    """What becomes of money for an address; upper and lower case are the same."""
    return RECEIVERS.get(address.lower(), OTHERS)
