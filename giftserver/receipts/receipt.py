"""The signed receipt of one gift: its form, its canonical bytes, signing and checking."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from giftserver.durable.history import GiftRecord
from giftserver.receipts.keys import from_base64url, public_key, to_base64url

BYTES_MAX: Final = 65_536
Amount = Annotated[int, Meta(ge=0, lt=2**53)]


class SignedReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gift that the ledger booked, in coins paid and diamonds earned; `at_ms` is when it was decided.

    `hash` is its link of the ledger's hash chain in hex, null when it was booked before there was one. `kid` names the
    key of /v1/receipt-keys whose signature (Ed25519, base64url) this is.
    """

    form: Literal["giftserver receipt 1"]
    transfer: str
    key: str
    sender: str
    creator: str
    room: str
    gift: str
    quantity: Amount
    coins: Amount
    diamonds: Amount
    at_ms: Amount
    hash: str | None
    kid: str
    signature: str


class NotGenuine(ValueError):
    """The receipt is not what the server signed; the message is a sentence for a person."""


def canonical(receipt: SignedReceipt) -> bytes:
    """What is signed: all members but the signature, as RFC 8785 writes JSON (sorted names, no spaces, UTF-8)."""
    members = msgspec.structs.asdict(receipt)
    del members["signature"]
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sign(gift: GiftRecord, key: Ed25519PrivateKey) -> SignedReceipt:
    """The receipt of a booked gift."""
    unsigned = SignedReceipt(
        "giftserver receipt 1", gift.transfer, gift.key, gift.sender, gift.creator, gift.room, gift.gift,
        gift.quantity, gift.coins, gift.diamonds, gift.at_ms, gift.hash.hex() if gift.hash is not None else None,
        public_key(key.public_key()).kid, "",
    )  # fmt: skip
    return msgspec.structs.replace(unsigned, signature=to_base64url(key.sign(canonical(unsigned))))


def read(data: bytes) -> SignedReceipt:
    """The receipt in a file, not yet checked. Raises NotGenuine when it is none."""
    if len(data) > BYTES_MAX:
        raise NotGenuine("This is no receipt: it is too long.")
    try:
        document = json.loads(data.decode(), object_pairs_hook=_members)
        return msgspec.convert(document, SignedReceipt, strict=True)
    except (ValueError, RecursionError) as problem:
        raise NotGenuine(
            "This is no receipt, or it was damaged: it is not the document the server signed."
        ) from problem


def check(receipt: SignedReceipt, keys: Mapping[str, Ed25519PublicKey]) -> None:
    """Raise NotGenuine unless one of the keys, by thumbprint, signed exactly this."""
    key = keys.get(receipt.kid)
    if key is None:
        raise NotGenuine("This receipt is not genuine: it names a key that is not among those it was checked with.")
    try:
        key.verify(from_base64url(receipt.signature), canonical(receipt))
    except (InvalidSignature, ValueError) as problem:
        raise NotGenuine("This receipt is not genuine: its signature does not fit what it says.") from problem


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two members of one name a person may read the other one, so there must not be two."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is there twice")
    return members
