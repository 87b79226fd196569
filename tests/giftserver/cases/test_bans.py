"""Bans from live, decided in cases: rooms close, none opens, and no coin of a gift that came too late is lost."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy import text

from giftserver.auth.tokens import Identity
from giftserver.errors import Refusal
from giftserver.gifts import rooms
from giftserver.gifts.messages import Receipt, SendGift
from giftserver.ledger.clock import latest_ms
from giftserver.refunder import Refunder
from giftserver.settings import Settings
from tests.giftserver.cases.desk import Desk
from tests.giftserver.conftest import Web, assert_refused, running
from tests.giftserver.shop import new_key
from tests.giftserver.web.sockets import joined
from tests.torture.waiting import clock_passes

ANA = Identity("ana", "Ana", "viewer", None, float("inf"))


async def case_about(desk: Desk, user: str, by: str = "ana") -> str:
    """Somebody reports a person; the case of it."""
    assert (await desk.report(by, "user", user, "abuse")).status_code == 200
    found = (await desk.get("/v1/ops/cases?state=open"))["cases"]
    return str(next(case["id"] for case in found if case["subject_id"] == user))


async def turn(web: Web, room: str, live: bool, user: str = "mira", role: str = "creator") -> httpx.Response:
    """Open or close a room."""
    return await web.http.post(f"/v1/rooms/{room}/live", json={"live": live}, headers=web.bearer(user, role))


async def give(web: Web, room: str, creator: str) -> httpx.Response:
    """An admin gives a room to somebody."""
    body = {"title": room, "creator": creator}
    return await web.http.put(f"/v1/rooms/{room}", json=body, headers=web.bearer("olga", "admin"))


async def status(web: Web, room: str) -> str:
    """Whether a room is live, as a web process tells it."""
    return str((await web.http.get(f"/v1/rooms/{room}")).json()["status"])


async def send(web: Web, quantity: int = 1) -> Receipt | Refusal:
    """Ana sends one-coin gifts to harbour through this web process."""
    return await web.services.gifts.send(
        ANA, "harbour", SendGift(id=1, key=new_key(), gift="dewdrop", quantity=quantity)
    )


def code_of(answer: Receipt | Refusal) -> str:
    """The code of a refusal; empty for a gift that was taken."""
    return answer.code.name if isinstance(answer, Refusal) else ""


def another(desk: Desk, static_dir: Path) -> Settings:
    """Settings of a second web process of the same site."""
    return desk.shop.web.settings.model_copy(update={"static_dir": static_dir, "public_url": None})


async def test_a_ban_closes_open_rooms_and_none_opens_until_it_ends(desk: Desk) -> None:
    """On an open socket gifts are refused before any debit; opening says the way out; the ban over, it works again."""
    web = desk.shop.web
    assert (await give(web, "loft", "mira")).status_code == 200
    assert (await turn(web, "loft", True)).status_code == 200
    assert (await turn(web, "attic", True, "tomas")).status_code == 200
    id = await case_about(desk, "mira")
    async with joined(web, "ana") as ana:
        case = await desk.took(id, "ban", 1)
        assert (case["banned"], case["on_hold"], case["version"]) == (True, False, 2)
        await ana.wait("room", status="offline")
        refused = await ana.gift(1, new_key())
        assert (refused["type"], refused["code"]) == ("error", "room_not_live")
        assert await web.services.ledger.balance("ana") == 770
        assert [await status(web, room) for room in ("harbour", "loft", "attic")] == ["offline", "offline", "live"]

        told = assert_refused(await turn(web, "harbour", True), 403, "banned_from_live")
        assert "write to support" in told["message"]
        assert not told["temporary"]
        told = assert_refused(await turn(web, "harbour", True, "otto", "admin"), 403, "banned_from_live")
        assert "/ops" in told["message"]
        assert (await turn(web, "harbour", False)).status_code == 200
        assert_refused(await turn(web, "harbour", True), 403, "banned_from_live")

        case = await desk.took(id, "unban", case["version"])
        assert not case["banned"]
        assert await status(web, "harbour") == "offline"
        assert (await turn(web, "harbour", True)).status_code == 200
        await ana.wait("room", status="live")
        assert (await ana.gift(2, new_key()))["type"] == "reply"
    await web.settle()
    assert await desk.shop.coins() == 769
    await desk.shop.proved()


async def test_a_live_room_is_not_given_to_who_is_banned(desk: Desk) -> None:
    """It keeps its creator; closed it may be given, and stays closed."""
    web = desk.shop.web
    await desk.took(await case_about(desk, "tomas"), "ban", 1)
    told = assert_refused(await give(web, "harbour", "tomas"), 403, "banned_from_live")
    assert "Close the room first" in told["message"]
    assert (await web.http.get("/v1/rooms/harbour")).json()["creator"]["id"] == "mira"
    assert await status(web, "harbour") == "live"
    assert (await turn(web, "harbour", False)).status_code == 200
    assert (await give(web, "harbour", "tomas")).status_code == 200
    assert_refused(await turn(web, "harbour", True, "tomas"), 403, "banned_from_live")
    await desk.shop.proved()


async def test_two_cases_ban_and_the_last_one_counts(desk: Desk) -> None:
    """A ban of another case stays when one ends; a case may ban a second time; each has its entry in the audit log."""
    first = await case_about(desk, "mira")
    case = await desk.took(first, "ban", 1)
    case = await desk.took(first, "close", case["version"], outcome="upheld", end_ban=False)
    assert (case["state"], case["banned"]) == ("closed", True)
    second = await case_about(desk, "mira")
    story = await desk.get(f"/v1/ops/cases/{second}")
    assert story["evidence"][0]["facts"]["bans"] == [f"case {first}"]
    again = await desk.took(second, "ban", 1)
    await desk.took(first, "unban", case["version"])
    assert_refused(await turn(desk.shop.web, "harbour", True), 403, "banned_from_live")
    again = await desk.took(second, "unban", again["version"])
    again = await desk.took(second, "ban", again["version"])
    again = await desk.took(second, "close", again["version"], outcome="dismissed", end_ban=True)
    assert not again["banned"]
    assert (await turn(desk.shop.web, "harbour", True)).status_code == 200
    acts = (await desk.get(f"/v1/ops/cases/{first}"))["acts"][::-1]
    assert [(act["action"], act["details"]) for act in acts] == [
        ("open_case", {}), ("ban", {"ban": f"case:{first}", "rooms_closed": 1}),
        ("close_case", {"outcome": "upheld", "held": False, "banned": True}), ("unban", {"ban": f"case:{first}"}),
    ]  # fmt: skip
    assert {(act["actor"], act["role"]) for act in acts[1:]} == {("olga", "admin")}
    assert acts[1]["reason"] == "ban: as agreed"
    acts = (await desk.get(f"/v1/ops/cases/{second}"))["acts"][::-1]
    assert [act["action"] for act in acts] == ["open_case", "ban", "unban", "ban", "unban", "close_case"]
    assert acts[3]["details"] == {"ban": f"case:{second}:2", "rooms_closed": 0}
    await desk.shop.proved()


async def test_closing_a_case_says_what_becomes_of_its_ban(desk: Desk) -> None:
    """Neither forgotten nor made up; a closed case bans nobody anew."""
    id = await case_about(desk, "mira")
    told = assert_refused(await desk.step(id, "close", 1, outcome="upheld", end_ban=True), 409, "case_changed")
    assert "nothing to end" in told["message"]
    assert_refused(await desk.step(id, "unban", 1), 409, "case_changed")
    case = await desk.took(id, "ban", 1)
    assert_refused(await desk.step(id, "ban", case["version"]), 409, "case_changed")
    told = assert_refused(await desk.step(id, "close", case["version"], outcome="upheld"), 409, "case_changed")
    assert "say whether" in told["message"]
    case = await desk.took(id, "hold", case["version"])
    for more in ({"end_ban": True}, {"end_hold": True}):
        assert_refused(await desk.step(id, "close", case["version"], outcome="upheld", **more), 409, "case_changed")
    case = await desk.took(id, "close", case["version"], outcome="upheld", end_hold=True, end_ban=True)
    assert (case["on_hold"], case["banned"]) == (False, False)
    assert_refused(await desk.step(id, "ban", case["version"]), 409, "case_changed")
    await desk.shop.proved()


async def test_of_operators_who_ban_at_once_one_does(desk: Desk) -> None:
    """And of openings beside them none stays."""
    web, id = desk.shop.web, await case_about(desk, "tomas")
    bans = [desk.step(id, "ban", 1) for _ in range(5)]
    opened = [turn(web, "attic", True, "tomas") for _ in range(5)]
    answers = await asyncio.gather(*bans, *opened)
    assert sorted(answer.status_code for answer in answers[:5]) == [200] + [409] * 4
    assert {answer.status_code for answer in answers[5:]} <= {200, 403}
    assert await status(web, "attic") == "offline"
    acts = (await desk.get(f"/v1/ops/audit?subject={id}&action=ban"))["acts"]
    assert len(acts) == 1
    await desk.shop.proved()


async def test_every_web_process_knows_of_a_ban_at_once(
    desk: Desk, static_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is connected there sees the room close, gifts there are refused, and nobody opens it there."""
    monkeypatch.setattr(rooms, "FRESH_S", 60.0)  # who is not told would take gifts for a minute
    id = await case_about(desk, "mira")
    async with running(another(desk, static_dir)) as second, joined(second, "ana") as ana:
        assert (await ana.gift(1, new_key()))["type"] == "reply"
        await desk.took(id, "ban", 1)
        await ana.wait("room", status="offline")
        assert (await ana.gift(2, new_key()))["code"] == "room_not_live"
        assert_refused(await turn(second, "harbour", True), 403, "banned_from_live")
        await desk.shop.web.settle()
        assert await desk.shop.coins() == 769
    await desk.shop.proved()


