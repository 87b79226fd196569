"""Text that shows."""

import sys
import unicodedata
from typing import Any

import msgspec
import pytest

from giftserver.gifts.messages import Note
from giftserver.printed import is_printed
from giftserver.web.adjustments import Words
from giftserver.web.ops_payments import RefundRequest
from giftserver.web.rooms import Title

SEEN_MARKS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
"""Unicode calls these formats, and they are drawn."""

UNSEEN = ("\u200b", "\u2060", "\ufeff", "\u00ad", "\u115f", "\u1160", "\u3164", "\u2800", "\ufe0f", "\u200d", "\u034f")
SEEN = ("ok", "👩\u200d🚀", "❤\ufe0f", "می\u200cخواهم", "क्\u200dष", "🏴\U000e0067\U000e007f", "soft\u00adhyphen", "·")


def test_what_unicode_does_not_draw_is_nothing_to_read() -> None:
    """Blanks, formats and controls of all planes, alone or together."""
    for code in range(sys.maxunicode + 1):
        kind = unicodedata.category(chr(code))
        if kind in ("Zs", "Zl", "Zp", "Cf", "Cc") and code not in SEEN_MARKS:
            assert not is_printed(chr(code) * 2), hex(code)
    assert not is_printed("".join(UNSEEN))
    assert not is_printed("")


@pytest.mark.parametrize("text", SEEN)
def test_what_belongs_between_others_may_be_there(text: str) -> None:
    """Emoji of several, joined letters, a hyphen that may be."""
    assert is_printed(text)
    assert msgspec.convert(text, Note) == text


@pytest.mark.parametrize("kind", [Words, Title, Note, RefundRequest.__annotations__["reason"]])
@pytest.mark.parametrize("text", [*UNSEEN, " \u200b\u3164 ", "\n", "\u202e"])
def test_a_text_of_nothing_is_refused(kind: Any, text: str) -> None:
    """Reasons, titles and notes alike; only a note may be left out."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, kind)
    if kind is Note:
        assert msgspec.convert("", kind) == ""
