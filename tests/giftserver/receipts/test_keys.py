"""Keys of receipts: read from files, made by the demo, published with their thumbprints."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from giftserver.errors import WrongSetting
from giftserver.receipts.keys import DEMO_FILE, ReceiptKeys, from_base64url, new_key_pem, public_key, public_keys
from giftserver.settings import Settings

# The key of RFC 8037, appendix A, and its thumbprint.
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_keys_id_is_its_thumbprint() -> None:
    """As RFC 8037 computes it for its own example."""
    assert public_key(Ed25519PublicKey.from_public_bytes(from_base64url(X))).kid == THUMBPRINT


def test_only_the_thumbprint_names_a_key() -> None:
    """A JWKS that claims another id for a key does not get its way; keys of other kinds are left out."""
    jwks = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "another"}, {"kty": "RSA", "n": "x", "e": "AQAB"}]}
    assert list(public_keys(json.dumps(jwks).encode())) == [THUMBPRINT]


@pytest.mark.parametrize(
    "jwks",
    [
        b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1]}', b"\xff", b" " * 1_000_001,
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519"}]}', b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}',
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "\\u00e9"}]}',
    ],
)  # fmt: skip
def test_what_is_no_key_set_is_refused(jwks: bytes) -> None:
    """With ValueError and nothing else."""
    with pytest.raises(ValueError):
        public_keys(jwks)


def test_without_a_key_receipts_are_off() -> None:
    """Outside the demo nothing is made up."""
    keys = ReceiptKeys.of(Settings())
    assert keys.signing is None
    assert keys.published.keys == []


def test_the_demo_makes_one_key_and_keeps_it(tmp_path: Path) -> None:
    """The same at the next start, and readable for its user alone."""
    settings = Settings(demo=True, data_dir=tmp_path / "data")
    first, second = ReceiptKeys.of(settings), ReceiptKeys.of(settings)
    assert first.signing is not None
    assert first.published == second.published
    assert (tmp_path / "data" / DEMO_FILE).stat().st_mode & 0o777 == 0o600


def test_old_keys_stay_published(tmp_path: Path) -> None:
    """After a change of keys the answer saved before is published behind the new key, each key once."""
    (tmp_path / "old.pem").write_text(new_key_pem())
    (tmp_path / "new.pem").write_text(new_key_pem())
    old = ReceiptKeys.of(Settings(receipt_key_file=tmp_path / "old.pem")).published.keys[0]
    saved = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": old.x, "kid": old.kid}] * 2}
    (tmp_path / "old.json").write_text(json.dumps(saved))
    both = ReceiptKeys.of(
        Settings(receipt_key_file=tmp_path / "new.pem", receipt_old_keys_file=tmp_path / "old.json")
    ).published.keys
    assert [key.kid for key in both][1:] == [old.kid]
    assert both[0] != old
    kept = Settings(receipt_key_file=tmp_path / "old.pem", receipt_old_keys_file=tmp_path / "old.json")
    assert ReceiptKeys.of(kept).published.keys == [old]


def test_a_wrong_key_file_is_a_sentence(tmp_path: Path) -> None:
    """Missing, no PEM, or another kind of key: the setting is named with the way out."""
    rsa_key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (None, b"nonsense", rsa_key):
        path = tmp_path / "key.pem"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(WrongSetting, match=r"GIFTSERVER_RECEIPT_KEY_FILE .* openssl|`openssl genpkey"):
            ReceiptKeys.of(Settings(receipt_key_file=path))
    (tmp_path / "keys.json").write_text("[]")
    with pytest.raises(WrongSetting, match="GIFTSERVER_RECEIPT_OLD_KEYS_FILE"):
        ReceiptKeys.of(Settings(receipt_old_keys_file=tmp_path / "keys.json"))
