"""Keys from a URL and from a file: rotation, failure, and never a second fetch too many."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from giftserver.auth.jwks import JwksFile, JwksUrl
from giftserver.auth.tokens import Identity, TokenVerifier
from giftserver.errors import Refusal
from giftserver.settings import Settings
from tests.giftserver.auth.conftest import Platform

Claims = Callable[..., dict[str, Any]]


class KeyServer(ThreadingHTTPServer):
    """Serves a JWKS; `body` None answers 500, `gate` holds answers back while it is cleared."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body: str | None = None
        self.requests = 0
        self.gate = threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/jwks"


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.requests += 1
        self.server.gate.wait(10)
        body = (self.server.body or "").encode()
        self.send_response(200 if self.server.body is not None else 500)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    with KeyServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
async def test_tokens_of_both_key_kinds_are_believed(
    key_server: KeyServer, platform: Platform, claims: Claims, kid: str
) -> None:
    """RS256 and ES256, each by its own key, from one fetch."""
    key_server.body = platform.jwks()
    verifier = TokenVerifier(Settings(jwt_jwks_url=key_server.url))
    for _ in range(3):
        assert isinstance(await verifier.verify(platform.sign(kid, claims())), Identity)
    assert key_server.requests == 1


async def test_a_key_of_the_other_kind_is_refused(key_server: KeyServer, platform: Platform, claims: Claims) -> None:
    """A token that names the EC key but claims RS256 finds no key."""
    key_server.body = platform.jwks()
    found = await TokenVerifier(Settings(jwt_jwks_url=key_server.url)).verify(
        platform.sign("rsa-1", claims(), {"kid": "ec-1"})
    )
    assert isinstance(found, Refusal)
    assert found.code.name == "unauthorized"
    assert "no RS256 key" in found.message


async def test_a_rotated_key_is_fetched(key_server: KeyServer, platform: Platform, claims: Claims) -> None:
    """A key id that is not known causes a fetch, and the token is believed."""
    key_server.body = platform.jwks()
    source = JwksUrl(key_server.url, cooldown_s=0)
    assert not isinstance(await source.key("rsa-1", "RS256"), Refusal)
    rotated = Platform()
    rotated.add_rsa("rsa-2")
    key_server.body = rotated.jwks()
    assert not isinstance(await source.key("rsa-2", "RS256"), Refusal)
    assert isinstance(await source.key("rsa-1", "RS256"), Refusal)


async def test_unknown_key_ids_cannot_hammer_the_platform(key_server: KeyServer, platform: Platform) -> None:
    """Within the cool-down strangers' key ids cause no fetch."""
    key_server.body = platform.jwks()
    source = JwksUrl(key_server.url, cooldown_s=60)
    for number in range(50):
        found = await source.key(f"stranger-{number}", "RS256")
        assert isinstance(found, Refusal)
        assert found.code.name == "unauthorized"
    assert key_server.requests == 1


async def test_everybody_waits_for_one_fetch(key_server: KeyServer, platform: Platform) -> None:
    """A hundred tokens at once fetch once, and the event loop stays free meanwhile."""
    key_server.body = platform.jwks()
    key_server.gate.clear()
    source = JwksUrl(key_server.url)
    asked = [asyncio.create_task(source.key("rsa-1", "RS256")) for _ in range(100)]
    turns = 0
    async with asyncio.timeout(5):
        while key_server.requests == 0:
            turns += 1
            await asyncio.sleep(0)
    key_server.gate.set()
    async with asyncio.timeout(5):
        keys = await asyncio.gather(*asked)
    assert turns > 0
    assert not any(isinstance(key, Refusal) for key in keys)
    assert key_server.requests == 1


async def test_a_platform_that_is_away_is_unavailable(
    key_server: KeyServer, platform: Platform, claims: Claims
) -> None:
    """Without any key the refusal is temporary and names the setting; when it is back, tokens are believed."""
    verifier = TokenVerifier(Settings(jwt_jwks_url=key_server.url))
    token = platform.sign("rsa-1", claims())
    found = await verifier.verify(token)
    assert isinstance(found, Refusal)
    assert found.code.name == "unavailable"
    assert "GIFTSERVER_JWT_JWKS_URL" in found.message
    source = JwksUrl(key_server.url, cooldown_s=0)
    assert isinstance(await source.key("rsa-1", "RS256"), Refusal)
    key_server.body = platform.jwks()
    assert not isinstance(await source.key("rsa-1", "RS256"), Refusal)


