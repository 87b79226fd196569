"""A receipt is genuine exactly as the server signed it: nothing in it can be changed, left out or added."""

import dataclasses
import json

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from giftserver.durable.history import GiftRecord
from giftserver.receipts.keys import by_id, public_key, to_base64url
from giftserver.receipts.receipt import NotGenuine, SignedReceipt, canonical, check, read, sign

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = by_id([public_key(KEY.public_key())])
GIFT = GiftRecord(
    "07-1-42", "0192f0c1-2345-7abc-8def-0123456789ab", "ana", "mira", "harbour", "rose", 3, 30, 15, 1_760_000_000_123,
    bytes(range(32)),
)  # fmt: skip
RECEIPT = sign(GIFT, KEY)
FILE = msgspec.json.encode(RECEIPT)
TEXTS = [name for name in SignedReceipt.__struct_fields__ if isinstance(getattr(RECEIPT, name), str)]
NUMBERS = [name for name in SignedReceipt.__struct_fields__ if isinstance(getattr(RECEIPT, name), int)]


def genuine(data: bytes) -> bool:
    """Whether the file passes."""
    try:
        check(read(data), KEYS)
    except NotGenuine:
        return False
    return True


def test_what_was_signed_is_genuine() -> None:
    """As the server sent it, with a line's end, or laid out by a program that keeps what it says."""
    assert genuine(FILE)
    assert genuine(FILE + b"\n")
    assert genuine(json.dumps(json.loads(FILE), indent=2, sort_keys=True).encode())
    assert genuine(msgspec.json.encode(sign(dataclasses.replace(GIFT, hash=None), KEY)))


def test_the_signed_bytes_are_these() -> None:
    """The form is fixed: sorted members without the signature, no spaces, UTF-8."""
    assert (
        canonical(msgspec.structs.replace(RECEIPT, gift="rosé"))
        == (
            '{"at_ms":1760000000123,"coins":30,"creator":"mira","diamonds":15,"form":"giftserver receipt 1",'
            f'"gift":"rosé","hash":"{bytes(range(32)).hex()}","key":"{GIFT.key}","kid":"{RECEIPT.kid}","quantity":3,"room":"harbour",'
            '"sender":"ana","transfer":"07-1-42"}'
        ).encode()
    )


@given(name=st.sampled_from(TEXTS), value=st.none() | st.text(max_size=100))
def test_any_other_text_is_caught(name: str, value: str | None) -> None:
    """Whatever a text member is changed to, the receipt is refused; only the signed value passes."""
    changed = json.loads(FILE) | {name: value}
    assert genuine(json.dumps(changed).encode()) == (value == getattr(RECEIPT, name))


@given(name=st.sampled_from(NUMBERS), value=st.integers() | st.booleans() | st.floats(allow_nan=False))
def test_any_other_number_is_caught(name: str, value: float) -> None:
    """The same for numbers."""
    changed = json.loads(FILE) | {name: value}
    if genuine(json.dumps(changed).encode()):
        assert value == getattr(RECEIPT, name)
        assert not isinstance(value, bool)


@given(at=st.integers(0, len(FILE) - 1), byte=st.integers(0, 255))
def test_any_other_byte_is_caught(at: int, byte: int) -> None:
    """One byte of the file, wherever it is, makes the difference."""
    changed = FILE[:at] + bytes([byte]) + FILE[at + 1 :]
    assert genuine(changed) == (changed == FILE)


def test_the_last_character_of_the_signature_counts() -> None:
    """Base64 has spare bits at its end: a decoder that ignores them would take a changed file."""
    last = RECEIPT.signature[-1]
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        changed = json.loads(FILE) | {"signature": RECEIPT.signature[:-1] + other}
        assert genuine(json.dumps(changed).encode()) == (other == last)


@pytest.mark.parametrize("name", SignedReceipt.__struct_fields__)
def test_a_member_left_out_is_caught(name: str) -> None:
    """Every member must be there."""
    document = json.loads(FILE)
    del document[name]
    assert not genuine(json.dumps(document).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, FILE[:-1], FILE + b"x", FILE * 2, b" " * 70_000 + FILE,
        FILE.replace(b"}", b',"tip":1}'), FILE.replace(b'"coins":30', b'"coins":1000,"coins":30'),
        FILE.replace(b'"ana"', b'"\\ud800"'), FILE.replace(b":30,", b":NaN,"),
        FILE.replace(b":30,", b":" + b"9" * 5_000 + b","), json.dumps([json.loads(FILE)]).encode(),
    ],
)  # fmt: skip
def test_what_is_no_receipt_is_a_sentence(data: bytes) -> None:
    """Never a traceback; members added, doubled or unreadable are refused."""
    assert not genuine(data)


def test_another_key_is_not_the_servers() -> None:
    """Whoever signs with a key of their own is not believed, whichever key they name."""
    own = Ed25519PrivateKey.generate()
    forged = sign(GIFT, own)
    with pytest.raises(NotGenuine, match="names a key"):
        check(forged, KEYS)
    named = msgspec.structs.replace(forged, kid=RECEIPT.kid)
    signed = msgspec.structs.replace(named, signature=to_base64url(own.sign(canonical(named))))
    with pytest.raises(NotGenuine, match="does not fit"):
        check(signed, KEYS)
