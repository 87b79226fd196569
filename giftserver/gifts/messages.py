"""Messages of wire protocol v1 that are about gifts and coins. Amounts are coins or diamonds, times are ms.

Counting rule: the sum of `quantity` over `gift` and `gifts_folded.items` is what the ledger holds; `combo_quantity`
is cumulative, for display: take its maximum, never its sum.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from giftserver.printed import PRINTABLE as PRINTABLE
from giftserver.printed import PRINTED as PRINTED
from rooms.protocol import Command, Push

QUANTITY_MAX = 9_999
NOTE_CHARACTERS_MAX = 80

# Patterns end in $(?!\n): `$` alone would let a last line feed through.
IDENTIFIER = r"^[A-Za-z0-9_.:-]+$(?!\n)"
UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$(?!\n)"
CURRENCY = r"^[A-Z]{3}$(?!\n)"
Identifier = Annotated[str, Meta(min_length=1, max_length=64, pattern=IDENTIFIER)]
Key = Annotated[str, Meta(pattern=UUID7, max_length=36)]
Note = Annotated[str, Meta(max_length=NOTE_CHARACTERS_MAX, pattern=PRINTABLE)]

FORMS = {
    IDENTIFIER: "of A-Z a-z 0-9 _ . : -",
    UUID7: "that is a UUIDv7 in lower case",
    CURRENCY: "of three letters, such as USD",
    PRINTABLE: "without control characters, with something to read or nothing at all",
    PRINTED: "with something to read and without control characters",
}


def in_words(problem: Exception) -> str:
    """What msgspec found wrong, for people: forms in words instead of patterns; at most 200 characters."""
    text = str(problem)
    for pattern, form in FORMS.items():
        text = text.replace(f"matching regex {pattern!r}", form)
    return text[:200]


class Person(msgspec.Struct, frozen=True, gc=False):
    """Somebody as others see them."""

    id: str
    name: str


class You(msgspec.Struct, frozen=True):
    """The member behind this socket; `balance_coins` is null while the balance is being checked."""

    id: str
    name: str
    role: str
    balance_coins: int | None


class SendGift(Command, tag="send_gift", frozen=True, kw_only=True):
    """Send a gift to the room's creator. `key` is a UUIDv7, kept by the client until it has a final reply."""

    id: Annotated[int, Meta(gt=0, lt=2**53)]
    key: Key
    gift: Identifier
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
    price_coins: Annotated[int, Meta(ge=1, le=10**12)] | None = None
    to: Identifier | None = None
    note: Note = ""


class Rendered(Command, tag="rendered", frozen=True, kw_only=True):
    """An overlay tells which offsets it has shown."""

    offsets: Annotated[list[Annotated[int, Meta(ge=1, lt=2**53)]], Meta(max_length=1_000)]
    id: Annotated[int, Meta(gt=0, lt=2**53)] | None = None


Commands = SendGift | Rendered


class Receipt(msgspec.Struct, frozen=True):
    """Result of send_gift; a resend of the key gets the same body. `state`: accepted, then settled or refunded."""

    transfer: str
    key: str
    coins: int
    diamonds: int
    balance_coins: int
    state: str


class Gift(Push, tag="gift", frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """A gift was sent. `quantity` is this event's own; `combo_quantity` is the combo's so far."""

    offset: int
    transfer: str
    sender: Person
    gift: str
    quantity: int
    coins: int
    diamonds: int
    combo: str | None
    combo_quantity: int
    at_ms: int
    note: str = ""


class ComboEnded(Push, tag="combo_ended", frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """A combo is over, told exactly once by the server's timer; totals of the whole combo."""

    offset: int
    combo: str
    sender: Person
    gift: str
    quantity: int
    coins: int


class FoldedGift(msgspec.Struct, frozen=True):
    """Small gifts of one kind, summed."""

    gift: str
    quantity: int
    coins: int
    senders: int


class GiftsFolded(Push, tag="gifts_folded", frozen=True, omit_defaults=False):
    """Under load: many small gifts in one message; `offset` is that of the last one."""

    offset: int
    items: list[FoldedGift]


class Settled(Push, tag="settled", frozen=True, omit_defaults=False):
    """These transfers of yours are in the durable ledger now."""

    transfers: list[str]


class Refunded(Push, tag="refunded", frozen=True, kw_only=True, omit_defaults=False):
    """A gift was given back, told to its sender and the room's studio; `reason`: room_closed."""

    transfer: str
    coins: int
    diamonds: int
    reason: str


class Balance(Push, tag="balance", frozen=True, omit_defaults=False):
    """Your coins changed by something else than your own gift."""

    coins: int


class Supporter(msgspec.Struct, frozen=True):
    """A place in the room's top list."""

    id: str
    name: str
    coins: int


class Top(Push, tag="top", frozen=True, omit_defaults=False):
    """The room's top supporters; latest only."""

    items: list[Supporter]


class OpenCombo(msgspec.Struct, frozen=True):
    """A combo that runs now; `quantity` and `coins` so far."""

    combo: str
    sender: Person
    gift: str
    quantity: int
    coins: int
    ends_at_ms: int


class Snapshot(Push, tag="snapshot", frozen=True, kw_only=True, omit_defaults=False):
    """The room's live state for someone who comes without a past."""

    status: str
    title: str
    creator: Person
    stream_url: str | None
    viewers: int
    combos: list[OpenCombo]
    top: list[Supporter]
    goal: None
    total_coins: int
    total_diamonds: int


class TestGift(Push, tag="test_gift", frozen=True, kw_only=True, omit_defaults=False):
    """A creator tries the overlay; no money moved, nobody else sees it."""

    gift: str
    sender: Person
    quantity: int
    coins: int


class Shown(Push, tag="rendered", frozen=True, omit_defaults=False):
    """To the studio: the overlay has shown these offsets."""

    offsets: list[int]
