"""Limits where they count: in the script that decides a gift."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.msgpack import encode
from msgspec.structs import replace
from sqlalchemy import text

from giftserver.durable.verify import verify
from giftserver.ledger import keys
from giftserver.ledger.limits import NONE
from giftserver.recovery.coordinator import open_ledger
from giftserver.settings import Settings
from tests.giftserver.conftest import Web
from tests.giftserver.limits.soon import midnight_in
from tests.giftserver.web.sockets import Client, NewKey, balance, joined

SOCKETS = 50


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Many sockets and gifts of one person, and a platform's limit."""
    many = {"sockets_per_user": SOCKETS, "gifts_per_s": 10_000, "commands_per_s": 10_000, "limit_day_coins": 400}
    return settings.model_copy(update=many)


async def put(web: Web, path: str = "", user: str = "ana", method: str = "PUT", **body: Any) -> dict[str, Any]:
    """Change limits as the wallet's page would; the answer."""
    answer = await web.http.request(method, f"/v1/limits{path}", json=body, headers=web.bearer(user))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def of(limits: dict[str, Any], kind: str) -> dict[str, Any]:
    """One limit of an answer."""
    return next(one for one in limits["limits"] if one["kind"] == kind)


async def age(web: Web, hours: int) -> None:
    """Let decisions have been made so much earlier."""
    async with web.engines.database.begin() as connection:
        await connection.execute(text("ALTER TABLE limit_change DISABLE TRIGGER limit_change_stays"))
        await connection.execute(
            text("UPDATE limit_change SET from_at = from_at - make_interval(hours => :h)"), {"h": hours}
        )
        await connection.execute(text("ALTER TABLE limit_change ENABLE TRIGGER limit_change_stays"))


async def refused(ana: Client, key: str, quantity: int, limit: str, left: int) -> dict[str, Any]:
    """A gift that passes a limit; the error."""
    error = await ana.gift(int(time.time() * 1e6) % 2**31, key, quantity=quantity)
    assert (error.get("code"), error.get("limit"), error.get("left_coins")) == ("limit_reached", limit, left), error
    return error


async def test_each_limit_holds_from_the_moment_it_is_set(rich: Web, new_key: NewKey) -> None:
    """The platform's, one's own of a gift, a day, a month and a session, and a break; each says what is left."""
    async with joined(rich) as ana:
        day = await refused(ana, new_key(), 401, "day", 400)
        assert "400 are left today" in day["message"]
        assert time.time() * 1_000 < day["resets_at_ms"] <= (time.time() + 86_400) * 1_000
        assert (await ana.gift(1, new_key(), quantity=100))["type"] == "reply"

        await put(rich, gift_coins=50)
        error = await refused(ana, new_key(), 51, "gift", 50)
        assert "resets_at_ms" not in error
        await put(rich, day_coins=150)
        assert (await ana.gift(2, new_key(), quantity=50))["type"] == "reply"
        await refused(ana, new_key(), 1, "day", 0)

        shown = await put(rich, day_coins=250, month_coins=160)
        assert [one["kind"] for one in shown["waiting"]] == ["day"], "a higher one begins later, a first one at once"
        await age(rich, 24)
        assert await rich.services.limits.step() == 1
        await refused(ana, new_key(), 11, "month", 10)
        shown = await put(rich, "/session", method="POST", coins=5, hours=1)
        assert (of(shown, "month")["sent_coins"], of(shown, "month")["left_coins"]) == (150, 10)
        await refused(ana, new_key(), 6, "session", 5)
        assert (await ana.gift(3, new_key(), quantity=5))["type"] == "reply"
        assert of(await put(rich, "/session", method="POST", coins=5, hours=1), "session")["left_coins"] == 0

        await put(rich, "/break", method="POST", hours=2)
        error = await refused(ana, new_key(), 1, "locked", 0)
        assert error["resets_at_ms"] == pytest.approx((time.time() + 7_200) * 1_000, abs=10_000)
    assert await balance(rich) == 845