@pytest.mark.parametrize("broken", [None, "not json", "[]", '{"keys": []}', '{"keys": [{"kty": "RSA"}]}'])
async def test_known_keys_hold_while_the_platform_is_broken(
    key_server: KeyServer, platform: Platform, broken: str | None
) -> None:
    """An old set that cannot be fetched again stays in force; an unknown key is then unavailable, not unauthorized."""
    key_server.body = platform.jwks()
    source = JwksUrl(key_server.url, lifespan_s=0, cooldown_s=0)
    assert not isinstance(await source.key("rsa-1", "RS256"), Refusal)
    key_server.body = broken
    assert not isinstance(await source.key("rsa-1", "RS256"), Refusal)
    unknown = await source.key("rsa-9", "RS256")
    assert isinstance(unknown, Refusal)
    assert unknown.code.name == "unavailable"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "jwks.json"])
def test_only_web_urls_are_fetched(url: str) -> None:
    """A URL that is not http or https stops the start."""
    with pytest.raises(ValueError, match="GIFTSERVER_JWT_JWKS_URL"):
        TokenVerifier(Settings(jwt_jwks_url=url))


async def test_a_file_is_read_again_when_it_changes(platform: Platform, claims: Claims, tmp_path: Path) -> None:
    """New keys in the file count at once; a broken file leaves the old ones in force."""
    path = tmp_path / "jwks.json"
    path.write_text(platform.jwks())
    verifier = TokenVerifier(Settings(jwt_jwks_file=path))
    assert isinstance(await verifier.verify(platform.sign("ec-1", claims())), Identity)
    path.write_text("{")
    assert isinstance(await verifier.verify(platform.sign("ec-1", claims())), Identity)
    rotated = Platform()
    rotated.add_ec("ec-2")
    path.write_text(rotated.jwks())
    assert isinstance(await verifier.verify(rotated.sign("ec-2", claims())), Identity)
    assert isinstance(await verifier.verify(platform.sign("ec-1", claims())), Refusal)


async def test_a_file_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """The refusal names the setting."""
    found = await JwksFile(tmp_path / "none.json").key("a", "RS256")
    assert isinstance(found, Refusal)
    assert (found.code.name, "GIFTSERVER_JWT_JWKS_FILE" in found.message) == ("unavailable", True)


async def test_without_a_key_id_the_only_key_of_the_kind_is_taken(platform: Platform, tmp_path: Path) -> None:
    """Two keys of a kind and no key id: neither is guessed."""
    path = tmp_path / "jwks.json"
    path.write_text(platform.jwks())
    assert not isinstance(await JwksFile(path).key(None, "RS256"), Refusal)
    two = Platform(dict(platform.keys))
    two.add_rsa("rsa-2")
    path.write_text(two.jwks())
    assert isinstance(await JwksFile(path).key(None, "RS256"), Refusal)


async def test_keys_for_encryption_sign_nothing(platform: Platform, tmp_path: Path) -> None:
    """`use: enc` and a foreign `alg` are not for tokens."""
    path = tmp_path / "jwks.json"
    listed = json.loads(platform.jwks())["keys"]
    path.write_text(json.dumps({"keys": [{**listed[0], "use": "enc"}, {**listed[0], "kid": "p", "alg": "PS256"}]}))
    assert isinstance(await JwksFile(path).key("rsa-1", "RS256"), Refusal)
    assert isinstance(await JwksFile(path).key("p", "RS256"), Refusal)


async def test_a_weak_key_is_refused(claims: Claims, tmp_path: Path) -> None:
    """RSA of 1024 bits is refused, and the refusal says what is enough."""
    weak = Platform()
    weak.add_rsa("weak", bits=1024)
    path = tmp_path / "jwks.json"
    path.write_text(weak.jwks())
    with pytest.warns(match="1024 bits"):
        token = weak.sign("weak", claims())
    found = await TokenVerifier(Settings(jwt_jwks_file=path)).verify(token)
    assert isinstance(found, Refusal)
    assert "2048 bits" in found.message