async def test_a_ban_is_a_ban_while_nobody_can_be_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rooms' Redis is away: the operator's step is taken, this process knows, and each closing has its moment."""

    async def away(*_: object) -> None:
        raise RedisAway("away")

    monkeypatch.setattr(rooms, "FRESH_S", 60.0)
    web, id = desk.shop.web, await case_about(desk, "mira")
    assert (await give(web, "loft", "mira")).status_code == 200
    assert (await turn(web, "loft", True)).status_code == 200
    assert [await status(web, room) for room in ("harbour", "loft")] == ["live", "live"]
    with monkeypatch.context() as patch:
        patch.setattr(rooms, "send_notice", away)
        await desk.took(id, "ban", 1)
    assert [await status(web, room) for room in ("harbour", "loft")] == ["offline", "offline"]
    assert code_of(await send(web)) == "room_not_live"
    async with web.engines.database.connect() as connection:
        moments = await connection.execute(text("SELECT closed_ms FROM room_closing WHERE opened_ms IS NULL"))
        assert [moment is not None for moment in moments.scalars()] == [True, True]


async def test_every_coin_of_a_gift_that_raced_a_ban_is_back(
    desk: Desk, static_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process hears of the ban while gifts flow, another does not: what comes after it is given back."""
    monkeypatch.setattr(rooms, "FRESH_S", 60.0)
    web, id = desk.shop.web, await case_about(desk, "mira")
    async with running(another(desk, static_dir)) as deaf:
        monkeypatch.setattr(deaf.services.rooms, "forget", lambda room: None)
        began, over = asyncio.Event(), asyncio.Event()

        async def gifts(process: Web) -> list[Receipt | Refusal]:
            sent = []
            while not over.is_set():
                sent.append(await send(process))
                began.set()
            return sent

        async def ban() -> None:
            await began.wait()
            await desk.took(id, "ban", 1)
            over.set()

        heard, unheard, _ = await asyncio.gather(gifts(web), gifts(deaf), ban())
        redis = web.engines.ledger_redis
        await clock_passes(redis, await latest_ms(redis))
        late = [await send(deaf, 2) for _ in range(5)]
        assert code_of(await send(web)) == "room_not_live"
    assert {code_of(one) for one in heard} <= {"", "room_not_live"}
    assert {code_of(one) for one in (*unheard, *late)} == {""}

    await web.settle()
    refunder = Refunder(web.engines, web.services.history, desk.shop.metrics)
    given_back = 0
    while step := await refunder.step():
        given_back += step
    receipts = [one for one in (*heard, *unheard, *late) if isinstance(one, Receipt)]
    states = {one.transfer: await state_of(web, one) for one in receipts}
    assert all(states[one.transfer] == "refunded" for one in late if isinstance(one, Receipt))
    assert list(states.values()).count("refunded") == given_back
    kept = sum(one.coins for one in receipts if states[one.transfer] != "refunded")
    assert await desk.shop.coins() == 770 - kept
    entries = await entries_of(web)
    assert [one["amount_coins"] for one in entries if one["kind"] == "refund"][:5] == [2] * 5
    await desk.shop.proved()