async def test_what_was_decided_can_only_be_made_stricter_at_once(rich: Web) -> None:
    """Looser takes a day, a newer decision takes the place of one that waits, breaks and budgets are never loosened."""
    await put(rich, gift_coins=50, day_coins=100)
    shown = await put(rich, gift_coins=None, day_coins=200)
    assert (of(shown, "gift")["coins"], of(shown, "day")["coins"]) == (50, 100)
    waits_s = shown["waiting"][0]["from_at_ms"] / 1_000 - time.time()
    assert (len(shown["waiting"]), waits_s) == (2, pytest.approx(86_400, abs=30))
    shown = await put(rich, day_coins=90)
    assert (of(shown, "day")["coins"], [one["kind"] for one in shown["waiting"]]) == (90, ["gift"])
    await age(rich, 24)
    shown = (await rich.http.get("/v1/limits", headers=rich.bearer("ana"))).json()
    assert (of(shown, "gift")["coins"], of(shown, "day")["coins"], shown["waiting"]) == (None, 90, [])
    shown = await put(rich, day_coins=None)
    assert of(shown, "day")["coins"] == 90, "back to the platform's 400 is a raise too"

    await put(rich, "/session", method="POST", coins=10, hours=2)
    await put(rich, "/break", method="POST", hours=5)
    for path, body in (("/session", {"coins": 11, "hours": 2}), ("/break", {"hours": 4})):
        answer = await rich.http.post(f"/v1/limits{path}", json=body, headers=rich.bearer("ana"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "limit_stays")


async def test_what_was_spent_is_known_again_after_the_wallet_is_gone(rich: Web, new_key: NewKey) -> None:
    """From PostgreSQL and from the stream, whichever has the gifts; and the limits with it."""
    shard = keys.shard_of("ana")
    await put(rich, day_coins=100, month_coins=300)
    await put(rich, "/session", method="POST", coins=90, hours=1)
    async with joined(rich) as ana:
        assert (await ana.gift(1, new_key(), quantity=30))["type"] == "reply"
        await rich.settle()
        assert (await ana.gift(2, new_key(), quantity=40))["type"] == "reply"
        await rich.engines.ledger_redis.delete(keys.wallet(shard, "ana"))
        await refused(ana, new_key(), 21, "session", 20)
        limits, spent = await rich.services.ledger.wallets.spending("ana") or (None, None)
        assert limits is not None
        assert spent is not None
        assert (spent.day_coins, spent.month_coins, spent.session_coins) == (70, 70, 70)
        assert (limits.day_coins, limits.month_coins, limits.gift_coins) == (100, 300, NONE)


async def test_fifty_sockets_at_midnight_of_the_senders_zone(rich: Web, new_key: NewKey, tmp_path: Path) -> None:
    """Before it and after it, never a coin above the limit of a day; and both days were used up."""
    with midnight_in(tmp_path, 3.0) as (zone, ends_s):
        await rich.services.limits.set_zone("ana", zone)
        await age(rich, 24 * 40)
        await put(rich, day_coins=40)
        sent: list[dict[str, Any]] = []

        async def give() -> None:
            async with joined(rich) as ana:
                while time.time() < ends_s + 1.0:
                    sent.append(await ana.gift(1, new_key(), quantity=3))

        await asyncio.gather(*(give() for _ in range(SOCKETS)))
        await rich.settle()
    async with rich.engines.database.connect() as connection:
        query = text("SELECT sum(coins) FROM transfer WHERE kind = 'gift' GROUP BY event_at < to_timestamp(:s)")
        sums = list((await connection.execute(query, {"s": ends_s})).scalars())
    assert sums == [39, 39]
    codes = [one.get("code") for one in sent]
    assert codes.count(None) == 26
    assert set(codes) == {None, "limit_reached"}
    assert await balance(rich) == 1_000 - 78


async def test_a_clock_of_ours_that_is_a_day_off_counts_the_servers_day(
    rich: Web, new_key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows are those around the time of Redis, whatever the web process believes."""
    for ahead_s in (86_400.0, -86_400.0):
        wallets = rich.services.ledger.wallets
        await rich.engines.ledger_redis.delete(keys.wallet(keys.shard_of("ana"), "ana"))
        monkeypatch.setattr(wallets, "_ahead_s", ahead_s)
        async with joined(rich) as ana:
            assert (await ana.gift(1, new_key(), quantity=100))["type"] == "reply"
        _, spent = await wallets.spending("ana") or (None, None)
        assert spent is not None
        assert time.time() < spent.day_until_s <= time.time() + 86_400
    async with joined(rich) as ana:
        await refused(ana, new_key(), 201, "day", 200)


async def test_a_redis_that_came_back_older_does_not_bring_old_limits_back(rich: Web, new_key: NewKey) -> None:
    """After a restart wallets with lately changed limits are loaded anew before anything is spent."""
    redis, name = rich.engines.ledger_redis, keys.wallet(keys.shard_of("ana"), "ana")
    assert await balance(rich) == 1_000
    older = await redis.dump(name)
    await put(rich, gift_coins=5)
    await redis.restore(name, 0, older, replace=True)
    await redis.hset(keys.meta(keys.shard_of("ana")), "state", "fenced")
    await open_ledger(rich.engines.database, redis)
    async with joined(rich) as ana:
        await refused(ana, new_key(), 6, "gift", 5)


async def test_a_wallet_that_counts_less_than_it_sent_is_seen(rich: Web, new_key: NewKey) -> None:
    """`verify` adds up the gifts of each wallet's day, booked and not."""
    redis, name = rich.engines.ledger_redis, keys.wallet(keys.shard_of("ana"), "ana")
    async with joined(rich) as ana:
        assert (await ana.gift(1, new_key(), quantity=30))["type"] == "reply"
        await rich.settle()
        assert (await ana.gift(2, new_key(), quantity=40))["type"] == "reply"
    assert (await verify(rich.engines.database, redis)).holds
    _, spent = await rich.services.ledger.wallets.spending("ana") or (None, None)
    assert spent is not None
    for less in (1, 40, 70):
        await redis.hset(name, "spent", encode(replace(spent, day_coins=70 - less)))
        report = await verify(rich.engines.database, redis)
        assert f"{70 - less} coins counted as sent in its day, its gifts are 70" in report.render()


@pytest.mark.parametrize("field", ["spent", "limits"])
async def test_a_damaged_wallet_is_loaded_anew(rich: Web, new_key: NewKey, field: str) -> None:
    """Whatever stands where its limits or its counters should be; nothing is spent twice and no limit is lost."""
    await put(rich, day_coins=100)
    redis, name = rich.engines.ledger_redis, keys.wallet(keys.shard_of("ana"), "ana")
    async with joined(rich) as ana:
        assert (await ana.gift(1, new_key(), quantity=30))["type"] == "reply"
        for damaged in (b"", b"garbage", b"\xc1", encode([1, 2]), encode({"a": 1}), encode("text")):
            await redis.hset(name, field, damaged)
            await refused(ana, new_key(), 71, "day", 70)
            await redis.hset(name, field, damaged)
            assert of(await put(rich, month_coins=500), "day")["sent_coins"] == 30
    assert await balance(rich) == 970
