"""Names of every key in the ledger's Redis; nothing else lives there.

All keys of a shard carry its tag `{sNN}`, so one script touches one Cluster slot.
"""

from typing import Final
from zlib import crc32

SHARDS: Final = 16
"""Number of shards, fixed for the life of a ledger."""

SCHEMA: Final = 4
"""Version of this key layout and of what the scripts make of it, kept in every shard's meta."""


def hash_of(user: str) -> int:
    """Number that a user's shard comes from."""
    return crc32(user.encode())


def shard_of(user: str) -> int:
    """Shard that holds the user's coins, 0 … SHARDS - 1."""
    return hash_of(user) % SHARDS


def meta(shard: int) -> str:
    """Hash: epoch, state, seq, flushed, announced, lease_ms, run, schema."""
    return f"{{s{shard:02d}}}:meta"


def events(shard: int) -> str:
    """Stream of gifts, ids `<epoch>-<seq>`."""
    return f"{{s{shard:02d}}}:events"


def wallet(shard: int, user: str) -> str:
    """Hash: coins, state, state_no, credit_no, last_seq, limits, limits_no, zone, spent."""
    return f"{{s{shard:02d}}}:wallet:{user}"


def earned(shard: int, day: str) -> str:
    """Hash creator → diamonds: this shard's slice of one UTC day, `day` as yyyymmdd."""
    return f"{{s{shard:02d}}}:earned:{day}"


def receipts(shard: int) -> str:
    """What the names of a shard's receipts begin with."""
    return f"{{s{shard:02d}}}:key:"


def receipt(shard: int, user: str, key: str) -> str:
    """String: request hash and receipt of one idempotency key, kept 15 minutes."""
    return f"{receipts(shard)}{user}:{key}"