async def state_of(web: Web, receipt: Receipt) -> str:
    """How a gift of ana stands, by its key."""
    return str((await web.http.get(f"/v1/gifts/{receipt.key}", headers=web.bearer("ana"))).json()["state"])


async def entries_of(web: Web) -> list[dict[str, Any]]:
    """The last lines of ana's statement, newest first."""
    found = await web.http.get("/v1/wallet/history", headers=web.bearer("ana"))
    entries: list[dict[str, Any]] = found.json()["entries"]
    return entries


async def test_a_ban_outlives_every_redis(desk: Desk, static_dir: Path) -> None:
    """Both are emptied and the ledger is opened anew from PostgreSQL: gifts and openings are refused as before."""
    web, id = desk.shop.web, await case_about(desk, "mira")
    assert code_of(await send(web)) == ""
    case = await desk.took(id, "ban", 1)
    await web.settle()
    await web.engines.rooms_redis.flushall()
    await web.engines.ledger_redis.flushall()
    async with running(another(desk, static_dir)) as anew:
        assert code_of(await send(anew)) == "room_not_live"
        assert_refused(await turn(anew, "harbour", True), 403, "banned_from_live")
        await desk.took(id, "unban", case["version"])
        assert (await turn(anew, "harbour", True)).status_code == 200
        assert code_of(await send(anew)) == ""
        assert await anew.services.ledger.balance("ana") == 768
        await anew.settle()
    await desk.shop.proved()
