"""The states of a payout to a creator, and which one may follow which.

requested → sending → paid | failed; requested → held → requested; requested | held → cancelled (by the creator) or
voided (by an operator); paid → returned. The database holds the same (migration 0014).
"""

from enum import StrEnum
from typing import Final


class PayoutState(StrEnum):
    """Where a payout is."""

    REQUESTED = "requested"
    """The diamonds are set aside; the provider knows nothing yet."""
    HELD = "held"
    """As before, and it waits: a case about the creator is open that has the wallet on hold."""
    SENDING = "sending"
    """The provider is asked, or was: nobody can stop it any more."""
    PAID = "paid"
    FAILED = "failed"
    """It never arrived: the diamonds are back."""
    CANCELLED = "cancelled"
    VOIDED = "voided"
    RETURNED = "returned"
    """It was paid and came back: the diamonds are back."""


STOPPABLE: Final = frozenset({PayoutState.REQUESTED, PayoutState.HELD})
"""The creator can cancel these, an operator void them."""

OPEN: Final = STOPPABLE | {PayoutState.SENDING}
"""The diamonds of these are set aside."""

UNCOUNTED: Final = frozenset({PayoutState.CANCELLED, PayoutState.VOIDED, PayoutState.FAILED})
"""No money left for these: the day's maximum does not count them."""

FOLLOWS: Final = {
    PayoutState.REQUESTED: {PayoutState.HELD, PayoutState.SENDING, PayoutState.CANCELLED, PayoutState.VOIDED},
    PayoutState.HELD: {PayoutState.REQUESTED, PayoutState.CANCELLED, PayoutState.VOIDED},
    PayoutState.SENDING: {PayoutState.PAID, PayoutState.FAILED},
    PayoutState.PAID: {PayoutState.RETURNED},
}
"""What may follow; nothing follows the other states."""
