"""Signatures of webhooks: `t=<unix s>,v1=<hex HMAC-SHA256(secret, "<t>." + raw body)>`."""

import hashlib
import hmac
import re
from typing import Final

HEADER: Final = "Sandbox-Signature"
TOLERANCE_S: Final = 300
HEADER_CHARACTERS_MAX: Final = 4_096

_STAMP: Final = re.compile(r"[0-9]{1,12}")


def sign(secret: str, raw: bytes, at_s: int) -> str:
    """The header's value for a body that is sent at this second."""
    return f"t={at_s},v1={_digest(secret, raw, str(at_s))}"


def verify(secret: str, header: str, raw: bytes, now_s: float, tolerance_s: float = TOLERANCE_S) -> str | None:
    """None when the header is genuine and of now, else the reason in words; never raises.

    Several v1 are allowed, as while a secret is changed: one that fits is enough. Stamps more than `tolerance_s` older
    or newer than `now_s` are refused. Unknown schemes are ignored.
    """
    if len(header) > HEADER_CHARACTERS_MAX:
        return "the signature header is too long"
    parts = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]):
        return "the signature header has no single time stamp"
    if not signatures:
        return "the signature header has no v1 signature"
    expected = _digest(secret, raw, stamps[0]).encode()
    fits = [hmac.compare_digest(expected, value.encode("utf-8", "replace")) for value in signatures]
    if not any(fits):
        return "no signature fits the body"
    age_s = now_s - int(stamps[0])
    if age_s > tolerance_s:
        return "the time stamp is too old"
    if age_s < -tolerance_s:
        return "the time stamp is in the future"
    return None


def _digest(secret: str, raw: bytes, stamp: str) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
