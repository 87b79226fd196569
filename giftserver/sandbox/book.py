"""The book: every session and event in memory, each change in the journal, and who is told about it."""

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
    SessionLine,
)
from giftserver.sandbox.mischief import Mischief
from giftserver.sandbox.objects import Event, Kept, Kind, Refused, new_id

SESSIONS_MAX: Final = 100_000


class Book:
    """What the sandbox knows. `on_event` is called with each new event, once it is written."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.clock: Final = clock
        self.on_event: Callable[[Event], None] = lambda event: None
        self.mischief = Mischief()
        self.creations_to_fail = 0
        self._journal: Final = journal
        self._sessions: Final[dict[str, Kept]] = {}
        self._of_payment: Final[dict[str, list[str]]] = {}
        self._events: Final[dict[str, Event]] = {}
        self._events_of: Final[dict[str, list[str]]] = {}
        self._undelivered: Final[dict[str, Event]] = {}
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
        """Whether no more sessions fit."""
        return len(self._sessions) >= SESSIONS_MAX

    @property
    def sessions(self) -> list[Kept]:
        """Every session, oldest first."""
        return list(self._sessions.values())

    @property
    def undelivered(self) -> list[Event]:
        """Events that wait to be delivered, oldest first."""
        return list(self._undelivered.values())

    def session(self, id: str) -> Kept | None:
        """The session of this id."""
        return self._sessions.get(id)

    def of_payment(self, payment: str) -> list[Kept]:
        """Sessions of a merchant's reference, oldest first."""
        return [self._sessions[id] for id in self._of_payment.get(payment, ())]

    def disputed(self, dispute: str) -> Kept | None:
        """The session that a dispute is about."""
        return self._sessions.get(self._disputed.get(dispute, ""))

    def event(self, id: str) -> Event | None:
        """The event of this id."""
        return self._events.get(id)

    def events(self, session: str | None = None) -> Iterator[Event]:
        """Every event, or those of a session, oldest first."""
        ids = self._events if session is None else self._events_of.get(session, ())
        return (self._events[id] for id in ids)

    def place(self, event: Event) -> str:
        """Where an event stands: number of its session, and its own within that. The seed of its chances."""
        kept = self._sessions[event.session.id]
        return f"{kept.number}/{self._events_of[kept.id].index(event.id)}"

    def used(self, key: str, path: str, body: Any) -> str | Refused | None:
        """Id of what this key made, None for a new key, a refusal when it was used for another request."""
        line = self._keys.get(key)
        if line is None:
            return None
        if line.request != _fingerprint(path, body):
            return Refused(409, "key_reused", "This idempotency key was used for another request.")
        return line.made

    def keep(self, kept: Kept, *keys: KeyLine) -> None:
        """Remember a session whose change is nobody's business, with the key that made it."""
        self._write(SessionLine(kept), *keys)

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

    def delivered(self, event: Event) -> None:
        """Do not send an event by itself any more."""
        self._write(DeliveredLine(event.id))

    def plan(self, mischief: Mischief) -> None:
        """Mischief for sessions to come."""
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
            case EventLine(event):
                self._events[event.id] = self._undelivered[event.id] = event
                self._events_of.setdefault(event.session.id, []).append(event.id)
            case DeliveredLine(event=id):
                self._undelivered.pop(id, None)
            case KeyLine(key):
                self._keys[key] = line
            case MischiefLine(mischief):
                self.mischief, self.creations_to_fail = mischief, mischief.create_fails


def key_line(key: str, path: str, body: Any, made: str) -> KeyLine:
    """What a key was used for: this request, which made the object of id `made`."""
    return KeyLine(key, _fingerprint(path, body), made)


def _fingerprint(path: str, body: Any) -> str:
    return hashlib.sha256(path.encode() + b"\n" + msgspec.json.encode(body)).hexdigest()
