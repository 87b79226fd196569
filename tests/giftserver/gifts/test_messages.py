"""What is wrong with a message, in words."""

from typing import Annotated, Any

import msgspec
import pytest

from giftserver.gifts.messages import CURRENCY, FORMS, Identifier, Key, Note, in_words
from giftserver.web.rooms import Title

Currency = Annotated[str, msgspec.Meta(pattern=CURRENCY)]


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Key, "01A21439", "that is a UUIDv7 in lower case"),
        (Identifier, "a b", "of A-Z a-z 0-9 _ . : -"),
        (Note, "a\nb", "without control characters, with something to read or nothing at all"),
        (Currency, "usd", "of three letters, such as USD"),
        (Title, "  ", "with something to read and without control characters"),
    ],
)
def test_a_form_is_told_in_words(kind: Any, value: str, words: str) -> None:
    """No pattern reaches people."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"field": value}, dict[str, kind])
    assert in_words(caught.value) == f"Expected `str` {words} - at `$[...]`"
    assert words in FORMS.values()
