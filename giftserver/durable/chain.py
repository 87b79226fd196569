"""The hash chain over each shard's gifts: whoever changes a gift that was posted must change every gift after it.

A gift's hash is SHA-256 of the hash of the shard's gift before it (nothing for the first) followed by the gift's
canonical bytes. docs/ledger.md says the same for readers who check it with other tools.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from giftserver.durable.intake import EPOCH, FlushedGift

FORM: Final = "giftserver gift 1"
"""First field of the canonical bytes; another form of them would have another number."""

START: Final = b""
"""What stands for the hash before a shard's first."""

COLUMNS: Final = (
    "shard", "epoch", "seq", "sender", "key", "request_hash", "room", "creator", "gift", "quantity", "coins",
    "diamonds", "catalog_version", "rate_version", "note",
)  # fmt: skip
"""Columns of a transfer that its hash covers, in order; the time of the event in ms follows them."""


CANONICAL: Final = "\0".join([FORM, *["%s"] * (len(COLUMNS) + 1)])


def canonical(fields: Iterable[str | int]) -> bytes:
    """FORM and the fields, each as text, in UTF-8 with a zero byte between them.

    No field holds a zero byte: the flusher refuses it and PostgreSQL cannot store it. So no two gifts look the same.
    """
    return (CANONICAL % tuple(fields)).encode()


def next_hash(previous: bytes, fields: Iterable[str | int]) -> bytes:
    """Hash of a gift after the hash of the one before it, 32 bytes."""
    return hashlib.sha256(previous + canonical(fields)).digest()


def fields_of(gift: FlushedGift) -> tuple[str | int, ...]:
    """What the hash of a gift of the stream covers: COLUMNS and its time in ms."""
    event = gift.event
    return (
        gift.shard, gift.epoch, gift.seq, event.sender, event.key, event.request_hash, event.room, event.creator,
        event.gift, event.quantity, event.coins, event.diamonds, event.catalog_version, event.rate_version,
        event.note, gift.at_ms,
    )  # fmt: skip


def hashes(previous: bytes, gifts: Sequence[FlushedGift]) -> list[bytes]:
    """The hash of each of these gifts of one shard, the first following `previous`."""
    found = []
    for gift in gifts:
        previous = next_hash(previous, fields_of(gift))
        found.append(previous)
    return found


def exact_ms(at: datetime) -> str | int:
    """The time in ms since 1970; with its microseconds as text when it is no whole number, which no gift's time is."""
    since = at - EPOCH
    ms, rest = divmod((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, 1_000)
    return f"{ms}.{rest:03}" if rest else ms
