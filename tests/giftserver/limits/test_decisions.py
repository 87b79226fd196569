"""Decisions on limits that meet each other: while one waits, is overtaken, or is being written."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.limits import (
    LOOSER_MAX,
    Refused,
    Standing,
    decide_amounts,
    decide_lock,
    due_limits,
    mark_limits,
    standing_of,
)
from giftserver.ledger.limits import NONE
from tests.giftserver.conftest import Web, assert_refused
from tests.giftserver.limits.soon import midnight_in
from tests.giftserver.limits.test_guardians import ask, link
from tests.giftserver.limits.test_sending import of, put, refused
from tests.giftserver.web.sockets import NewKey, balance, joined


async def hours_later(web: Web, hours: int) -> None:
    """Let everything have been asked for, and begin, so much earlier."""
    async with web.engines.database.begin() as connection:
        await connection.execute(text("ALTER TABLE limit_change DISABLE TRIGGER limit_change_stays"))
        shift = text(
            "UPDATE limit_change SET from_at = from_at - make_interval(hours => :h), "
            "asked_at = asked_at - make_interval(hours => :h)"
        )
        await connection.execute(shift, {"h": hours})
        await connection.execute(text("ALTER TABLE limit_change ENABLE TRIGGER limit_change_stays"))


async def test_a_raise_that_was_replaced_never_begins(web: Web) -> None:
    """Not even for as long as the one in its place still waits; then that one does, and both are brought once."""
    await put(web, day_coins=100)
    await put(web, day_coins=1_000)
    await hours_later(web, 2)
    await put(web, day_coins=200)
    await hours_later(web, 23)
    shown = (await web.http.get("/v1/limits", headers=web.bearer("ana"))).json()
    assert of(shown, "day")["coins"] == 100, "the replaced one would have begun an hour ago"
    assert [one["coins"] for one in shown["waiting"]] == [200]
    await web.services.limits.step()
    assert await web.services.limits.step() == 0
    await hours_later(web, 1)
    assert await web.services.limits.step() == 1
    assert of((await web.http.get("/v1/limits", headers=web.bearer("ana"))).json(), "day")["coins"] == 200


async def late(web: Web, first: Callable[[AsyncConnection], Awaitable[None]], then: Awaitable[None]) -> Standing:
    """A decision whose transaction began before another one's and ends after it; what held in between."""
    async with web.engines.database.connect() as slow, slow.begin():
        await slow.execute(text("SELECT now()"))
        await then
        between, _ = await standing_of(web.engines.database, "ana")
        await first(slow)
    return between


async def test_who_waited_for_their_turn_sees_what_was_decided_meanwhile(web: Web) -> None:
    """A break is not made shorter by a decision that began earlier and was written later."""

    async def long() -> None:
        async with web.engines.database.begin() as connection:
            await decide_lock(connection, "ana", "own", "ana", 24)

    with pytest.raises(Refused):
        await late(web, lambda slow: decide_lock(slow, "ana", "own", "ana", 1), long())


async def test_what_was_being_written_is_not_marked_as_brought(web: Web) -> None:
    """Whoever brings limits marks those that they read; one that was not there yet is still due."""

    async def gift() -> None:
        async with web.engines.database.begin() as connection:
            await decide_amounts(connection, "ana", "own", "ana", {"gift": 5}, NONE)

    seen = await late(web, lambda slow: decide_amounts(slow, "ana", "own", "ana", {"day": 5}, NONE), gift())
    assert (seen.number, seen.coins) == (1, {("own", "gift"): 5})
    await mark_limits(web.engines.database, "ana", seen)
    assert await due_limits(web.engines.database, 10) == ["ana"]
    assert await web.services.limits.step() == 1
    assert await due_limits(web.engines.database, 10) == []


async def test_another_zone_is_no_new_day(rich: Web, new_key: NewKey, tmp_path: Path) -> None:
    """What was spent in the day before the zone changed counts in the day after it, in Redis and at checkout."""
    await put(rich, day_coins=40, month_coins=100)
    async with joined(rich) as ana:
        assert (await ana.gift(1, new_key(), quantity=30))["type"] == "reply"
        with midnight_in(tmp_path, 0.0) as (zone, begins_s):
            while time.time() < begins_s:
                assert await balance(rich) == 970
            await rich.services.limits.set_zone("ana", zone)
            shown = (await rich.http.get("/v1/limits", headers=rich.bearer("ana"))).json()
            assert (shown["zone"], of(shown, "day")["sent_coins"], of(shown, "day")["left_coins"]) == (zone, 30, 10)
            await refused(ana, new_key(), 11, "day", 10)
            assert (await ana.gift(2, new_key(), quantity=10))["type"] == "reply"
            await refused(ana, new_key(), 1, "day", 0)


async def test_a_zone_that_left_the_database_of_time_zones_locks_nobody_out(rich: Web, new_key: NewKey) -> None:
    """Its days are counted in UTC; neither that person nor those who load with them wait for it."""
    forgotten = "INSERT INTO limit_change (user_id, scope, field, zone, by_user, from_at) "
    async with rich.engines.database.begin() as connection:
        await connection.execute(text(forgotten + "VALUES ('ana', 'own', 'zone', 'Mars/Olympus', 'ana', now())"))
    async with joined(rich) as ana:
        assert (await ana.gift(1, new_key()))["type"] == "reply"
    assert of(await put(rich, day_coins=40), "day")["sent_coins"] == 1


async def test_nobody_loosens_without_end(web: Web) -> None:
    """Raises and changes of zone are counted, those of a guardian for themselves; what is stricter never is."""
    await link(web)
    await put(web, "/zone", zone="Europe/Rome")
    await put(web, day_coins=1_000, month_coins=1_000)
    for n in range(LOOSER_MAX // 2):
        await put(web, day_coins=2_000 + n)
        await put(web, "/zone", zone=("Asia/Tokyo", "Asia/Seoul")[n % 2])
    for path, body in (
        ("", {"day_coins": 5_000}), ("", {"day_coins": 5, "month_coins": 5_000}), ("", {"day_coins": None}),
        ("/zone", {"zone": "Asia/Tokyo"}),
    ):  # fmt: skip
        answer = await web.http.put(f"/v1/limits{path}", json=body, headers=web.bearer("ana"))
        assert "breaks are taken now" in assert_refused(answer, 409, "limit_stays")["message"]
    shown = (await web.http.get("/v1/limits", headers=web.bearer("ana"))).json()
    assert [one["coins"] for one in shown["waiting"]] == [2_049, None], "nothing of what was refused was written"
    assert of(await put(web, day_coins=5), "day")["coins"] == 5
    assert of(await put(web, "/session", method="POST", coins=5, hours=1), "session")["coins"] == 5
    assert (await put(web, "/break", method="POST", hours=1))["break_until_ms"] is not None
    assert (await ask(web, "PUT", "/wards/ana/limits", "gus", {"day_coins": 7})).status_code == 200
    assert (await ask(web, "PUT", "/wards/ana/limits", "gus", {"day_coins": 8})).status_code == 200
    await hours_later(web, 24)
    assert [one["coins"] for one in (await put(web, day_coins=6))["waiting"]] == [6]
    assert (await web.http.delete("/v1/guardian", headers=web.bearer("ana"))).status_code == 200
