"""Text that people write for people to read: what it may hold, as patterns for msgspec and as a question."""

import re
from typing import Final

UNPRINTABLE: Final = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, line separators and what turns the writing direction around, for a character class."""

UNSEEN: Final = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u2800\u3164\ufe00-\ufe0f"
    "\\ufeff\\uffa0\\ufff0-\\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What leaves nothing to see where it stands alone: blanks, joiners, fillers, marks of direction, variation selectors.

Between others they belong there: in emoji of several, in Persian, in Indian scripts.
"""

# Patterns end in $(?!\n): `$` alone would let a last line feed through.
PRINTED: Final = rf"^(?=.*[^{UNSEEN}])[^{UNPRINTABLE}]+$(?!\n)"
"""Text that shows: something to read, and nothing that hides it or turns it around."""

PRINTABLE: Final = rf"^(?:(?=.*[^{UNSEEN}])[^{UNPRINTABLE}]+)?$(?!\n)"
"""The same, or nothing at all."""

_printed: Final = re.compile(PRINTED)


def is_printed(text: str) -> bool:
    """Whether a text shows: see PRINTED."""
    return _printed.search(text) is not None
