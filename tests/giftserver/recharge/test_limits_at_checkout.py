"""Limits of what is bought: counted from the order on, whoever orders how often at once."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from giftserver.settings import Settings
from tests.giftserver.conftest import assert_refused
from tests.giftserver.limits.soon import midnight_in
from tests.giftserver.limits.test_sending import age, of, put
from tests.giftserver.recharge.test_reviews import decided, in_review
from tests.giftserver.shop import Shop, new_key, open_shop


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A platform that sells 1,500 coins a day to who chose nothing."""
    return settings.model_copy(update={"limit_day_coins": 1_500, "orders_per_address": 1_000})


async def passed(shop: Shop, limit: str, left: int, **changes: Any) -> None:
    """An order that a limit stops."""
    error = assert_refused(await shop.order(**changes), 403, "limit_reached")
    assert (error["limit"], error["left_coins"]) == (limit, left)


async def test_an_order_counts_until_it_ends_unpaid(shop: Shop) -> None:
    """The platform's limit, one's own of a day and a month, and a break; a cancelled order gives its share back."""
    first = await shop.paid()
    await shop.until_state(first["id"], "credited")
    again = {"pack": "coins-700", "amount_minor": 999, "bonus_coins": 0}
    small = {"pack": "coins-70", "amount_minor": 99, "bonus_coins": 0}
    second = await shop.ordered(**again)
    await passed(shop, "day", 100, **again)
    await shop.ordered(**small)
    await passed(shop, "day", 30, **small)
    await shop.web.http.post(f"/v1/payments/{second['id']}/cancel", headers=shop.web.bearer("ana"))
    shown = await put(shop.web, day_coins=770, month_coins=1_480)
    assert (of(shown, "day")["bought_coins"], of(shown, "month")["bought_coins"]) == (770, 770)
    await passed(shop, "day", 0, **small)
    await put(shop.web, day_coins=1_600)
    await age(shop.web, 24)
    await shop.ordered(**again)
    await passed(shop, "month", 10, **small)
    await put(shop.web, "/break", method="POST", hours=1)
    await passed(shop, "locked", 0, **small)
    await shop.proved()


@pytest.mark.parametrize("ordered_h_ago", [0, 24, 24 * 40])
async def test_money_that_comes_after_the_order_expired_counts_when_it_comes(shop: Shop, ordered_h_ago: int) -> None:
    """It is credited beyond the limit, for nobody can refuse it; whoever orders after it is told, whenever it was."""
    small = {"pack": "coins-70", "amount_minor": 99, "bonus_coins": 0}
    await shop.mischief(pay_after_expiry=True)
    late = await shop.ordered()
    await shop.control("POST", f"/v1/sessions/{await shop.session(late)}/expire")
    await shop.until_state(late["id"], "expired")
    async with shop.web.engines.database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for column in ("payment SET created_at = created_at", "payment_step SET at = at"):
            await connection.execute(text(f"UPDATE {column} - interval '{ordered_h_ago} hours'"))
    await put(shop.web, month_coins=2_150)
    other = await shop.ordered(pack="coins-1400", amount_minor=1_999, bonus_coins=140)
    await shop.pay(other)
    await shop.until_state(other["id"], "credited")
    await shop.pay(late)
    await shop.until_state(late["id"], "credited")
    assert await shop.coins() == 1_400 + 140 + 700  # the first purchase is the other one
    shown = (await shop.web.http.get("/v1/limits", headers=shop.web.bearer("ana"))).json()
    assert [of(shown, window)["bought_coins"] for window in ("day", "month")] == [2_100, 2_100]
    await passed(shop, "day", 0, **small)
    await put(shop.web, day_coins=35_000)
    await age(shop.web, 24)
    await passed(shop, "month", 50, **small)
    await shop.proved()


async def test_the_store_says_what_is_left(shop: Shop) -> None:
    """Of the tightest limit, less what was ordered; nothing in a break, and that a case has the wallet on hold."""

    async def left(user: str = "ana") -> int | None:
        found = (await shop.web.http.get("/v1/store", headers=shop.web.bearer(user))).json()
        return None if found["on_hold"] else int(found["left_coins"])

    assert await left() == 1_500
    payment = await shop.paid()
    await shop.until_state(payment["id"], "credited")
    assert await left() == 800
    subject = {"kind": "payment", "id": payment["id"]}
    report = {"key": new_key(), "subject": subject, "reason": "unauthorised", "hold": True}
    answer = await shop.web.http.post("/v1/reports", json=report, headers=shop.web.bearer("ana"))
    assert (answer.status_code, await left()) == (200, None)
    olga = shop.web.bearer("olga", "admin")
    (case,) = (await shop.web.http.get("/v1/ops/cases", headers=olga)).json()["cases"]
    step = {"version": case["version"], "reason": "it was them"}
    await shop.web.http.post(f"/v1/ops/cases/{case['id']}/release", json=step, headers=olga)
    assert await left() == 800
    await put(shop.web, day_coins=730)
    assert await left() == 30
    await put(shop.web, day_coins=500)
    assert await left() == 0
    await put(shop.web, "/break", user="ben", method="POST", hours=1)
    assert await left("ben") == 0


