"""After a payment: refunds, and the cardholder's disputes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

import msgspec

from giftserver.sandbox.bodies import NewDispute, NewRefund
from giftserver.sandbox.book import Book, key_line
from giftserver.sandbox.objects import Dispute, DisputeState, Kept, Kind, Refund, Refused, new_id

CLAIMS_MAX: Final = 100
"""Refunds, and disputes, of one session: each event carries all of them."""

MOVES: Final[Mapping[DisputeState, tuple[DisputeState, ...]]] = MappingProxyType(
    {"warning": ("open", "closed"), "open": ("won", "lost")}
)
"""Where a dispute can go from where it is."""

_CLAIMED: Final = ("warning", "open", "lost")


class Claims:
    """What takes money back out of captured sessions. Methods return what was made, or a refusal."""

    def __init__(self, book: Book) -> None:
        self._book: Final = book

    def refund(self, kept: Kept, key: str, body: NewRefund) -> Refund | Refused:
        """Give money back; the same key and body give the same refund."""
        session, path = kept.session, f"{kept.id}/refunds"
        made = self._book.used(key, path, body)
        if isinstance(made, Refused):
            return made
        if made is not None:
            return next(one for one in session.refunds if one.id == made)
        if body.amount_minor > session.captured_minor - session.refunded_minor:
            return Refused(409, "too_much", "This is more than was captured and not yet refunded.")
        if len(session.refunds) >= CLAIMS_MAX:
            return Refused(409, "too_many", f"A session has at most {CLAIMS_MAX} refunds.")
        fails = kept.mischief.refund_fails
        refund = Refund(
            new_id("re_"), kept.id, body.amount_minor, "failed" if fails else "succeeded", self._book.clock(), key
        )
        self._book.change(
            kept,
            "refund.failed" if fails else "refund.succeeded",
            key_line(key, path, body, refund.id),
            refunded_minor=session.refunded_minor + (0 if fails else body.amount_minor),
            refunds=[*session.refunds, refund],
        )
        return refund

    def fail(self, kept: Kept, id: str) -> Refund | Refused:
        """A refund that was paid comes back: the buyer's account was closed, say. A second time changes nothing."""
        refund = next((one for one in kept.session.refunds if one.id == id), None)
        if refund is None:
            return Refused(404, "not_found", "There is no such refund.")
        if refund.state == "failed":
            return refund
        failed = msgspec.structs.replace(refund, state="failed")
        self._book.change(
            kept,
            "refund.failed",
            refunded_minor=kept.session.refunded_minor - refund.amount_minor,
            refunds=[failed if one.id == id else one for one in kept.session.refunds],
        )
        return failed

    def dispute(self, kept: Kept, body: NewDispute) -> Dispute | Refused:
        """The cardholder complains, by default about everything that was not refunded and is not disputed."""
        session = kept.session
        left_minor = session.captured_minor - sum(
            one.amount_minor for one in session.disputes if one.state in _CLAIMED
        )  # fmt: skip
        amount_minor = body.amount_minor or min(left_minor, session.captured_minor - session.refunded_minor)
        if not 0 < amount_minor <= left_minor:
            return Refused(409, "too_much", "This is more than was captured and not yet disputed.")
        if len(session.disputes) >= CLAIMS_MAX:
            return Refused(409, "too_many", f"A session has at most {CLAIMS_MAX} disputes.")
        now_ms = self._book.clock()
        dispute = Dispute(new_id("dp_"), kept.id, amount_minor, body.reason, body.state, now_ms, now_ms)
        self._tell(kept, dispute, [*session.disputes, dispute])
        return dispute

    def move(self, id: str, state: DisputeState) -> Dispute | Refused:
        """Move a dispute on, as the bank would."""
        kept = self._book.disputed(id)
        if kept is None:
            return Refused(404, "not_found", "There is no such dispute.")
        before = next(one for one in kept.session.disputes if one.id == id)
        if state not in MOVES.get(before.state, ()):
            return Refused(409, "wrong_state", f"A dispute that is {before.state} cannot become {state}.")
        moved = msgspec.structs.replace(before, state=state, updated_ms=self._book.clock())
        self._tell(kept, moved, [moved if one.id == id else one for one in kept.session.disputes])
        return moved

    def _tell(self, kept: Kept, dispute: Dispute, disputes: list[Dispute]) -> None:
        self._book.change(kept, cast(Kind, f"dispute.{dispute.state}"), disputes=disputes)
