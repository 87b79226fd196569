"""Keys of receipts: the private one that signs, and the public ones (JWKS, Ed25519) that check.

A key's id is its thumbprint (RFC 7638 over the OKP members of RFC 8037), so an id can only mean one key.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from giftserver.errors import WrongSetting
from giftserver.settings import Settings

DEMO_FILE: Final = "receipt-key.pem"
"""The demo's own key in its data folder."""

JWKS_BYTES_MAX: Final = 1_000_000


class PublicKey(msgspec.Struct, frozen=True):
    """An Ed25519 public key as JWK; `x` is the key in base64url, `kid` its thumbprint."""

    x: str
    kid: str
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"


class KeySet(msgspec.Struct, frozen=True):
    """A JWKS: the key that signs now first, then earlier ones."""

    keys: list[PublicKey]


@dataclass(frozen=True, slots=True)
class ReceiptKeys:
    """What a process signs with, None when receipts are off, and the public keys it publishes."""

    signing: Ed25519PrivateKey | None
    published: KeySet

    @classmethod
    def of(cls, settings: Settings) -> "ReceiptKeys":
        """The keys of the settings; the demo makes itself one. Raises WrongSetting."""
        signing = None
        if settings.receipt_key_file is not None:
            signing = _private_key(settings.receipt_key_file)
        elif settings.demo:
            signing = _demo_key(settings.data_dir)
        keys = [public_key(signing.public_key())] if signing is not None else []
        keys += [key for key in _old_keys(settings) if key not in keys]
        return cls(signing, KeySet(keys))


def new_key_pem() -> str:
    """A new private key, as PEM (PKCS 8, not encrypted)."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def public_key(key: Ed25519PublicKey) -> PublicKey:
    """The key as it is published."""
    x = to_base64url(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return PublicKey(x, to_base64url(hashlib.sha256(members.encode()).digest()))


def public_keys(jwks: bytes) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JWKS by their thumbprint; other kinds of key are left out. Raises ValueError."""
    if len(jwks) > JWKS_BYTES_MAX:
        raise ValueError("it is too long")
    try:
        listed = msgspec.json.decode(jwks, type=dict[str, list[dict[str, object]]], strict=True)["keys"]
        found = [_read(key) for key in listed if key.get("kty") == "OKP" and key.get("crv") == "Ed25519"]
    except (msgspec.DecodeError, KeyError, RecursionError) as problem:
        raise ValueError("it is not a JWKS") from problem
    return {public_key(key).kid: key for key in found}


def by_id(keys: Iterable[PublicKey]) -> Mapping[str, Ed25519PublicKey]:
    """Published keys, ready for checking, by their ids."""
    return {key.kid: Ed25519PublicKey.from_public_bytes(from_base64url(key.x)) for key in keys}


def to_base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of base64url without padding; raises ValueError unless it is spelled exactly as we would."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_base64url(data) != text:
        raise ValueError("not base64url")
    return data


def _read(key: dict[str, object]) -> Ed25519PublicKey:
    x = key.get("x")
    if not isinstance(x, str):
        raise ValueError("a key has no `x`")
    return Ed25519PublicKey.from_public_bytes(from_base64url(x))


def _private_key(path: Path) -> Ed25519PrivateKey:
    way_out = f"`openssl genpkey -algorithm ed25519 -out {path}` makes one"
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as problem:
        raise WrongSetting(f"GIFTSERVER_RECEIPT_KEY_FILE cannot be read ({problem.strerror}): {way_out}.") from problem
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise WrongSetting(f"GIFTSERVER_RECEIPT_KEY_FILE is not an unencrypted PEM: {way_out}.") from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongSetting(f"GIFTSERVER_RECEIPT_KEY_FILE is not an Ed25519 key: {way_out}.")
    return key


def _demo_key(data_dir: Path) -> Ed25519PrivateKey:
    from giftserver.embedded.folder import DataFolder

    folder = DataFolder(data_dir)
    folder.create()
    folder.kept_once(DEMO_FILE, new_key_pem().strip())
    return _private_key(folder.path / DEMO_FILE)


def _old_keys(settings: Settings) -> list[PublicKey]:
    path = settings.receipt_old_keys_file
    if path is None:
        return []
    try:
        return [public_key(key) for key in public_keys(path.read_bytes()).values()]
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise WrongSetting(
            f"GIFTSERVER_RECEIPT_OLD_KEYS_FILE cannot be used ({reason}): it is a JWKS, as /v1/receipt-keys answers."
        ) from problem
