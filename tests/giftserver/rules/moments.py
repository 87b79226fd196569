"""Keys of gifts that were made at a moment."""

import secrets
import uuid
from datetime import datetime


def key_of(at: datetime) -> str:
    """A UUIDv7 of a moment."""
    number = int(at.timestamp() * 1_000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))
