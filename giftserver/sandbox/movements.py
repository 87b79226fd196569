"""The report of movements: what every change of a session or payout moved, worked out from its events."""

from collections.abc import Iterator
from typing import Final

import msgspec

from giftserver.sandbox.book import Book
from giftserver.sandbox.objects import Dispute, Event, Kept, KeptPayout, PayoutEvent, Session

TAKEN: Final = ("open", "lost")
"""States of a dispute in which its money is not the merchant's."""

SIGNS: Final = {"payout.paid": -1, "payout.returned": 1}


class Movement(msgspec.Struct, frozen=True):
    """Money that came (above zero) or went, in minor units of `currency`; `payment` is its order's reference."""

    id: str
    kind: str
    payment: str
    currency: str
    amount_minor: int
    at_ms: int


def movements(book: Book, from_ms: int, until_ms: int) -> list[Movement]:
    """Everything that moved from and until these moments, in ms since 1970."""
    found = [one for kept in book.sessions for one in _of_session(book, kept)]
    found += [one for kept in book.payouts for one in _of_payout(book, kept)]
    return [one for one in found if from_ms <= one.at_ms < until_ms]


def _of_session(book: Book, kept: Kept) -> Iterator[Movement]:
    before: Session | None = None
    for event in book.events(kept.id):
        assert isinstance(event, Event)
        for kind, amount_minor in _moved(before, event.session):
            if kind == "charge" and kept.mischief.movement_missing:
                continue
            more = int(kind == "charge" and kept.mischief.movement_wrong)
            yield _movement(event, kind, amount_minor + more)
        before = event.session


def _of_payout(book: Book, kept: KeptPayout) -> Iterator[Movement]:
    """Money leaves when it arrives at its receiver, and is back once it was returned."""
    if kept.mischief.movement_missing:
        return
    for event in book.events(kept.id):
        assert isinstance(event, PayoutEvent)
        if event.kind in SIGNS:
            payout, amount_minor = event.payout, event.payout.amount_minor + int(kept.mischief.movement_wrong)
            yield Movement(
                f"{event.id}-payout", "payout", payout.payout, payout.currency, SIGNS[event.kind] * amount_minor,
                event.created_ms,
            )  # fmt: skip


def _moved(before: Session | None, after: Session) -> Iterator[tuple[str, int]]:
    """What differs between a session and itself one event later."""
    captured, refunded, disputes = (
        (before.captured_minor, before.refunded_minor, before.disputes) if before is not None else (0, 0, [])
    )
    moved = {
        "charge": after.captured_minor - captured,
        "refund": refunded - after.refunded_minor,
        "dispute": _disputed(disputes) - _disputed(after.disputes),
    }
    return ((kind, amount) for kind, amount in moved.items() if amount)


def _disputed(disputes: list[Dispute]) -> int:
    return sum(one.amount_minor for one in disputes if one.state in TAKEN)


def _movement(event: Event, kind: str, amount_minor: int) -> Movement:
    session = event.session
    return Movement(f"{event.id}-{kind}", kind, session.payment, session.currency, amount_minor, event.created_ms)
