"""The states of a payment, and which one follows which: by rank, never by the order in which news arrives.

created → pending → requires_action → authorised → succeeded → credited → partially_refunded → refunded, and failed,
expired or cancelled beside succeeded: money that comes after one of these is money all the same.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a payment is."""

    CREATED = "created"
    """Ours alone: the provider has not answered yet."""
    PENDING = "pending"
    """The provider's page waits for the buyer."""
    REQUIRES_ACTION = "requires_action"
    """The buyer's bank asks something (3-D Secure)."""
    AUTHORISED = "authorised"
    """Promised and not taken yet."""
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    """The provider has the money; the coins are not booked yet."""
    CREDITED = "credited"
    """The coins are in the ledger."""
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


RANKS: Final = {
    State.CREATED: 0,
    State.PENDING: 10,
    State.REQUIRES_ACTION: 20,
    State.AUTHORISED: 30,
    State.FAILED: 40,
    State.EXPIRED: 40,
    State.CANCELLED: 40,
    State.SUCCEEDED: 50,
    State.CREDITED: 60,
    State.PARTIALLY_REFUNDED: 70,
    State.REFUNDED: 80,
}

OPEN: Final = frozenset({State.CREATED, State.PENDING, State.REQUIRES_ACTION, State.AUTHORISED, State.SUCCEEDED})
"""The reconciler asks about these."""

UNPAID: Final = frozenset({State.CREATED, State.PENDING, State.REQUIRES_ACTION})
"""Nobody has promised money yet: the buyer may turn back."""

ENDED_UNPAID: Final = frozenset({State.FAILED, State.EXPIRED, State.CANCELLED})


def follows(now: State, news: State) -> bool:
    """Whether a payment in `now` goes to `news`; what is older, or says the same, changes nothing."""
    return RANKS[news] > RANKS[now]
