"""The slot of a command: that of its first key, since all keys of one call are of one slot."""

from collections.abc import Sequence
from typing import Any, Final

from redis.crc import key_slot

SCRIPTS: Final = ("EVALSHA", "EVAL", "EVALSHA_RO", "EVAL_RO")
KEY_SECOND: Final = ("XINFO ", "OBJECT ", "MEMORY USAGE")
NO_KEY: Final = ("INFO", "SCAN", "TIME", "DBSIZE", "WAIT", "WAITAOF", "KEYS", "RANDOMKEY", "COMMAND", "HELLO", "SELECT")


def slot_of(args: Sequence[Any]) -> int:
    """Slot of a command as redis-py hands it over. Raises ValueError for one without a key: it means a server."""
    name = args[0]
    key = None
    if name in SCRIPTS:
        key = args[3] if int(args[2]) > 0 else None
    elif len(args) > 1 and (name.startswith(KEY_SECOND) or (name not in NO_KEY and " " not in name)):
        key = args[1]
    if key is None:
        raise ValueError(f"{name} names no key: on a cluster ask one server, see server_of")
    return key_slot(key if isinstance(key, bytes) else str(key).encode())
