"""Prices as operators change them: two persons, in force everywhere soon, and never for an order that was made."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import text

from giftserver.auth.tokens import mint
from giftserver.durable.audit_log import Actor
from giftserver.durable.prices import propose as store_list
from giftserver.recharge import pricing
from giftserver.recharge.prices import built_in
from tests.giftserver.conftest import assert_refused
from tests.giftserver.shop import Shop


def prices(**changes) -> dict:
    """The list that comes with the server, in dollars only, with changes."""
    found: dict = msgspec.to_builtins(built_in().list)
    return {"regions": found["regions"][:1], "promotions": [], **changes}


async def propose(shop: Shop, body: dict, by: str = "olga") -> int:
    answer = await shop.web.http.post("/v1/ops/prices", json=body, headers=shop.web.bearer(by, "admin"))
    assert answer.status_code == 200, answer.text
    version: int = answer.json()["version"]
    return version


async def approve(shop: Shop, version: int, by: str = "otto"):
    return await shop.web.http.post(
        "/v1/ops/prices/approve", json={"version": version}, headers=shop.web.bearer(by, "admin")
    )


async def store(shop: Shop, user: str = "ana") -> dict:
    found: dict = (await shop.web.http.get("/v1/store", headers=shop.web.bearer(user))).json()
    return found


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Lists are read anew each time."""
    monkeypatch.setattr(pricing, "KNOWN_S", -1.0)


async def test_a_list_needs_a_second_person(shop):
    """Who proposed it cannot approve it; until somebody else does, the old prices hold."""
    dearer = prices()
    dearer["regions"][0]["packs"] = [{"id": "coins-70", "coins": 70, "amount_minor": 199}]
    version = await propose(shop, dearer)
    assert_refused(await approve(shop, version, "olga"), 403, "forbidden")
    assert (await store(shop))["price_version"] == 0
    approved = (await approve(shop, version)).json()
    assert (approved["proposed_by"], approved["approved_by"]) == ("olga", "otto")
    found = await store(shop)
    assert (found["price_version"], found["packs"][0]["amount_minor"]) == (version, 199)
    assert (await approve(shop, version, "pia")).json()["approved_by"] == "otto"
    assert_refused(await approve(shop, 9_999), 404, "not_found")
    version = await propose(shop, prices())
    async with shop.web.engines.database.begin() as connection:
        await connection.execute(text("ALTER TABLE price_list ADD CONSTRAINT n CHECK (approved_by <> 'pia')"))
    assert_refused(await approve(shop, version, "pia"), 500, "internal")  # another rule is the server's mistake


async def test_a_list_that_was_overtaken_cannot_be_approved(shop):
    """It would never be in force; of several approved at once the newest is, and what was approved stays so."""
    old, new, newer = [await propose(shop, prices()) for _ in range(3)]
    assert (await approve(shop, new)).status_code == 200
    refused = assert_refused(await approve(shop, old), 409, "prices_overtaken")
    assert f"Version {new}, which is newer, is in force" in refused["message"]
    acts = (await shop.web.http.get("/v1/ops/audit", headers=shop.web.bearer("olga", "admin"))).json()["acts"]
    assert [act["action"] for act in acts].count("approve_prices") == 1
    assert (await approve(shop, newer)).status_code == 200
    assert (await approve(shop, new, "pia")).json()["approved_by"] == "otto"
    for _ in range(6):
        pair = [await propose(shop, prices()) for _ in range(2)]
        await asyncio.gather(*(approve(shop, version) for version in pair))
        lists = (await shop.web.http.get("/v1/ops/prices", headers=shop.web.bearer("olga", "admin"))).json()["lists"]
        first, second = (next(one for one in lists if one["version"] == version) for version in pair)
        assert second["approved_by"] == "otto"
        assert first["approved_at_ms"] is None or first["approved_at_ms"] <= second["approved_at_ms"]


async def test_a_list_of_earlier_rules_stays_in_force(shop):
    """What was accepted is sold at: a rule that came later stops new lists only."""
    cheap = prices()
    cheap["regions"][0]["packs"][5]["amount_minor"] = 1
    stored = await store_list(shop.web.engines.database, json.dumps(cheap), Actor("olga", "admin"))
    assert (await approve(shop, stored.version)).status_code == 200
    assert (await store(shop))["packs"][5]["amount_minor"] == 1


