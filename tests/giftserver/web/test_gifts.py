"""Catalogue, tickets, and what became of a gift."""

from collections.abc import Callable

import jwt
import pytest

from giftserver.gifts import service
from tests.giftserver.conftest import Outage, Web, assert_refused


async def test_the_catalogue_comes_with_its_version(web: Web) -> None:
    """Who has this version gets 304 and no body."""
    answer = await web.http.get("/v1/catalog")
    assert answer.status_code == 200
    assert answer.json()["version"] == web.services.catalog.version
    assert answer.json()["gifts"][0]["art"].startswith("/static/gifts/")
    etag = answer.headers["etag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await web.http.get("/v1/catalog", headers={"if-none-match": sent})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await web.http.get("/v1/catalog", headers={"if-none-match": '"other"'})).status_code == 200


async def test_a_ticket_stands_for_its_bearer_once(web: Web) -> None:
    """The ticket of a token carries its identity, and only the first to show it gets in."""
    answer = await web.http.post("/v1/tickets", headers=web.bearer("ana"))
    assert answer.status_code == 200
    assert answer.json()["expires_in_s"] == 30
    assert answer.headers["cache-control"] == "no-store"
    identity = await web.services.tickets.redeem(answer.json()["ticket"])
    assert identity is not None
    assert (identity.user, identity.role) == ("ana", "viewer")
    assert await web.services.tickets.redeem(answer.json()["ticket"]) is None


async def test_an_overlay_link_gets_tickets_without_a_token(web: Web) -> None:
    """Whoever has the link may watch that room as its overlay, until the link is rotated."""
    mira = web.bearer("mira", "creator")
    url = (await web.http.get("/v1/studio/harbour", headers=mira)).json()["overlay_url"]
    overlay = {"overlay": url.rpartition("/overlay/")[2]}
    answer = await web.http.post("/v1/tickets", json=overlay)
    identity = await web.services.tickets.redeem(answer.json()["ticket"])
    assert identity is not None
    assert (identity.user, identity.role, identity.room) == (None, "overlay", "harbour")
    assert (await web.http.post("/v1/studio/harbour/overlay/rotate", headers=mira)).status_code == 200
    assert_refused(await web.http.post("/v1/tickets", json=overlay), 401, "unauthorized")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "Authorization"),
        ({"authorization": "Basic YTpi"}, "Bearer"),
        ({"authorization": "Bearer"}, "Bearer"),
        ({"authorization": "Bearer nonsense"}, "JWT"),
        ({"authorization": f"Bearer {jwt.encode({'sub': 'ana'}, 'x' * 32, 'HS256')}"}, "signature"),
    ],
)
async def test_without_a_good_token_there_is_no_ticket(web: Web, headers: dict[str, str], words: str) -> None:
    """The refusal says what is wrong with the token and how tokens are sent."""
    answer = await web.http.post("/v1/tickets", headers=headers)
    assert words in assert_refused(answer, 401, "unauthorized")["message"]
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_expired_token_says_so(web: Web) -> None:
    """The message names the way out."""
    answer = await web.http.get("/v1/wallet", headers=web.bearer("ana", ttl_s=-3_600))
    assert assert_refused(answer, 401, "unauthorized")["message"] == "token expired: fetch a new one"


async def test_a_key_tells_what_it_bought(web: Web, new_key: Callable[[], str]) -> None:
    """Accepted at once, settled after the flush, not found for everybody else."""
    key = new_key()
    await web.give_coins("ana", 10)
    receipt = await web.send_gift("ana", key)
    for state in ("accepted", "settled"):
        answer = await web.http.get(f"/v1/gifts/{key}", headers=web.bearer("ana"))
        assert answer.json() == {
            "transfer": receipt.transfer, "key": key, "coins": 1, "diamonds": 1, "balance_coins": 9, "state": state,
        }  # fmt: skip
        await web.settle()
    assert_refused(await web.http.get(f"/v1/gifts/{key}", headers=web.bearer("ben")), 404, "not_found")
    assert_refused(await web.http.get(f"/v1/gifts/{new_key()}", headers=web.bearer("ana")), 404, "not_found")
    assert_refused(await web.http.get("/v1/gifts/x", headers=web.bearer("ana")), 404, "not_found")
    assert_refused(await web.http.get(f"/v1/gifts/{key}"), 401, "unauthorized")


async def test_a_gift_is_known_while_postgresql_is_away(outage: Outage, new_key: Callable[[], str]) -> None:
    """Redis knows it: accepted, settled or not. A key that Redis does not know may be older than that: never 404."""
    web = outage.web
    await web.give_coins("ana", 10)
    settled, waiting = new_key(), new_key()
    await web.send_gift("ana", settled)
    await web.settle()
    await web.send_gift("ana", waiting, quantity=2)
    await outage.proxy.stop()
    for key, coins in ((settled, 1), (waiting, 2)):
        answer = await web.http.get(f"/v1/gifts/{key}", headers=web.bearer("ana"))
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["coins"]) == ("accepted", coins)
    unknown = await web.http.get(f"/v1/gifts/{new_key()}", headers=web.bearer("ana"))
    assert assert_refused(unknown, 503, "unavailable")["temporary"] is True


async def test_a_gift_is_known_while_postgresql_hangs(
    outage: Outage, new_key: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for it is bounded, then Redis answers."""
    monkeypatch.setattr(service, "DATABASE_S", 0.2)
    web, key = outage.web, new_key()
    await web.give_coins("ana", 10)
    await web.send_gift("ana", key)
    outage.proxy.black_hole = True
    answer = await web.http.get(f"/v1/gifts/{key}", headers=web.bearer("ana"), timeout=4)
    assert answer.json()["state"] == "accepted"
