"""The decoders of commands against hostile bytes, and against a second opinion on what a command is."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftserver.gifts.messages import Commands, Rendered, SendGift, in_words
from rooms.codec import CODECS, JSON, MSGPACK, Codec
from tests.judges.conftest import Fuzz, Say
from tests.judges.hostile import mutants, packed, payloads
from tests.judges.rules import Unreadable, is_command, read

SHORT, LONG = 100, 3_000


def decoded(codec: Codec, data: bytes) -> SendGift | Rendered | None:
    """The command in these bytes; None for a refusal, which must be one that can be put in words."""
    try:
        command = codec.decode(data, Commands)
    except msgspec.DecodeError as problem:
        words = in_words(problem)
    else:
        assert isinstance(command, SendGift | Rendered)
        return command
    assert 0 < len(words) <= 200
    return None


def test_both_codecs_take_what_the_protocol_calls_a_command(fuzz: Fuzz, say: Say) -> None:
    """And nothing else; what they read is the same."""

    @given(message=mutants())
    def judge(message: Any) -> None:
        found = [decoded(codec, packed(message, codec.binary)) for codec in CODECS]
        assert [one is not None for one in found] == [is_command(message)] * len(CODECS), message
        assert found[0] == found[1]

    examples = fuzz(judge, SHORT, LONG)
    say(f"fuzz: {examples} messages, both codecs and the second opinion agree")


@pytest.mark.parametrize("codec", CODECS, ids=["msgpack", "json"])
def test_whatever_bytes_come(codec: Codec, fuzz: Fuzz, say: Say) -> None:
    """A command that an independent decoder reads too, or a refusal; never anything else."""

    @given(data=payloads(codec.binary) | st.binary(max_size=300))
    def judge(data: bytes) -> None:
        command = decoded(codec, data)
        if command is None:
            return
        message = read(data, codec.binary)
        assert is_command(message), message
        del message["type"]
        assert {name: getattr(command, name) for name in message} == message

    examples = fuzz(judge, SHORT, LONG)
    say(f"fuzz: {examples} times hostile bytes, decoded as {codec.name}")


def test_the_second_opinion_can_tell() -> None:
    """It knows commands from what is nearly one."""
    gift = {"type": "send_gift", "id": 1, "key": "01890a5d-ac96-774b-bcce-b302099a8057", "gift": "rose", "quantity": 1}
    assert is_command(gift)
    assert is_command({"type": "rendered", "offsets": [1]})
    for wrong in ({"quantity": 0}, {"quantity": True}, {"key": "x"}, {"more": 1}, {"note": "\u202e"}, {"to": ""}):
        assert not is_command(gift | wrong), wrong
    with pytest.raises(Unreadable):
        read(b"\xc1", MSGPACK.binary)
    with pytest.raises(Unreadable):
        read(b"{", JSON.binary)
