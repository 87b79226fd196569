"""Which slot a command is of."""

import pytest
from redis.crc import key_slot

from giftserver.cluster.slots import slot_of


@pytest.mark.parametrize(
    "args",
    [
        ("GET", "{s03}:meta"),
        ("HMGET", b"{s03}:meta", "a"),
        ("EVALSHA", "sha", 2, "{s03}:meta", "{s03}:events", 1),
        ("XINFO STREAM", "{s03}:events"),
        ("SPUBLISH", "{s03}", b"x"),
    ],
)
def test_a_command_is_of_its_first_keys_slot(args: tuple[object, ...]) -> None:
    """Wherever in the command that key stands."""
    assert slot_of(args) == key_slot(b"s03")


@pytest.mark.parametrize(
    "args", [("TIME",), ("INFO", "server"), ("SCAN", 0), ("CONFIG GET", "x"), ("EVAL", "return 1", 0)]
)
def test_a_command_without_a_key_means_a_server(args: tuple[object, ...]) -> None:
    """It is refused, and the way out is named."""
    with pytest.raises(ValueError, match="server_of"):
        slot_of(args)
