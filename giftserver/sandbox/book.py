"""The book: every session, payout and event in memory, each change in the journal, and who is told about it."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from giftserver.sandbox.config import Clock
from giftserver.sandbox.journal import (
    DeliveredLine,
    EventLine,
    Journal,
    KeyLine,
    Line,
    MischiefLine,
    PayoutEventLine,
    PayoutLine,
    SessionLine,
)
from giftserver.sandbox.mischief import Mischief
from giftserver.sandbox.objects import (
    AnyEvent,
    AnyKept,
    Event,
    Kept,
    KeptPayout,
    Kind,
    PayoutEvent,
    PayoutKind,
    Refused,
    new_id,
)

SESSIONS_MAX: Final = 100_000


class Book:
    """What the sandbox knows. `on_event` is called with each new event, once it is written."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.clock: Final = clock
        self.on_event: Callable[[AnyEvent], None] = lambda event: None
        self.mischief = Mischief()
        self.creations_to_fail = 0
        self.payouts_to_leave_unanswered = 0
        self._journal: Final = journal
        self._sessions: Final[dict[str, Kept]] = {}
        self._of_payment: Final[dict[str, list[str]]] = {}
        self._payouts: Final[dict[str, KeptPayout]] = {}
        self._events: Final[dict[str, AnyEvent]] = {}
        self._events_of: Final[dict[str, list[str]]] = {}
        self._undelivered: Final[dict[str, AnyEvent]] = {}
        self._disputed: Final[dict[str, str]] = {}
        self._keys: Final[dict[str, KeyLine]] = {}

    def open(self) -> None:
        """Read the journal. Raises OSError and JournalDamaged."""
        for line in self._journal.open():
            self._take(line)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    @property
    def full(self) -> bool:
        """Whether no more sessions and payouts fit."""
        return len(self._sessions) + len(self._payouts) >= SESSIONS_MAX

    @property
    def sessions(self) -> list[Kept]:
        """Every session, oldest first."""
        return list(self._sessions.values())

    @property
    def payouts(self) -> list[KeptPayout]:
        """Every payout, oldest first."""
        return list(self._payouts.values())

    @property
    def undelivered(self) -> list[AnyEvent]:
        """Events that wait to be delivered, oldest first."""
        return list(self._undelivered.values())

    def session(self, id: str) -> Kept | None:
        """The session of this id."""
        return self._sessions.get(id)

    def of_payment(self, payment: str) -> list[Kept]:
        """Sessions of a merchant's reference, oldest first."""
        return [self._sessions[id] for id in self._of_payment.get(payment, ())]

    def payout(self, id: str) -> KeptPayout | None:
        """The payout of this id."""
        return self._payouts.get(id)

    def kept(self, event: AnyEvent) -> AnyKept:
        """The session or payout that an event is about."""
        return self._sessions[event.about] if isinstance(event, Event) else self._payouts[event.about]

    def disputed(self, dispute: str) -> Kept | None:
        """The session that a dispute is about."""
        return self._sessions.get(self._disputed.get(dispute, ""))

    def event(self, id: str) -> AnyEvent | None:
        """The event of this id."""
        return self._events.get(id)

    def events(self, about: str | None = None) -> Iterator[AnyEvent]:
        """Every event, or those of a session or payout, oldest first."""
        ids = self._events if about is None else self._events_of.get(about, ())
        return (self._events[id] for id in ids)

    def place(self, event: AnyEvent) -> str:
        """Where an event stands: number of its session or payout, and its own in that. The seed of its chances."""
        kept = self.kept(event)
        kind = "payout/" if isinstance(event, PayoutEvent) else ""
        return f"{kind}{kept.number}/{self._events_of[kept.id].index(event.id)}"

    def used(self, key: str, path: str, body: Any) -> str | Refused | None:
        """Id of what this key made, None for a new key, a refusal when it was used for another request."""
        line = self._keys.get(key)
        if line is None:
            return None
        if line.request != _fingerprint(path, body):
            return Refused(409, "key_reused", "This idempotency key was used for another request.")
        return line.made

    def keep(self, kept: AnyKept, *keys: KeyLine) -> None:
        """Remember a session or payout whose change is nobody's business, with the key that made it."""
        self._write(SessionLine(kept) if isinstance(kept, Kept) else PayoutLine(kept), *keys)

    def change(self, kept: Kept, kind: Kind, *keys: KeyLine, **changes: Any) -> Kept:
        """Change fields of a session, make the event that tells it, and return the session.

        `keys`: the idempotency key that asked for the change, kept together with it.
        """
        now_ms = self.clock()
        session = msgspec.structs.replace(kept.session, updated_ms=now_ms, **changes)
        changed = kept.but(session=session)
        event = Event(new_id("ev_"), kind, now_ms, session.live, session)
        self._write(SessionLine(changed), EventLine(event), *keys)
        self.on_event(event)
        return changed

    def change_payout(self, kept: KeptPayout, kind: PayoutKind, *keys: KeyLine, **changes: Any) -> KeptPayout:
        """The same for a payout, which may be new."""
        now_ms = self.clock()
        payout = msgspec.structs.replace(kept.payout, updated_ms=now_ms, **changes)
        changed = kept.but(payout=payout)
        event = PayoutEvent(new_id("ev_"), kind, now_ms, payout.live, payout)
        self._write(PayoutLine(changed), PayoutEventLine(event), *keys)
        self.on_event(event)
        return changed

    def delivered(self, event: AnyEvent) -> None:
        """Do not send an event by itself any more."""
        self._write(DeliveredLine(event.id))

    def plan(self, mischief: Mischief) -> None:
        """Mischief for sessions and payouts to come."""
        self._write(MischiefLine(mischief))

    def _write(self, *lines: Line) -> None:
        self._journal.append(*lines)
        for line in lines:
            self._take(line)

    def _take(self, line: Line) -> None:
        match line:
            case SessionLine(kept):
                if kept.id not in self._sessions:
                    self._of_payment.setdefault(kept.session.payment, []).append(kept.id)
                self._sessions[kept.id] = kept
                self._disputed.update((dispute.id, kept.id) for dispute in kept.session.disputes)
            case PayoutLine(payout):
                self._payouts[payout.id] = payout
            case EventLine(event) | PayoutEventLine(event):
                self._events[event.id] = self._undelivered[event.id] = event
                self._events_of.setdefault(event.about, []).append(event.id)
            case DeliveredLine(event=id):
                self._undelivered.pop(id, None)
            case KeyLine(key):
                self._keys[key] = line
            case MischiefLine(mischief):
                self.mischief, self.creations_to_fail = mischief, mischief.create_fails
                self.payouts_to_leave_unanswered = mischief.payouts_unanswered


def key_line(key: str, path: str, body: Any, made: str) -> KeyLine:
    """What a key was used for: this request, which made the object of id `made`."""
    return KeyLine(key, _fingerprint(path, body), made)


def _fingerprint(path: str, body: Any) -> str:
    return hashlib.sha256(path.encode() + b"\n" + msgspec.json.encode(body)).hexdigest()
