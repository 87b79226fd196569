"""What the sandbox keeps and shows: sessions with their refunds and disputes, payouts, events, and refusals."""

import secrets
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from giftserver.sandbox.mischief import Mischief

ID_CHARACTERS: Final = 26

SessionState = Literal[
    "pending", "requires_action", "authorised", "captured", "expired", "cancelled", "failed"
]  # fmt: skip
Method = Literal["card", "wallet", "bank"]
RefundState = Literal["succeeded", "failed"]
Reason = Literal["fraudulent", "not_received", "duplicate", "unauthorised_minor"]
DisputeState = Literal["warning", "open", "won", "lost", "closed"]
PayoutState = Literal["pending", "paid", "failed", "returned"]
Kind = Literal[
    "session.requires_action", "session.authorised", "session.captured", "session.declined", "session.failed",
    "session.expired", "session.cancelled", "refund.succeeded", "refund.failed",
    "dispute.warning", "dispute.open", "dispute.won", "dispute.lost", "dispute.closed",
]  # fmt: skip
PayoutKind = Literal["payout.pending", "payout.paid", "payout.failed", "payout.returned"]

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A new id nobody can guess: the prefix and 26 random characters (130 bits)."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(ID_CHARACTERS))


@dataclass(frozen=True, slots=True)
class Refused:
    """An expected refusal: HTTP status, code for programs, sentence for people."""

    status: int
    code: str
    message: str


class Refund(msgspec.Struct, frozen=True):
    """Money that went back, or should have; `key` is the idempotency key that asked for it."""

    id: str
    session: str
    amount_minor: int
    state: RefundState
    created_ms: int
    key: str = ""


class Dispute(msgspec.Struct, frozen=True):
    """A cardholder's complaint."""

    id: str
    session: str
    amount_minor: int
    reason: Reason
    state: DisputeState
    created_ms: int
    updated_ms: int


class Session(msgspec.Struct, frozen=True):
    """A checkout, as merchants see it. Amounts in minor units of `currency`."""

    id: str
    payment: str
    amount_minor: int
    currency: str
    state: SessionState
    method: Method | None
    decline: str | None
    captured_minor: int
    refunded_minor: int
    disputes: list[Dispute]
    refunds: list[Refund]
    live: bool
    url: str
    created_ms: int
    expires_ms: int
    updated_ms: int


class Event(msgspec.Struct, frozen=True):
    """A change, with the session as it was then: the body of a webhook."""

    id: str
    kind: Kind
    created_ms: int
    live: bool
    session: Session

    @property
    def about(self) -> str:
        """Id of the session."""
        return self.session.id


class Payout(msgspec.Struct, frozen=True):
    """Money for somebody's `address`, in minor units of `currency`. `payout` is the merchant's reference."""

    id: str
    payout: str
    amount_minor: int
    currency: str
    address: str
    description: str
    state: PayoutState
    reason: str | None
    live: bool
    created_ms: int
    updated_ms: int


class PayoutEvent(msgspec.Struct, frozen=True):
    """A change, with the payout as it was then: the body of a webhook."""

    id: str
    kind: PayoutKind
    created_ms: int
    live: bool
    payout: Payout

    @property
    def about(self) -> str:
        """Id of the payout."""
        return self.payout.id


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A session with what only the sandbox knows.

    `number` counts sessions from 0. `attempts` are declined ones. `late`: it expired once. `after_secure` is the
    decline that follows when the bank's question is answered with yes, None for a payment.
    """

    session: Session
    number: int
    description: str
    return_url: str
    webhook_url: str
    mischief: Mischief
    attempts: int = 0
    late: bool = False
    after_secure: str | None = None
    settle_at_ms: int | None = None
    fetches_to_fail: int = 0

    @property
    def id(self) -> str:
        """Id of the session."""
        return self.session.id

    @property
    def disputed_minor(self) -> int:
        """What is gone or may go by disputes: open or lost, in minor units."""
        return sum(one.amount_minor for one in self.session.disputes if one.state in ("open", "lost"))

    def but(self, **changes: Any) -> "Kept":
        """The same with other fields."""
        return msgspec.structs.replace(self, **changes)


class KeptPayout(msgspec.Struct, frozen=True, kw_only=True):
    """A payout with what only the sandbox knows.

    `number` counts payouts from 0. Without `webhook_url` nobody is told.
    """

    payout: Payout
    number: int
    webhook_url: str
    mischief: Mischief
    fetches_to_fail: int = 0

    @property
    def id(self) -> str:
        """Id of the payout."""
        return self.payout.id

    def but(self, **changes: Any) -> "KeptPayout":
        """The same with other fields."""
        return msgspec.structs.replace(self, **changes)


AnyEvent = Event | PayoutEvent
AnyKept = Kept | KeptPayout
