"""Overlay links: nobody makes one but us, and a rotated one is void."""

import base64
import math

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.auth.overlay_links import OverlayLink, OverlayLinks, OverlaySigner
from giftserver.auth.tokens import Identity
from giftserver.durable.rooms import upsert_room
from giftserver.errors import Refusal
from giftserver.settings import Settings
from tests.giftserver.auth.conftest import SECRET


@pytest.fixture
async def links(settings: Settings, database: AsyncEngine) -> OverlayLinks:
    """Links of a server with one room."""
    await upsert_room(database, "harbour", creator="mira", creator_name="Mira", title="Harbour")
    return OverlayLinks(settings, database)


def token_of(url: str | Refusal) -> str:
    assert isinstance(url, str)
    return url.rpartition("/overlay/")[2]


def test_a_token_says_what_was_signed(shared: Settings) -> None:
    """Room and version come back, for any room id there may be."""
    signer = OverlaySigner(shared)
    for link in (OverlayLink("harbour", 1), OverlayLink("a:b_c-d.e", 4_000_000_000), OverlayLink("r" * 64, 7)):
        token = signer.token(link)
        assert signer.read(token) == link
        assert all(letter.isalnum() or letter in "-_" for letter in token)


def test_a_forged_token_is_refused(shared: Settings) -> None:
    """Changing any byte, the room, the version or the secret breaks it."""
    signer = OverlaySigner(shared)
    token = signer.token(OverlayLink("harbour", 1))
    data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(data)):
        forged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert signer.read(base64.urlsafe_b64encode(forged).rstrip(b"=").decode()) is None
    for other in (data + b"x", data[:-1], data[:32], b""):
        assert signer.read(base64.urlsafe_b64encode(other).rstrip(b"=").decode()) is None
    stranger = OverlaySigner(Settings(link_secret=SECRET + " of a stranger"))  # type: ignore[arg-type]
    assert signer.read(stranger.token(OverlayLink("harbour", 1))) is None


@pytest.mark.parametrize("token", ["", "x", "ä", "=" * 10, "a" * 201, "a b", "\0" * 60])
def test_rubbish_is_refused(shared: Settings, token: str) -> None:
    """Text that never was a link is refused."""
    assert OverlaySigner(shared).read(token) is None


def test_link_secret_goes_before_jwt_secret(shared: Settings) -> None:
    """Links survive a change of the token secret when they have a secret of their own."""
    own = {"link_secret": "the secret of links, also longer than 32 bytes"}
    before = OverlaySigner(Settings(jwt_secret=SECRET, **own))  # type: ignore[arg-type]
    after = OverlaySigner(Settings(jwt_secret=SECRET[::-1], **own))  # type: ignore[arg-type]
    token = before.token(OverlayLink("harbour", 1))
    assert after.read(token) == OverlayLink("harbour", 1)
    assert OverlaySigner(shared).read(token) is None


async def test_a_link_lets_its_overlay_in(links: OverlayLinks) -> None:
    """The identity is the overlay of that room, nobody's user, without an end."""
    found = await links.identity(token_of(await links.url("harbour")))
    assert found == Identity(None, "Overlay", "overlay", "harbour", math.inf)


async def test_a_rotated_link_is_void(links: OverlayLinks) -> None:
    """Only the newest link counts."""
    old = token_of(await links.url("harbour"))
    new = token_of(await links.rotate("harbour"))
    assert old != new
    assert token_of(await links.url("harbour")) == new
    refused = await links.identity(old)
    assert isinstance(refused, Refusal)
    assert "studio" in refused.message
    assert isinstance(await links.identity(new), Identity)


async def test_without_a_secret_links_are_not_set_up(settings: Settings, database: AsyncEngine) -> None:
    """A server with a JWKS alone says which secret links need."""
    links = OverlayLinks(settings.model_copy(update={"jwt_secret": None}), database)
    for answer in (await links.url("harbour"), await links.rotate("harbour"), await links.identity("x")):
        assert isinstance(answer, Refusal)
        assert "GIFTSERVER_LINK_SECRET" in answer.message
