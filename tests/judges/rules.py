"""What a command is, written from docs/protocol.md alone: a second opinion on the server's decoders."""

import json
import re
from typing import Any

import msgpack

ID_LIMIT = 2**53
COINS_MAX = 10**12
QUANTITY_MAX = 9_999
OFFSETS_MAX = 1_000
NOTE_MAX = 80
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
GIFT_FIELDS = {"type", "id", "key", "gift", "quantity"}
GIFT_EXTRAS = {"price_coins", "to", "note"}


class Unreadable(Exception):
    """Bytes that are no message."""


def read(data: bytes, binary: bool) -> Any:
    """The message in these bytes, by decoders that are not the server's; raises Unreadable."""
    try:
        return msgpack.unpackb(data) if binary else json.loads(data.decode())
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as problem:
        raise Unreadable(str(problem)) from None


def is_command(message: Any) -> bool:
    """Whether the protocol knows this message as a command."""
    return is_gift(message) or is_rendered(message)


def is_gift(message: Any) -> bool:
    """Whether this asks for a gift, as far as can be said without a catalogue."""
    if not isinstance(message, dict) or message.get("type") != "send_gift":
        return False
    fields = set(message)
    if not fields >= GIFT_FIELDS or not fields <= GIFT_FIELDS | GIFT_EXTRAS:
        return False
    price, to, note = message.get("price_coins"), message.get("to"), message.get("note", "")
    return (
        _is_number(message["id"], ID_LIMIT - 1)
        and _matches(message["key"], KEY)
        and _matches(message["gift"], NAME)
        and _is_number(message["quantity"], QUANTITY_MAX)
        and (price is None or _is_number(price, COINS_MAX))
        and (to is None or _matches(to, NAME))
        and isinstance(note, str)
        and len(note) <= NOTE_MAX
        and HIDDEN.search(note) is None
    )


def is_rendered(message: Any) -> bool:
    """Whether an overlay tells what it has shown."""
    if not isinstance(message, dict) or message.get("type") != "rendered":
        return False
    if "offsets" not in message or not set(message) <= {"type", "id", "offsets"}:
        return False
    offsets, number = message["offsets"], message.get("id")
    return (
        isinstance(offsets, list)
        and len(offsets) <= OFFSETS_MAX
        and all(_is_number(offset, ID_LIMIT - 1) for offset in offsets)
        and (number is None or _is_number(number, ID_LIMIT - 1))
    )


def _is_number(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _matches(value: Any, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None
