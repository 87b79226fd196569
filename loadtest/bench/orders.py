"""People and gifts of the benchmark, made before the clock runs."""

import itertools
import secrets
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from giftserver.ledger import keys
from giftserver.ledger.events import GiftEvent, encode_event
from giftserver.ledger.outcomes import GiftOrder

RICH_COINS: Final = 10**9
COINS: Final = 3
DIAMONDS: Final = 1
REQUEST_HASH: Final = "0123456789abcdef"


def names(prefix: str) -> Iterator[str]:
    """`prefix-000001` and so on without end."""
    return map(partial("{}-{:06d}".format, prefix), itertools.count(1))


def people(count: int, shards: Sequence[int], prefix: str = "viewer") -> list[str]:
    """`count` users, taking turns over the shards."""
    wanted: dict[int, list[str]] = {shard: [] for shard in shards}
    each = -(-count // len(shards))
    missing = each * len(shards)
    for user in names(prefix):
        found = wanted.get(keys.shard_of(user))
        if found is not None and len(found) < each:
            found.append(user)
            missing -= 1
            if not missing:
                break
    turns = [user for turn in zip(*wanted.values(), strict=True) for user in turn]
    return turns[:count]


def creators(count: int) -> list[str]:
    """`count` creators."""
    return list(itertools.islice(names("creator"), count))


def new_key(at_ms: int) -> str:
    """An idempotency key as clients make them: a UUIDv7."""
    number = at_ms << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


def order(sender: str, creator: str, at_ms: int) -> GiftOrder:
    """A small gift as the service would submit it."""
    key = new_key(at_ms)
    event = GiftEvent(
        key=key,
        request_hash=REQUEST_HASH,
        sender=sender,
        sender_name=sender.title(),
        creator=creator,
        room="harbour",
        gift="dewdrop",
        quantity=1,
        coins=COINS,
        diamonds=DIAMONDS,
        catalog_version=1,
        rate_version=1,
        note="",
    )
    return GiftOrder(key, at_ms, REQUEST_HASH, sender, creator, COINS, DIAMONDS, encode_event(event))


def orders(senders: Sequence[str], to: Sequence[str], count: int) -> list[list[GiftOrder]]:
    """About `count` gifts, an equal number of two or more for each sender, to the creators in turn."""
    at_ms = int(time.time() * 1000)
    turn = itertools.cycle(to)
    each = max(2, count // len(senders))
    return [[order(sender, next(turn), at_ms) for _ in range(each)] for sender in senders]
