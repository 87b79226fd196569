"""The creator's desk."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from giftserver.gifts import notices
from rooms.bus import Bus
from tests.giftserver.conftest import Web, assert_refused


async def server_ms(web: Web) -> int:
    """The ledger's clock."""
    seconds, microseconds = await web.engines.ledger_redis.time()
    return int(seconds) * 1_000 + int(microseconds) // 1_000


async def test_today_counts_live_and_settled(web: Web, new_key: Callable[[], str]) -> None:
    """Diamonds count at once, gifts when they are settled; what no overlay showed is listed."""
    mira = web.bearer("mira", "creator")
    await web.give_coins("ana", 10)
    await web.send_gift("ana", new_key(), quantity=4)
    await web.services.announcer.close()
    paid_ms = await server_ms(web)
    now = (await web.http.get("/v1/studio/harbour", headers=mira)).json()
    assert (now["diamonds_today"], now["gifts_today"], now["unshown"]) == (4, 0, [1])
    assert paid_ms <= now["as_of_ms"] <= await server_ms(web)
    assert now["overlay_url"].startswith(f"{web.settings.public_url}/overlay/")
    await web.settle()
    await web.services.history.mark_shown("harbour", [1])
    later = (await web.http.get("/v1/studio/harbour", headers=mira)).json()
    assert (later["diamonds_today"], later["gifts_today"], later["unshown"]) == (4, 1, [])


async def test_earnings_are_pending_for_two_weeks(web: Web, new_key: Callable[[], str]) -> None:
    """Today's diamonds are pending and say when they become available."""
    mira = web.bearer("mira", "creator")
    empty = (await web.http.get("/v1/studio/harbour/earnings", headers=mira)).json()
    assert empty == {
        "pending_diamonds": 0, "available_diamonds": 0, "held_diamonds": 0, "paid_diamonds": 0, "days": [],
    }  # fmt: skip
    await web.give_coins("ana", 10)
    await web.send_gift("ana", new_key(), quantity=4)
    await web.settle()
    today = datetime.now(UTC).date()
    answer = (await web.http.get("/v1/studio/harbour/earnings", headers=mira)).json()
    assert (answer["pending_diamonds"], answer["available_diamonds"], answer["paid_diamonds"]) == (4, 0, 0)
    assert answer["days"] == [{"day": str(today), "diamonds": 4, "available_on": str(today + timedelta(days=14))}]


async def test_a_rotated_overlay_link_stays(web: Web) -> None:
    """The studio shows the new link from then on."""
    mira = web.bearer("mira", "creator")
    old = (await web.http.get("/v1/studio/harbour", headers=mira)).json()["overlay_url"]
    new = (await web.http.post("/v1/studio/harbour/overlay/rotate", headers=mira)).json()["overlay_url"]
    assert new != old
    assert (await web.http.get("/v1/studio/harbour", headers=mira)).json()["overlay_url"] == new


async def test_a_test_gift_is_told_to_every_process_and_costs_nothing(web: Web) -> None:
    """The notice names room, gift and price; an unknown gift is refused."""
    arrived: asyncio.Queue[notices.Notice] = asyncio.Queue()
    bus = Bus(web.engines.rooms_redis, lambda: None)
    await bus.start()
    try:
        await notices.listen(bus, arrived.put_nowait)
        mira = web.bearer("mira", "creator")
        answer = await web.http.post("/v1/studio/harbour/test-gift", headers=mira, json={"gift": "dewdrop"})
        assert answer.json() == {"gift": "dewdrop", "coins": 1}
        async with asyncio.timeout(5):
            assert await arrived.get() == notices.TestGiftSent("harbour", "dewdrop", "Mira", 1)
    finally:
        await bus.stop()
    unknown = await web.http.post("/v1/studio/harbour/test-gift", headers=mira, json={"gift": "nothing"})
    assert_refused(unknown, 404, "gift_unavailable")
    assert (await web.http.get("/v1/rooms/harbour/gifts")).json()["gifts"] == []


async def test_the_studio_of_an_unknown_room_is_not_found(web: Web) -> None:
    """Also for an admin."""
    root = web.bearer("root", "admin")
    assert_refused(await web.http.get("/v1/studio/nowhere", headers=root), 404, "room_not_found")