async def test_an_order_keeps_its_price(shop):
    """A list that comes into force between order and payment changes nothing for it; a new order is told."""
    payment = await shop.ordered()
    dearer = prices()
    dearer["regions"][0]["packs"] = [{"id": "coins-700", "coins": 700, "amount_minor": 1_999}]
    await approve(shop, await propose(shop, dearer))
    await shop.pay(payment)
    done = await shop.until_state(payment["id"], "credited")
    assert done["amount_minor"] == 999
    refused = assert_refused(await shop.order(bonus_coins=0), 409, "price_changed")
    assert (refused["amount_minor"], refused["bonus_coins"]) == (1_999, 0)


async def test_only_operators_may_and_only_right_lists_are_kept(shop):
    """Viewers are refused; a mistake is told with its place, and nothing is kept."""
    answer = await shop.web.http.post("/v1/ops/prices", json=prices(), headers=shop.web.bearer("ana"))
    assert_refused(answer, 403, "forbidden")
    headers = shop.web.bearer("olga", "admin")
    wrong = await shop.web.http.post("/v1/ops/prices", json=prices(regions=[]), headers=headers)
    assert "there is none" in assert_refused(wrong, 400, "bad_request")["message"]
    found = (await shop.web.http.get("/v1/ops/prices", headers=headers)).json()
    assert (found["in_force_version"], found["lists"]) == (0, [])


def promotion(**changes) -> dict:
    offer = {"id": "winter", "title": "Winter", "bonus_percent": 20, "bonus_coins_max": 1_000}
    return {**offer, **changes}


async def test_codes_time_boxes_and_uses_bound_a_promotion(shop):
    """With the code it gives coins on top, once a person and so often in all; over is over."""
    now = datetime.now(UTC)
    body = prices(
        promotions=[
            promotion(code="WINTER", uses_max=2),
            promotion(id="past", code="PAST", ends=(now - timedelta(days=1)).isoformat()),
            promotion(id="coming", code="COMING", starts=(now + timedelta(days=1)).isoformat()),
        ]
    )
    await approve(shop, await propose(shop, body))
    for code in ("PAST", "COMING", "NEVER"):
        assert_refused(await shop.order(code=code, bonus_coins=140), 409, "promotion_refused")
    people = [f"viewer{number}" for number in range(6)]
    answers = await asyncio.gather(*(shop.order(one, code="WINTER", bonus_coins=140) for one in people))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409, 409, 409]
    winner = people[[answer.status_code for answer in answers].index(200)]
    payment = next(answer.json() for answer in answers if answer.status_code == 200)
    await shop.pay(payment)
    await shop.until_state(payment["id"], "credited", winner)
    assert await shop.coins(winner) == 840
    assert_refused(await shop.order(winner, code="WINTER", bonus_coins=140), 409, "promotion_refused")
    quote = await shop.web.http.get("/v1/store/quote?pack=coins-700", headers=shop.web.bearer("ana"))
    assert quote.json()["bonus_coins"] == 0


async def test_a_country_where_nothing_is_sold_is_told(shop):
    """Without a region for all others, people elsewhere are told so."""
    body = prices()
    body["regions"][0]["countries"] = ["FR"]
    await approve(shop, await propose(shop, body))
    answer = await shop.web.http.get("/v1/store", headers=shop.web.bearer("ana"))
    assert_refused(answer, 403, "not_sold_here")
    assert_refused(await shop.order(), 403, "not_sold_here")


async def coin(shop: Shop, country: str = "US") -> dict:
    """What /v1/store/coin says to somebody of a country."""
    token = mint(shop.web.settings, "ana", "Ana", "viewer", None, 600, country)
    answer = await shop.web.http.get("/v1/store/coin", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    found: dict = answer.json()
    return found


async def test_the_price_of_a_coin_is_the_dearest_of_the_list_in_force(shop):
    """Of packs and custom rate of the country, exactly; another list changes it, without a seller there is none."""
    assert await coin(shop) == {
        "price_version": 0, "price": {"currency": "USD", "exponent": 2, "rate_minor": 143, "rate_coins": 100},
    }  # fmt: skip
    assert (await coin(shop, "JP"))["price"] == {"currency": "JPY", "exponent": 0, "rate_minor": 215, "rate_coins": 100}
    packs = [{"id": "few", "coins": 30, "amount_minor": 100}, {"id": "many", "coins": 700, "amount_minor": 999}]
    fewer = {"countries": ["US"], "currency": "KWD", "packs": packs}
    version = await propose(shop, prices(regions=[fewer]))
    assert (await coin(shop))["price_version"] == 0
    await approve(shop, version)
    price = {"currency": "KWD", "exponent": 3, "rate_minor": 100, "rate_coins": 30}
    assert await coin(shop) == {"price_version": version, "price": price}
    assert (await coin(shop, "JP"))["price"] is None
    shop.web.services.recharges.providers.clear()
    assert (await coin(shop))["price"] is None
