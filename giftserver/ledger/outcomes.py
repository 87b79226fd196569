"""What a gift order is, and everything that can become of it. Expected refusals are values."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from giftserver.ledger.limits import LimitReached


class GiftOrder(msgspec.Struct, frozen=True, gc=False):
    """One gift, checked and priced, ready to be decided. Amounts are integers: coins, diamonds, ms."""

    key: str
    key_ms: int
    request_hash: str
    sender: str
    creator: str
    coins: int
    diamonds: int
    payload: bytes
    """The encoded GiftEvent that goes to the stream."""
    looked: int | None = None
    """The shard's epoch in which PostgreSQL was asked for the key and had no gift of it; None: it was not asked."""


class Accepted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The gift is final. `repeated`: it was decided before, under the same key. The gift script answers with these."""

    shard: int
    epoch: int
    seq: int
    coins: int
    diamonds: int
    balance_coins: int
    at_ms: int
    repeated: bool


class Reason(StrEnum):
    """Why a gift was not accepted."""

    INSUFFICIENT = "INSUFFICIENT"
    SELF_GIFT = "SELF_GIFT"
    KEY_REUSED = "KEY_REUSED"
    KEY_EXPIRED = "KEY_EXPIRED"
    FROZEN = "FROZEN"
    BAD_AMOUNT = "BAD_AMOUNT"
    LIMIT = "LIMIT"
    TRY_AGAIN = "TRY_AGAIN"
    """Nothing was charged: fenced, backpressure, out of memory, engine away, wallet not loaded in time."""
    UNKNOWN = "UNKNOWN"
    """No answer in time: resend the same key to learn the outcome."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was charged (unless UNKNOWN). `detail` is for the log.

    `balance_coins` comes with INSUFFICIENT, `limit` with LIMIT.
    """

    reason: Reason
    detail: str = ""
    balance_coins: int | None = None
    limit: LimitReached | None = None


Outcome = Accepted | Refused
