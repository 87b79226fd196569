"""Keys and tokens of a platform, made for the tests."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from giftserver.settings import Settings

SECRET = "a secret of the auth tests, longer than 32 bytes"


@dataclass
class Platform:
    """Somebody who signs tokens: private keys by kid, and the JWKS of their public halves."""

    keys: dict[str, Any] = field(default_factory=dict)

    def add_rsa(self, kid: str, bits: int = 2048) -> None:
        self.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=bits)

    def add_ec(self, kid: str) -> None:
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> str:
        listed = []
        for kid, key in self.keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            listed.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"})
        return json.dumps({"keys": listed})

    def sign(self, kid: str, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
        key = self.keys[kid]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid, **(headers or {})})

    def public_pem(self, kid: str) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return bytes(self.keys[kid].public_key().public_bytes(encoding, form))


@pytest.fixture(scope="session")
def platform() -> Platform:
    """A platform with one RSA key and one EC key."""
    made = Platform()
    made.add_rsa("rsa-1")
    made.add_ec("ec-1")
    return made


@pytest.fixture
def claims() -> Callable[..., dict[str, Any]]:
    """Good claims, changed as asked; None leaves one out."""

    def make(**changes: Any) -> dict[str, Any]:
        now_s = int(time.time())
        good: dict[str, Any] = {
            "iss": "giftserver", "aud": "giftserver", "iat": now_s, "exp": now_s + 600,
            "sub": "ana", "name": "Ana", "role": "viewer",
        }  # fmt: skip
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    return make


@pytest.fixture
def shared() -> Settings:
    """Settings of a server with a shared secret."""
    return Settings(jwt_secret=SECRET)  # type: ignore[arg-type]
