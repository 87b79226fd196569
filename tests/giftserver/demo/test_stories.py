"""What has happened before somebody opens the demo: each odd case is there, nothing is lost, and it happens once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from giftserver.demo.people import DEPUTY, EXAMPLES, OPERATOR, VIEWERS
from giftserver.demo.seed import seed
from giftserver.demo.stories import PAYING, other_prices, tell
from giftserver.demo.visits import open_visits
from giftserver.settings import Settings
from tests.giftserver.shop import Shop, open_shop


@contextlib.asynccontextmanager
async def at_work(shop: Shop) -> AsyncIterator[None]:
    """Flusher and worker go on until the block ends."""

    async def work() -> None:
        while True:
            await shop.work()
            await shop.web.settle()
            await shop.claims.step()
            await asyncio.sleep(0.005)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def demo(settings: Settings, static_dir: Path) -> AsyncIterator[tuple[Shop, Settings]]:
    """A demo's shop with rooms and coins, and its settings as the bots have them."""
    async with open_shop(settings.model_copy(update={"static_dir": static_dir, "demo": True})) as shop:
        await seed(shop.web.settings)
        port = urlsplit(shop.web.settings.base_url).port
        yield shop, shop.web.settings.model_copy(update={"port": port})


async def ask(shop: Shop, person: str, path: str, role: str = "viewer") -> Any:
    """An answer of the server."""
    answer = await shop.web.http.get(path, headers=shop.web.bearer(person, role))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def everything(shop: Shop) -> dict[str, Any]:
    """All that operators can list, without what the clock changes."""
    names = ("payments", "cases", "adjustments", "prices", "audit")
    found = {name: await ask(shop, OPERATOR, f"/v1/ops/{name}", "admin") for name in names}
    return found | {"nils": await ask(shop, "greta", "/v1/guardian/wards/nils/limits")}


async def test_every_story_is_told_once(demo: tuple[Shop, Settings]) -> None:
    """Each state is what its story says, `verify` is clean, visitors are untouched, a second start adds nothing."""
    shop, settings = demo
    async with at_work(shop):
        await tell(settings)
        async with asyncio.timeout(20):
            while not await is_settled(shop):  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0.02)
    await shop.proved()
    payments = {one["user"]: one for one in await payments_of(shop)}
    assert set(payments) == set(PAYING)
    assert {person: one["state"] for person, one in payments.items()} == {
        "oskar": "credited", "petra": "failed", "quinn": "pending", "rosa": "authorised", "samir": "credited",
        "tilda": "partially_refunded", "ulla": "credited", "viktor": "credited", "wanda": "pending",
        "leo": "credited",
    }  # fmt: skip
    assert (payments["oskar"]["bonus_coins"], payments["petra"]["decline"]) == (70, "insufficient_funds")
    assert payments["quinn"]["decline"] == "authentication_failed"
    assert (payments["ulla"]["dispute"], payments["viktor"]["dispute"]) == ("frozen", "lost")
    assert [person for person, one in payments.items() if one["review"]] == ["wanda"]
    [credited] = [
        step for step in (await story(shop, payments["samir"]))["steps"] if step["state"] == "succeeded"
    ]  # fmt: skip
    assert credited["source"] == "buyer"
    [claim] = (await story(shop, payments["viktor"]))["claims"]
    assert (claim["owed_coins"], claim["clawed_diamonds"], claim["frozen_coins"]) == (500, 500, 270)
    for person, held in (("ulla", True), ("viktor", True), ("leo", True), ("oskar", False)):
        assert (await ask(shop, person, "/v1/wallet"))["on_hold"] is held, person
    [case] = (await ask(shop, OPERATOR, "/v1/ops/cases", "admin"))["cases"]
    assert (case["person"], case["state"], case["on_hold"]) == ("leo", "open", True)
    [asked] = (await ask(shop, OPERATOR, "/v1/ops/adjustments", "admin"))["adjustments"]
    assert (asked["user"], asked["state"], asked["proposed_by"]) == ("samir", "proposed", DEPUTY)
    prices = await ask(shop, OPERATOR, "/v1/ops/prices", "admin")
    assert [(one["proposed_by"], one["approved_by"]) for one in prices["lists"]] == [(DEPUTY, None)]
    limits = await ask(shop, "nils", "/v1/limits")
    assert limits["guardian"] == "Greta"
    assert [(one["scope"], one["kind"], one["coins"]) for one in limits["waiting"]] == [("guardian", "day", 1_000)]
    assert {one["kind"]: one["coins"] for one in limits["limits"]} == {"gift": 100, "day": 500, "month": 5_000}
    assert not set(EXAMPLES) & set(VIEWERS)

    before = await everything(shop)
    async with at_work(shop):
        await tell(settings)
    assert await everything(shop) == before


async def is_settled(shop: Shop) -> bool:
    """Whether what the last steps began has come to its end."""
    standing = {one["user"]: one for one in await payments_of(shop)}
    return (
        standing["rosa"]["state"] == "authorised"
        and standing["tilda"]["state"] == "partially_refunded"
        and standing["wanda"]["review"] is not None
        and standing["quinn"]["decline"] is not None
        and (standing["ulla"]["dispute"], standing["viktor"]["dispute"]) == ("frozen", "lost")
    )


async def payments_of(shop: Shop) -> list[dict[str, Any]]:
    """Payments of everybody."""
    found: list[dict[str, Any]] = (await ask(shop, OPERATOR, "/v1/ops/payments", "admin"))["payments"]
    return found


async def story(shop: Shop, payment: dict[str, Any]) -> Any:
    """A payment with steps and claims."""
    return await ask(shop, OPERATOR, f"/v1/ops/payments/{payment['id']}", "admin")


async def test_what_is_away_costs_a_story_and_not_the_demo(demo: tuple[Shop, Settings]) -> None:
    """Without a sandbox nobody buys; one that fails leaves its stories, and the others are told all the same."""
    shop, settings = demo
    await tell(settings.model_copy(update={"payments": ()}))
    assert await payments_of(shop) == []
    assert len((await ask(shop, OPERATOR, "/v1/ops/prices", "admin"))["lists"]) == 1
    await shop.mischief(create_fails=10_000)
    await tell(settings)
    assert {one["state"] for one in await payments_of(shop)} <= {"created"}
    async with open_visits(settings) as visits:
        await other_prices(visits, DEPUTY)
    assert len((await ask(shop, OPERATOR, "/v1/ops/prices", "admin"))["lists"]) == 1
