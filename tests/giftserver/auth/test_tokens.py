"""Which tokens are believed, and what each refusal tells."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from giftserver.auth.tokens import Identity, TokenVerifier, mint
from giftserver.errors import Refusal
from giftserver.settings import Settings
from tests.giftserver.auth.conftest import SECRET, Platform

Claims = Callable[..., dict[str, Any]]


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(header: dict[str, Any], body: Any, secret: bytes) -> str:
    """A token with any header, signed with HMAC whatever the header says."""
    text = f"{segment(header)}.{segment(body)}"
    mac = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


async def expect_refusal(verifier: TokenVerifier, token: str, *words: str, code: str = "unauthorized") -> None:
    found = await verifier.verify(token)
    assert isinstance(found, Refusal), found
    assert found.code.name == code
    for word in words:
        assert word in found.message
    assert token not in found.message


async def test_a_good_token_is_believed(shared: Settings, claims: Claims) -> None:
    """Every claim arrives in the identity."""
    good = claims(room="harbour", role="moderator", country="JP")
    found = await TokenVerifier(shared).verify(jwt.encode(good, SECRET, "HS256"))
    assert found == Identity("ana", "Ana", "moderator", "harbour", float(good["exp"]), "JP", float(good["iat"]))


async def test_name_and_role_may_be_left_out(shared: Settings, claims: Claims) -> None:
    """A platform that sends only ids gets viewers named by id."""
    found = await TokenVerifier(shared).verify(jwt.encode(claims(name=None, role=None), SECRET, "HS256"))
    assert isinstance(found, Identity)
    assert (found.name, found.role, found.room) == ("ana", "viewer", None)


async def test_minted_tokens_are_believed(shared: Settings) -> None:
    """What the command line signs, the server takes."""
    found = await TokenVerifier(shared).verify(mint(shared, "mira", "Mira", "creator", "harbour", 900))
    assert isinstance(found, Identity)
    assert (found.user, found.role, found.room) == ("mira", "creator", "harbour")


def test_minting_needs_a_secret() -> None:
    """Without a secret the sentence names the setting."""
    with pytest.raises(ValueError, match="GIFTSERVER_JWT_SECRET"):
        mint(Settings(), "ana", "Ana", "viewer", None, 60)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": int(time.time()) - 31}, ("expired", "fetch a new one")),
        ({"nbf": int(time.time()) + 86_400}, ("not yet valid",)),
        ({"iat": int(time.time()) + 86_400}, ("not yet valid",)),
        ({"iss": "someone"}, ("wrong issuer", "'giftserver'", "GIFTSERVER_JWT_ISSUER")),
        ({"aud": "another"}, ("wrong audience", "expected `aud` 'giftserver'")),
        *(({claim: None}, (f"`{claim}` is missing",)) for claim in ("exp", "iat", "iss", "aud", "sub")),
        ({"sub": 7}, ("`sub`",)),
        ({"sub": ""}, ("`sub`",)),
        ({"sub": "two words"}, ("`sub`",)),
        ({"sub": "a" * 65}, ("`sub`",)),
        ({"sub": "ana\n"}, ("`sub`",)),
        ({"name": 7}, ("`name`",)),
        ({"name": ""}, ("`name`",)),
        ({"name": "n" * 65}, ("`name`",)),
        ({"name": "Ana\u202e"}, ("`name`",)),
        ({"name": "\u3164"}, ("`name`", "something to read")),
        ({"role": "root"}, ("`role`", "viewer, creator, moderator, overlay, admin")),
        ({"role": ["admin"]}, ("`role`",)),
        ({"room": "../x"}, ("`room`",)),
        ({"room": 7}, ("`room`",)),
        ({"role": "overlay"}, ("`room` is missing",)),
        ({"exp": int(time.time()) + 86_400}, ("lives too long", "900 s")),
        ({"exp": float("inf")}, ("cannot be read",)),
        ({"exp": "soon"}, ("cannot be read",)),
    ],
)
async def test_each_broken_claim_is_refused_with_its_fix(
    shared: Settings, claims: Claims, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    """A refusal names the claim and what to do; the token itself is never repeated."""
    token = signed({"alg": "HS256", "typ": "JWT"}, claims(**changes), SECRET.encode())
    await expect_refusal(TokenVerifier(shared), token, *words)


async def test_leeway_forgives_a_clock(shared: Settings, claims: Claims) -> None:
    """Ten seconds past the end is within the leeway of 30."""
    token = jwt.encode(claims(exp=int(time.time()) - 10), SECRET, "HS256")
    assert isinstance(await TokenVerifier(shared).verify(token), Identity)


async def test_overlays_and_the_demo_may_live_long(shared: Settings, claims: Claims) -> None:
    """The 15 minutes are for people outside the demo."""
    far = int(time.time()) + 86_400
    overlay = jwt.encode(claims(exp=far, role="overlay", room="harbour"), SECRET, "HS256")
    assert isinstance(await TokenVerifier(shared).verify(overlay), Identity)
    demo = shared.model_copy(update={"demo": True})
    assert isinstance(await TokenVerifier(demo).verify(jwt.encode(claims(exp=far), SECRET, "HS256")), Identity)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "PS256", "RS256", "", None, ["HS256"], 7])
async def test_the_token_does_not_choose_the_algorithm(shared: Settings, claims: Claims, algorithm: Any) -> None:
    """Only HS256 is taken with a shared secret, signed or not."""
    token = signed({"alg": algorithm, "typ": "JWT"}, claims(), SECRET.encode())
    await expect_refusal(TokenVerifier(shared), token)
    await expect_refusal(TokenVerifier(shared), token.rpartition(".")[0] + ".")
    if algorithm in ("HS384", "HS512"):  # signed as it says, with the right secret
        long = TokenVerifier(shared.model_copy(update={"jwt_secret": SecretStr(SECRET * 2)}))
        await expect_refusal(long, jwt.encode(claims(), SECRET * 2, algorithm), "wrong signing algorithm")


async def test_another_secret_is_refused(shared: Settings, claims: Claims) -> None:
    """A signature made with another secret proves nothing."""
    await expect_refusal(TokenVerifier(shared), jwt.encode(claims(), SECRET + "!", "HS256"), "wrong signature")


@pytest.mark.parametrize("with_secret", [False, True])
async def test_a_public_key_is_no_shared_secret(
    platform: Platform, claims: Claims, tmp_path: Path, with_secret: bool
) -> None:
    """HS256 signed with the RSA public key, in any of its spellings, is refused, also beside a shared secret."""
    path = tmp_path / "jwks.json"
    path.write_text(platform.jwks())
    settings = Settings(jwt_jwks_file=path, jwt_secret=SECRET if with_secret else None)  # type: ignore[arg-type]
    pem = platform.public_pem("rsa-1")
    modulus = json.loads(platform.jwks())["keys"][0]["n"]
    for secret in (pem, pem.strip(), modulus.encode(), platform.jwks().encode()):
        token = signed({"alg": "HS256", "kid": "rsa-1"}, claims(), secret)
        await expect_refusal(TokenVerifier(settings), token)


async def test_a_secret_in_the_jwks_is_no_key(claims: Claims, tmp_path: Path) -> None:
    """A symmetric key that strayed into the JWKS verifies nothing."""
    path = tmp_path / "jwks.json"
    secret = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    path.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "s", "k": secret, "alg": "HS256"}]}))
    verifier = TokenVerifier(Settings(jwt_jwks_file=path))
    for algorithm in ("HS256", "RS256", "ES256"):
        await expect_refusal(verifier, signed({"alg": algorithm, "kid": "s"}, claims(), SECRET.encode()))


async def test_keys_are_not_taken_from_the_token(shared: Settings, platform: Platform, claims: Claims) -> None:
    """`jwk`, `jku` and `x5u` in the header are nobody's business."""
    own = json.loads(platform.jwks())["keys"][0]
    token = platform.sign("rsa-1", claims(), {"jwk": own, "jku": "http://127.0.0.1:1/jwks"})
    await expect_refusal(TokenVerifier(shared), token, "wrong signing algorithm", "HS256")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä.ö.ü", "..", "[" * 8_000, "a" * 9_000, "\0"])
async def test_rubbish_is_refused(shared: Settings, token: str) -> None:
    """Text that is no token gets a refusal, never a traceback."""
    found = await TokenVerifier(shared).verify(token)
    assert isinstance(found, Refusal)


async def test_deep_nesting_is_refused(shared: Settings) -> None:
    """A header or body that nests without end is refused."""
    deep = base64.urlsafe_b64encode(b"[" * 3_000 + b"]" * 3_000).rstrip(b"=").decode()
    good = segment({"alg": "HS256"})
    for text in (f"{deep}.{good}", f"{good}.{deep}"):
        mac = hmac.digest(SECRET.encode(), text.encode(), hashlib.sha256)
        await expect_refusal(TokenVerifier(shared), f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


async def test_without_any_key_the_refusal_names_the_setting(claims: Claims) -> None:
    """A server that is not set up says so."""
    token = jwt.encode(claims(), SECRET, "HS256")
    await expect_refusal(TokenVerifier(Settings()), token, "GIFTSERVER_JWT_SECRET", "GIFTSERVER_JWT_JWKS_URL")
