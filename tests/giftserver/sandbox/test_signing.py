"""Signatures: only what was signed, with this secret, about now."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftserver.sandbox.signing import sign, verify

NOW_S = 1_700_000_000
RAW = b'{"id":"ev_1"}'
GOOD = sign("secret", RAW, NOW_S)


def test_the_form_is_as_documented() -> None:
    """HMAC-SHA256 of stamp, dot and raw body, in hex."""
    expected = hmac.new(b"secret", f"{NOW_S}.".encode() + RAW, hashlib.sha256).hexdigest()
    assert f"t={NOW_S},v1={expected}" == GOOD


def test_genuine_is_genuine() -> None:
    """The same secret, body and time fit, to the last second of the tolerance on both sides."""
    assert verify("secret", GOOD, RAW, NOW_S) is None
    assert verify("secret", GOOD, RAW, NOW_S + 300) is None
    assert verify("secret", GOOD, RAW, NOW_S - 300) is None


@pytest.mark.parametrize(
    ("secret", "header", "raw", "now_s", "reason"),
    [
        ("other", GOOD, RAW, NOW_S, "fits"),
        ("secret", GOOD, RAW + b" ", NOW_S, "fits"),
        ("secret", GOOD.replace(f"t={NOW_S}", f"t={NOW_S + 1}"), RAW, NOW_S, "fits"),
        ("secret", GOOD.upper().replace("T=", "t=").replace("V1=", "v1="), RAW, NOW_S, "fits"),
        ("secret", GOOD, RAW, NOW_S + 301, "too old"),
        ("secret", GOOD, RAW, NOW_S - 301, "future"),
        ("secret", "", RAW, NOW_S, "stamp"),
        ("secret", f"t={NOW_S}", RAW, NOW_S, "v1"),
        ("secret", GOOD.partition(",")[2], RAW, NOW_S, "stamp"),
        ("secret", f"{GOOD},t={NOW_S}", RAW, NOW_S, "stamp"),
        ("secret", "t=١٢٣,v1=00", RAW, NOW_S, "stamp"),
        ("secret", GOOD + ",v0=" + "0" * 5_000, RAW, NOW_S, "long"),
    ],
)
def test_everything_else_is_refused(secret: str, header: str, raw: bytes, now_s: int, reason: str) -> None:
    """A changed secret, body or stamp, an old or future stamp, and broken headers have a reason in words."""
    assert reason in (verify(secret, header, raw, now_s) or "")


def test_one_of_several_is_enough() -> None:
    """While a secret is changed there are several v1; unknown schemes do not matter."""
    old = sign("old", RAW, NOW_S)
    both = f"{old},v1={GOOD.partition('v1=')[2]},v2=whatever"
    assert verify("secret", both, RAW, NOW_S) is None
    assert verify("old", both, RAW, NOW_S) is None
    assert verify("third", both, RAW, NOW_S) is not None


@given(st.one_of(st.text(), st.from_regex(r"(t=\d*|v1=.*|,|=| )*")), st.binary())
def test_no_header_raises(header: str, raw: bytes) -> None:
    """Whatever stands in the header, the answer is a reason."""
    assert isinstance(verify("secret", header, raw, NOW_S), str)
