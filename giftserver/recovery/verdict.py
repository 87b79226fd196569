"""Judging a shard: what Redis has against what PostgreSQL has. No input, no output, every case in one place."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from giftserver.durable.epochs import ShardBook
from giftserver.ledger import keys
from giftserver.recovery.view import ShardView

REPLAYING: Final = "replaying"
"""State of a shard whose events fill a PostgreSQL that was restored from a backup."""


class Action(StrEnum):
    """What is to be done with a shard."""

    KEEP = "keep"
    """It is open and right."""
    REOPEN = "reopen"
    """Redis has everything PostgreSQL has: go on from there in a new epoch."""
    REBUILD = "rebuild"
    """Redis lost what PostgreSQL has: fill it again, in a new epoch."""
    REPLAY = "replay"
    """Only PostgreSQL can be trusted, and it lacks what Redis has: wait until the flusher brought it, then rebuild."""
    STOP = "stop"
    """The two contradict each other: a person decides, with `giftserver recover`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and the sentence that says why."""

    action: Action
    reason: str


def judge(view: ShardView, book: ShardBook, flushed: int) -> Verdict:
    """What to do with a shard. Read in this order: the `flushed` mark, the book, the view; each can only be ahead."""
    if view.meta is None:
        return _judge_unknown(view, book)
    schema = view.meta.get("schema")
    if schema != str(keys.SCHEMA):
        older = schema is not None and schema.isdigit() and int(schema) < keys.SCHEMA
        if older and view.seq == book.cursor.seq:
            return Verdict(Action.REBUILD, f"its keys are of version {schema}, and PostgreSQL has all of its gifts")
        return Verdict(Action.STOP, f"its keys are of version {schema}, this process knows version {keys.SCHEMA}")
    if view.seq < book.cursor.seq:
        lost = f"{view.seq + 1} … {book.cursor.seq}"
        return Verdict(Action.REBUILD, f"Redis is behind: it lost gifts {lost}, which PostgreSQL has")
    if view.name is not None and book.name is not None and view.name != book.name:
        return Verdict(Action.STOP, f"gift {book.cursor} is another one in Redis than in PostgreSQL")
    if not view.whole:
        return Verdict(Action.STOP, f"gifts between {book.cursor} and {view.seq} are missing in the stream")
    if view.meta.get("state") == REPLAYING:
        return _judge_replaying(view, book)
    if flushed > book.cursor.seq:
        return Verdict(Action.REPLAY, f"PostgreSQL is behind: it was at {flushed} and is at {book.cursor}")
    if view.clock_went_back:
        return Verdict(Action.REPLAY, "Redis's clock went back: receipts may have expired that keys still stand for")
    if view.epoch < book.epoch_max:
        return Verdict(Action.REOPEN, f"epoch {book.epoch_max} was recorded and not opened")
    if view.meta.get("run") != view.run:
        return Verdict(Action.REOPEN, "Redis restarted, with everything PostgreSQL has")
    if view.meta.get("state") != "open":
        return Verdict(Action.REOPEN, f"it was left {view.meta.get('state')}")
    return Verdict(Action.KEEP, "open")


def _judge_unknown(view: ShardView, book: ShardBook) -> Verdict:
    if view.has_events:
        return Verdict(Action.STOP, "Redis has events of a shard that it does not know")
    if book.epoch_max == 0 and book.cursor.seq == 0:
        return Verdict(Action.REBUILD, "new")
    return Verdict(Action.REBUILD, f"Redis is empty: PostgreSQL has gifts up to {book.cursor}")


def _judge_replaying(view: ShardView, book: ShardBook) -> Verdict:
    if book.cursor.seq < view.seq:
        return Verdict(Action.REPLAY, f"PostgreSQL is being filled: at {book.cursor} of {view.seq}")
    return Verdict(Action.REBUILD, "PostgreSQL has everything that the stream has")
