"""Reading a shard's event stream, and judging every event before PostgreSQL sees it.

An event that is missing, unreadable or breaks a rule halts its shard: nothing after it is flushed, nothing is
skipped, a person decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from giftserver.durable.tables import gift_id
from giftserver.ledger import keys
from giftserver.ledger.events import COINS_MAX, GiftEvent, decode_event, parse_stream_id, transfer_id

EPOCH_MAX: Final = 2**15 - 1
SEQ_MAX: Final = 2**40 - 1
NUMBER_MAX: Final = 2**31 - 1
TEXT_MAX: Final = 1000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
AT_MS_MAX: Final = 253_402_300_799_999
"""Last millisecond of the year 9999, the end of datetime."""


class Cursor(NamedTuple):
    """Number of a gift: its seq goes on across epochs; (0, 0) is before the first."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"


class FlushHalted(Exception):
    """A shard cannot be flushed until a person has looked: `rule` is what is broken, `event` the stream id."""

    def __init__(self, shard: int, rule: str, event: str, detail: str) -> None:
        super().__init__(f"shard {shard:02d} halted at {event}: {rule}: {detail}")
        self.shard = shard
        self.rule = rule
        self.event = event
        self.detail = detail


class FlushedGift(msgspec.Struct, frozen=True, gc=False):
    """A gift of a shard's stream; `at_ms` is when Redis decided it."""

    shard: int
    epoch: int
    seq: int
    at_ms: int
    event: GiftEvent

    @property
    def transfer(self) -> str:
        """Public name of the transfer, such as `07-1-123`."""
        return transfer_id(self.shard, self.epoch, self.seq)

    @property
    def transfer_number(self) -> int:
        """Id of the transfer in PostgreSQL."""
        return gift_id(self.shard, self.epoch, self.seq)

    @property
    def event_at(self) -> datetime:
        """`at_ms` as a time in UTC, exactly."""
        return EPOCH + timedelta(milliseconds=self.at_ms)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a shard's stream holds after a cursor: the next gifts, and the shard's marks."""

    after: Cursor
    gifts: list[FlushedGift]
    seq: int
    flushed: int


async def read_waiting(redis: Redis, shard: int, cursor: Cursor, limit: int) -> Waiting | None:
    """The next gifts after the cursor, at most `limit`, each judged; None when this Redis has no such shard.

    The cursor must have been read before: then Redis cannot rightly be behind it. Raises FlushHalted.
    """
    marks = await redis.hmget(keys.meta(shard), ["seq", "flushed"])  # before the stream: it holds at least these
    if marks[0] is None:
        return None
    seq, flushed = int(marks[0]), int(marks[1] or 0)
    if seq < cursor.seq:
        raise FlushHalted(shard, "behind", str(cursor), f"Redis has {seq} gifts, PostgreSQL {cursor.seq}")
    if seq == cursor.seq:
        return Waiting(cursor, [], seq, flushed)
    entries = await redis.xrange(keys.events(shard), min=f"({cursor}", max="+", count=limit)
    if not entries:
        raise FlushHalted(shard, "gap", str(cursor), f"Redis counts {seq} gifts, none is in the stream after this")
    return Waiting(cursor, judge(shard, cursor, entries), seq, flushed)


def judge(shard: int, cursor: Cursor, entries: Sequence[tuple[Any, Any]]) -> list[FlushedGift]:
    """The entries as gifts when each is readable, lawful and directly after the one before. Raises FlushHalted."""
    gifts = []
    last = cursor
    for stream_id, fields in entries:
        position = Cursor(*parse_stream_id(stream_id))
        if position.seq != last.seq + 1 or not max(last.epoch, 1) <= position.epoch <= EPOCH_MAX:
            raise FlushHalted(shard, "gap", str(position), f"the event before it is {last}")
        gifts.append(_read(shard, position, fields))
        last = position
    return gifts


def _read(shard: int, position: Cursor, fields: dict[bytes, bytes]) -> FlushedGift:
    try:
        if len(fields) != 2:
            raise ValueError(f"its fields are {sorted(fields)}")
        event = decode_event(fields[b"e"])
        at_ms = int(fields[b"t"].decode())
    except (msgspec.DecodeError, ValueError, KeyError) as problem:
        raise FlushHalted(shard, "undecodable", str(position), repr(problem)) from problem
    broken = broken_rule(shard, event)
    if broken is None and not (0 < at_ms <= AT_MS_MAX and position.seq <= SEQ_MAX):
        broken = "its time or number is out of range"
    if broken is not None:
        raise FlushHalted(shard, "unlawful", str(position), broken)
    return FlushedGift(shard, position.epoch, position.seq, at_ms, event)


def broken_rule(shard: int, event: GiftEvent) -> str | None:
    """What is wrong with the event, None when it may be posted. Zero diamonds are lawful: a rate rounds down."""
    if not 1 <= event.coins <= COINS_MAX:
        return f"coins {event.coins} are not 1 … 10^12"
    if not 0 <= event.diamonds <= COINS_MAX:
        return f"diamonds {event.diamonds} are not 0 … 10^12"
    if not 1 <= event.quantity <= NUMBER_MAX:
        return f"quantity {event.quantity} is out of range"
    if not (0 <= event.catalog_version <= NUMBER_MAX and 0 <= event.rate_version <= NUMBER_MAX):
        return "its catalogue or rate version is out of range"
    names = (event.key, event.request_hash, event.sender, event.creator, event.room, event.gift)
    if not all(names):
        return "a name is empty"
    texts = "".join(names) + event.note
    if "\0" in texts:
        return "a text has a NUL"
    if len(texts) > TEXT_MAX and max(map(len, (*names, event.note))) > TEXT_MAX:
        return f"a text has more than {TEXT_MAX} characters"
    if event.sender == event.creator:
        return "sender and creator are the same"
    owner = keys.shard_of(event.sender)
    if owner != shard:
        return f"the sender's shard is {owner:02d}"
    return None
