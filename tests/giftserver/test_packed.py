"""Commands are packed as redis-py packs them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection
from redis.exceptions import DataError

from giftserver.packed import PackedConnection

ARGUMENTS = st.lists(st.text(max_size=20) | st.binary(max_size=20) | st.integers() | st.floats(allow_nan=False))


@given(name=st.sampled_from(["GET", "CONFIG GET", "SCRIPT LOAD", "EVALSHA"]), arguments=ARGUMENTS)
def test_the_bytes_are_the_same(name: str, arguments: list[str | bytes | int | float]) -> None:
    """Whatever the arguments are."""
    theirs = b"".join(Connection().pack_command(name, *arguments))
    assert b"".join(PackedConnection().pack_command(name, *arguments)) == theirs


@pytest.mark.parametrize("odd", [None, True, ["a"], {"a": 1}])
def test_an_odd_argument_is_an_error(odd: object) -> None:
    """As in redis-py, nothing is guessed."""
    with pytest.raises(DataError):
        PackedConnection().pack_command("SET", "key", odd)
