"""Rooms over HTTP: reading for everybody, changing for their creators."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from giftserver.auth.tokens import ROLES
from giftserver.web.api import endpoints
from tests.giftserver.conftest import Web, assert_refused
from tests.giftserver.web.sockets import joined

OWN: list[tuple[str, str, Any]] = [
    ("PUT", "/v1/rooms/harbour", {"title": "Mine now"}),
    ("PUT", "/v1/rooms/harbour", {"title": "Mine now", "creator": "tomas"}),
    ("POST", "/v1/rooms/harbour/live", {"live": False}),
    ("GET", "/v1/studio/harbour", None),
    ("GET", "/v1/studio/harbour/earnings", None),
    ("POST", "/v1/studio/harbour/overlay/rotate", None),
    ("POST", "/v1/studio/harbour/test-gift", {"gift": "dewdrop"}),
]
NOT_ROOMS: list[Any] = [
    {},
    {"title": ""},
    {"title": "x" * 121},
    {"title": 7},
    {"title": "x", "live": True},
    {"title": "x", "stream_url": "javascript:alert(1)"},
    {"title": "x", "stream_url": ""},
    {"title": "x", "creator": "two words"},
    [],
    "x",
]


async def test_rooms_are_listed_live_first(web: Web) -> None:
    """Everybody may read rooms, with or without a token."""
    rooms = (await web.http.get("/v1/rooms")).json()["rooms"]
    assert [(room["id"], room["status"]) for room in rooms] == [("harbour", "live"), ("attic", "offline")]
    one = (await web.http.get("/v1/rooms/harbour", headers={"authorization": "Bearer expired"})).json()
    assert one == rooms[0]
    assert one["creator"] == {"id": "mira", "name": "Mira"}


async def test_an_unknown_room_is_not_found(web: Web) -> None:
    """A name that no room has, or can have, is answered the same way."""
    for room in ("nowhere", "a%20b", "x" * 65, "%00"):
        for path in ("", "/top", "/gifts"):
            assert_refused(await web.http.get(f"/v1/rooms/{room}{path}"), 404, "room_not_found")


async def test_a_creator_makes_and_changes_a_room(web: Web) -> None:
    """What is left out stays; null takes the stream away."""
    ines = web.bearer("ines", "creator")
    made = await web.http.put(
        "/v1/rooms/meadow", headers=ines, json={"title": "M", "stream_url": "https://s.example/x"}
    )
    assert made.status_code == 200, made.text
    assert made.json()["creator"] == {"id": "ines", "name": "Ines"}
    assert made.json()["status"] == "offline"
    renamed = (await web.http.put("/v1/rooms/meadow", headers=ines, json={"title": "Meadow"})).json()
    assert (renamed["title"], renamed["stream_url"]) == ("Meadow", "https://s.example/x")
    cleared = (
        await web.http.put("/v1/rooms/meadow", headers=ines, json={"title": "Meadow", "stream_url": None})
    ).json()
    assert cleared["stream_url"] is None
    assert (await web.http.get("/v1/rooms/meadow")).json() == cleared


async def test_going_live_shows_at_once(web: Web) -> None:
    """The next read knows."""
    tomas = web.bearer("tomas", "creator")
    for live, status in ((True, "live"), (False, "offline")):
        answer = await web.http.post("/v1/rooms/attic/live", headers=tomas, json={"live": live})
        assert answer.json()["status"] == status
        assert (await web.http.get("/v1/rooms/attic")).json()["status"] == status


async def test_a_room_belongs_to_its_creator(web: Web) -> None:
    """Another creator, a viewer, a moderator, an overlay, a token of another room and nobody: all are refused."""
    strangers = [
        web.bearer("tomas", "creator"),
        web.bearer("mira", "viewer"),
        web.bearer("mira", "moderator"),
        web.bearer("mira", "overlay", room="harbour"),
        web.bearer("mira", "creator", room="attic"),
    ]
    for method, path, body in OWN:
        for headers in strangers:
            assert_refused(await web.http.request(method, path, headers=headers, json=body), 403, "forbidden")
        assert_refused(await web.http.request(method, path, json=body), 401, "unauthorized")
        for headers in (web.bearer("mira", "creator"), web.bearer("root", "admin")):
            kept = {**body, "creator": "mira"} if method == "PUT" else body
            answer = await web.http.request(method, path, headers=headers, json=kept)
            assert answer.status_code == 200, answer.text


async def test_a_token_of_one_room_is_good_for_nothing_else(web: Web) -> None:
    """Whatever asks who comes and is not about that room is refused in words; its paths and its socket are not."""
    bound = {role: web.bearer("mira", role, room="harbour") for role in ROLES}
    asked = 0
    for endpoint in endpoints(web.settings):
        for role in endpoint.roles or ():
            path = re.sub(r"\{\w+\}", "x", endpoint.path.replace("{room}", "attic"))
            answer = await web.http.request(endpoint.method, path, headers=bound[role], json={})
            assert "only for room harbour" in assert_refused(answer, 403, "forbidden")["message"], path
            asked += 1
    assert asked > 50
    for method, path, body in OWN:
        kept = {**body, "creator": "mira"} if method == "PUT" else body
        answer = await web.http.request(method, path, headers=bound["creator"], json=kept)
        assert answer.status_code == 200, answer.text
    for role in ROLES:
        ticket = (await web.http.post("/v1/tickets", headers=bound[role], json={})).json()
        assert ticket["room"] == "harbour"
        async with joined(web, None, query=f"?ticket={ticket['ticket']}") as client:
            assert (await client.wait("welcome"))["room"] == "harbour"
    assert (await web.http.get("/v1/catalog", headers=bound["viewer"])).status_code == 200


async def test_only_an_admin_gives_a_room_away(web: Web) -> None:
    """A creator keeps the room; an admin may name another."""
    gift = {"title": "Harbour", "creator": "ines", "creator_name": "Ines"}
    assert_refused(
        await web.http.put("/v1/rooms/harbour", headers=web.bearer("mira", "creator"), json=gift), 403, "forbidden"
    )
    given = await web.http.put("/v1/rooms/harbour", headers=web.bearer("root", "admin"), json=gift)
    assert given.json()["creator"] == {"id": "ines", "name": "Ines"}


async def test_a_wrong_room_is_refused(web: Web) -> None:
    """Every field is checked, and unknown ones are refused."""
    for body in NOT_ROOMS:
        answer = await web.http.put("/v1/rooms/harbour", headers=web.bearer("mira", "creator"), json=body)
        assert_refused(answer, 400, "bad_request")


async def test_gifts_and_supporters_are_shown(web: Web, new_key: Callable[[], str]) -> None:
    """The kept history page by page, and who gave most."""
    for user, quantity in (("ana", 3), ("ben", 5), ("ana", 1)):
        await web.give_coins(user, 10)
        await web.send_gift(user, new_key(), quantity=quantity)
    await web.services.announcer.close()
    top = (await web.http.get("/v1/rooms/harbour/top")).json()["items"]
    assert top == [{"id": "ben", "name": "Ben", "coins": 5}, {"id": "ana", "name": "Ana", "coins": 4}]
    seen, after = [], 0
    while after is not None:
        page = (await web.http.get("/v1/rooms/harbour/gifts", params={"after": after, "limit": 2})).json()
        seen += page["gifts"]
        after = page["next"]
    assert [gift["quantity"] for gift in seen] == [3, 5, 1]
    assert [gift["offset"] for gift in seen] == [1, 2, 3]
    stale = (await web.http.get("/v1/rooms/harbour/gifts", params={"epoch": "other", "after": 2})).json()
    assert len(stale["gifts"]) == 3
    same = (await web.http.get("/v1/rooms/harbour/gifts", params={"epoch": page["epoch"], "after": 2})).json()
    assert len(same["gifts"]) == 1


async def test_a_wrong_page_is_refused(web: Web) -> None:
    """Numbers of the query have bounds."""
    for query in ("after=-1", "after=x", "after=9007199254740992", "limit=0", "limit=1001", "limit=1.5"):
        assert_refused(await web.http.get(f"/v1/rooms/harbour/gifts?{query}"), 400, "bad_request")


@pytest.mark.parametrize(
    "body",
    [
        {"title": "   "},
        {"title": "a\0b"},
        {"title": "\u202eeltit"},
        {"title": "t", "stream_url": "http://[bad"},
        {"title": "t", "stream_url": "http://"},
        {"title": "t", "creator_name": "\n\n"},
        {"title": "t", "creator": "mira\n"},
    ],
)
async def test_texts_that_hide_or_break_are_refused(web: Web, body: dict[str, str]) -> None:
    """Blank, control and direction characters, addresses that are none: 400, and the room stays as it was."""
    answer = await web.http.put("/v1/rooms/harbour", json=body, headers=web.bearer("mira", "admin"))
    assert_refused(answer, 400, "bad_request")
    assert (await web.http.get("/v1/rooms/harbour")).json()["title"] == "The harbour"
