"""Idempotency keys, made by the client."""

import secrets
import time
import uuid


def make_key() -> str:
    """A UUIDv7 of now (RFC 9562), canonical."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(0b11 << 62) | 0b10 << 62))