async def test_a_sessions_budget_holds_for_orders(shop: Shop) -> None:
    """What is ordered while it runs, counted apart from gifts and from what was ordered before it."""
    small = {"pack": "coins-70", "amount_minor": 99, "bonus_coins": 0}
    first = await shop.paid()
    await shop.until_state(first["id"], "credited")
    async with shop.web.engines.database.begin() as connection:
        await connection.execute(text("ALTER TABLE payment DISABLE TRIGGER USER"))
        await connection.execute(text("UPDATE payment SET created_at = created_at - interval '2 seconds'"))
        await connection.execute(text("ALTER TABLE payment ENABLE TRIGGER USER"))
    shown = await put(shop.web, "/session", method="POST", coins=100, hours=1)
    assert (of(shown, "session")["bought_coins"], of(shown, "session")["left_coins"]) == (0, 100)
    await passed(shop, "session", 100, coins=101, pack=None, amount_minor=145, bonus_coins=0)
    second = await shop.ordered(**small)
    error = assert_refused(await shop.order(**small), 403, "limit_reached")
    assert (error["left_coins"], error["resets_at_ms"]) == (30, of(shown, "session")["resets_at_ms"])
    assert "30 are left of it and this order is 70" in error["message"]
    shown = (await shop.web.http.get("/v1/limits", headers=shop.web.bearer("ana"))).json()
    assert (of(shown, "session")["bought_coins"], of(shown, "session")["left_coins"]) == (70, 100)
    await shop.web.http.post(f"/v1/payments/{second['id']}/cancel", headers=shop.web.bearer("ana"))
    await shop.ordered(**small)
    async with shop.web.engines.database.begin() as connection:
        await connection.execute(text("ALTER TABLE limit_change DISABLE TRIGGER limit_change_stays"))
        await connection.execute(text("UPDATE limit_change SET ends_at = now() WHERE field = 'session'"))
    await shop.ordered(**small)


async def test_who_is_new_buys_little_at_first(settings: Settings, static_dir: Path) -> None:
    """Until a day after the first purchase, however often they order; one that ended unpaid does not count."""
    new = settings.model_copy(update={"static_dir": static_dir, "limit_first_day_coins": 1_400})
    async with open_shop(new, retry_scale=0.1) as shop:
        large = {"pack": "coins-1400", "amount_minor": 1_999, "bonus_coins": 0}
        await passed(shop, "new", 1_400, pack="coins-3500", amount_minor=4_999, bonus_coins=350)
        first = await shop.paid()
        await shop.until_state(first["id"], "credited")
        await passed(shop, "new", 700, **large)
        answers = await asyncio.gather(
            *(shop.order(coins=700, pack=None, amount_minor=1_001, bonus_coins=0) for _ in "12345")
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [403] * 4, [a.text for a in answers]
        async with shop.web.engines.database.begin() as connection:
            await connection.execute(text("ALTER TABLE payment DISABLE TRIGGER USER"))
            await connection.execute(text("UPDATE payment SET created_at = created_at - interval '25 hours'"))
            await connection.execute(text("ALTER TABLE payment ENABLE TRIGGER USER"))
        await passed(shop, "new", 0, **large)  # a bank transfer takes days: what was paid just now is new
        async with shop.web.engines.database.begin() as connection:
            await connection.execute(text("ALTER TABLE payment_step DISABLE TRIGGER USER"))
            await connection.execute(text("UPDATE payment_step SET at = at - interval '25 hours'"))
            await connection.execute(text("ALTER TABLE payment_step ENABLE TRIGGER USER"))
        assert (await shop.order(**large)).status_code == 200


async def test_money_that_went_back_before_there_were_coins_is_nobodys_first_purchase(
    settings: Settings, static_dir: Path
) -> None:
    """A first payment that was not as ordered, and was given back by a person, counts no more for any limit."""
    new = settings.model_copy(update={"static_dir": static_dir, "limit_first_day_coins": 700})
    async with open_shop(new, retry_scale=0.1) as shop:
        await shop.mischief(wrong_amount=True)
        first = await shop.paid()
        await in_review(shop, first)
        await passed(shop, "new", 0, bonus_coins=0)
        assert (await decided(shop, first, "refund"))["state"] == "refunded"
        shown = (await shop.web.http.get("/v1/limits", headers=shop.web.bearer("ana"))).json()
        assert of(shown, "day")["bought_coins"] == of(shown, "month")["bought_coins"] == 0
        await shop.mischief()
        again = await shop.paid()
        await shop.until_state(again["id"], "credited")
        await shop.proved()


async def test_fifty_orders_at_midnight_of_the_buyers_zone(shop: Shop, tmp_path: Path) -> None:
    """Before it and after it, no more is ordered than a day's limit allows; and both days are used up."""
    database = shop.web.engines.database

    async def ordered(since_s: int) -> int:
        query = text("SELECT coalesce(sum(coins), 0) FROM payment WHERE created_at >= to_timestamp(:since_s)")
        async with database.connect() as connection:
            return int(await connection.scalar(query, {"since_s": since_s}) or 0)

    first = await shop.paid()
    await shop.until_state(first["id"], "credited")
    with midnight_in(tmp_path, 1.5) as (zone, ends_s):
        await shop.web.services.limits.set_zone("ana", zone)
        await age(shop.web, 24 * 40)
        order = {"pack": "coins-350", "amount_minor": 499, "bonus_coins": 0}
        while time.time() < ends_s:
            await asyncio.gather(*(shop.order(**order) for _ in range(25)))
        last = await asyncio.gather(*(shop.order(**order) for _ in range(50)))
    assert (await ordered(0) - await ordered(ends_s), await ordered(ends_s)) == (1_400, 1_400), last[0].text


async def test_an_order_that_is_sent_again_at_once_is_the_same_order(shop: Shop) -> None:
    """Also while its first sending is on the way: it does not stand in its own way of a limit."""
    await put(shop.web, day_coins=700)
    key = new_key()
    answers = await asyncio.gather(*(shop.order(key=key) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
