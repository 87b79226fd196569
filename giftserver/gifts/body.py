"""The part of a gift that a room's history keeps, and the pushes made of it."""

import msgspec

from giftserver.gifts.messages import ComboEnded, Gift, OpenCombo, Person
from giftserver.ledger.events import GiftEvent
from rooms import history
from rooms.history import COMBO_ENDED, Event, Record


class Body(msgspec.Struct, array_like=True, frozen=True):
    """What a room keeps of a gift; amounts in coins and diamonds."""

    transfer: str
    sender: str
    sender_name: str
    gift: str
    quantity: int
    coins: int
    diamonds: int
    note: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Body).decode


def room_event(transfer: str, gift: GiftEvent, *, combo: bool) -> Event:
    """The event that announces a gift; `combo`: this gift joins combos of its sender.

    Its id is the sender's key: a gift that Redis lost and that was sent again has another transfer, and is shown once.
    """
    body = Body(transfer, gift.sender, gift.sender_name, gift.gift, gift.quantity, gift.coins, gift.diamonds, gift.note)
    return Event(
        id=f"{gift.sender}:{gift.key}",
        combo_key=f"{gift.sender}|{gift.gift}" if combo else "",
        quantity=gift.quantity,
        score=gift.coins,
        person=gift.sender,
        person_name=gift.sender_name,
        body=_encode(body).decode(),
    )


def push_of(record: Record) -> Gift | ComboEnded:
    """What viewers are shown of a record."""
    body = _decode(record.body)
    sender = Person(body.sender, body.sender_name)
    if record.kind == COMBO_ENDED:
        return ComboEnded(
            offset=record.offset,
            combo=record.combo,
            sender=sender,
            gift=body.gift,
            quantity=record.combo_quantity,
            coins=record.combo_score,
        )
    return Gift(
        offset=record.offset,
        transfer=body.transfer,
        sender=sender,
        gift=body.gift,
        quantity=body.quantity,
        coins=body.coins,
        diamonds=body.diamonds,
        combo=record.combo or None,
        combo_quantity=record.combo_quantity,
        at_ms=record.at_ms,
        note=body.note,
    )


def open_combo(combo: history.OpenCombo) -> OpenCombo:
    """A running combo as the snapshot shows it."""
    body = _decode(combo.body)
    return OpenCombo(
        combo=combo.combo,
        sender=Person(body.sender, body.sender_name),
        gift=body.gift,
        quantity=combo.quantity,
        coins=combo.score,
        ends_at_ms=combo.ends_at_ms,
    )
