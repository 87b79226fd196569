"""What Redis holds of a shard, as far as it must be compared with PostgreSQL."""

from dataclasses import dataclass
from typing import Any, Final

from giftserver.cluster.client import server_of
from giftserver.durable.epochs import ShardBook
from giftserver.durable.intake import Cursor
from giftserver.ledger import keys
from giftserver.ledger.events import decode_event, parse_stream_id
from giftserver.ledger.guarded import run_of

PAGE: Final = 5_000
LEASE_AHEAD_MAX_MS: Final = 65_000
"""No lease ends later than this from now; the scripts have the same number."""


@dataclass(frozen=True, slots=True)
class ShardView:
    """A shard in Redis. `meta`: None when Redis does not know the shard; `run`: the server's, not the approved one."""

    run: str
    meta: dict[str, str] | None
    has_events: bool
    whole: bool
    """The stream has every gift after PostgreSQL's cursor, up to the last."""
    now_ms: int
    """The server's clock."""
    name: tuple[str, str] | None
    """Sender and key of the gift at PostgreSQL's cursor, None when it is not in the stream (any more)."""

    @property
    def seq(self) -> int:
        """Number of the last gift."""
        return int((self.meta or {}).get("seq", 0))

    @property
    def clock_went_back(self) -> bool:
        """Whether its lease ends later than any can, so that the server's clock was ahead when it was given."""
        return int((self.meta or {}).get("lease_ms", 0)) > self.now_ms + LEASE_AHEAD_MAX_MS

    @property
    def epoch(self) -> int:
        """Epoch the shard is in."""
        return int((self.meta or {}).get("epoch", 0))


async def read_view(redis: Any, shard: int, book: ShardBook) -> ShardView:
    """Look at a shard, later than PostgreSQL was looked at; exact when it takes no gifts. Raises redis-py's errors."""
    server: Any = await server_of(redis, keys.meta(shard))
    seconds, microseconds = await server.time()  # before the lease, which may be lengthened meanwhile
    stored = await server.hgetall(keys.meta(shard))
    meta = {field.decode(): value.decode() for field, value in stored.items()} or None
    events = keys.events(shard)
    at = await server.xrange(events, str(book.cursor), str(book.cursor))
    seq = int((meta or {}).get("seq", 0))
    first = await server.xrange(events, count=1)
    return ShardView(
        run=await run_of(server),
        now_ms=seconds * 1_000 + microseconds // 1_000,
        meta=meta,
        has_events=bool(first),
        whole=await _whole(server, events, book.cursor, seq),
        name=_name(at[0][1]) if at else None,
    )


def _name(fields: dict[bytes, bytes]) -> tuple[str, str] | None:
    try:
        event = decode_event(fields[b"e"])
    except (ValueError, KeyError):
        return ("", "")  # nobody's: it differs from every gift
    return event.sender, event.key


async def _whole(server: Any, events: str, cursor: Cursor, seq: int) -> bool:
    """Whether the stream has the gifts cursor + 1 … seq after the cursor, and no other before newer ones."""
    last = cursor
    while page := await server.xrange(events, min=f"({last}", count=PAGE):
        for stream_id, _ in page:
            position = Cursor(*parse_stream_id(stream_id))
            if position.seq != last.seq + 1:
                return False
            last = position
    return last.seq >= max(seq, cursor.seq)
