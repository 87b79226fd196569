"""Whoever wants to buy coins can: nothing that went wrong before stands in the way for ever."""

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from giftserver.durable import payment_moves
from giftserver.durable.audit_log import Actor
from giftserver.durable.payments import paid_uncredited
from giftserver.durable.prices import approve, propose
from giftserver.recharge import pricing
from giftserver.recharge.prices import built_in
from giftserver.recharge.processor import TRIES_MAX
from giftserver.recharge.provider import ProviderRefused, Snapshot
from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import refund
from tests.giftserver.recharge.test_webhooks import events_of, tell
from tests.giftserver.shop import Shop, new_key


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Lists are read anew each time."""
    monkeypatch.setattr(pricing, "KNOWN_S", -1.0)


async def in_force(shop: Shop, *promotions: dict) -> None:
    """The built-in list with other promotions."""
    common = {"title": "Offer", "bonus_coins_max": 100_000}
    body = msgspec.to_builtins(built_in().list) | {"promotions": [common | one for one in promotions]}
    proposed = await propose(shop.web.engines.database, msgspec.json.encode(body).decode(), Actor("olga", "admin"))
    await approve(shop.web.engines.database, proposed.version, Actor("otto", "admin"))


async def shown(shop: Shop, user: str, pack: str = "coins-700") -> int:
    """The bonus that the store shows for a pack."""
    store = (await shop.web.http.get("/v1/store", headers=shop.web.bearer(user))).json()
    return int(next(one["bonus_coins"] for one in store["packs"] if one["id"] == pack))


async def test_a_used_up_offer_is_not_shown_and_stops_no_sale(shop):
    """Whoever comes after the last one sees the price without it, and buys."""
    await in_force(shop, {"id": "launch", "bonus_percent": 10, "uses_max": 1})
    await shop.until_state((await shop.paid())["id"], "credited")
    assert await shown(shop, "ben") == 0
    await shop.ordered("ben", bonus_coins=0)


async def test_the_store_and_the_order_choose_the_same_offer(shop):
    """A larger offer for another pack takes nothing from this one."""
    await in_force(
        shop, {"id": "big", "bonus_percent": 50, "packs": ["coins-7000"]}, {"id": "all", "bonus_percent": 10}
    )
    assert (await shown(shop, "ana"), await shown(shop, "ana", "coins-7000")) == (70, 3_500)
    await shop.ordered(bonus_coins=70)


async def test_another_first_purchase_takes_the_place_of_an_older_one_that_nobody_paid(shop):
    """Two such offers, for two packs: the second order cancels the first, and its offer is the only one held."""
    first = {"first_purchase": True, "bonus_percent": 10}
    await in_force(
        shop, {"id": "small", "packs": ["coins-350"], **first}, {"id": "large", "packs": ["coins-700"], **first}
    )
    older = await shop.ordered(pack="coins-350", amount_minor=499, bonus_coins=35)
    newer = await shop.paid(bonus_coins=70)
    assert (await shop.payment(older["id"]))["state"] == "cancelled"
    await shop.until_state(newer["id"], "credited")
    assert await shown(shop, "ana", "coins-350") == 0
    await shop.proved()


async def test_a_payment_in_review_stops_no_other(shop):
    """The provider took something else: until somebody has looked, the buyer can buy without that offer."""
    await shop.mischief(wrong_amount=True)
    payment = await shop.paid()
    while not (await shop.payment(payment["id"]))["in_review"]:
        await shop.work()
    await shop.mischief()
    assert await shown(shop, "ana") == 0
    await shop.ordered(bonus_coins=0)


async def test_an_order_of_a_provider_that_is_gone_can_be_given_up(shop, monkeypatch):
    """It keeps no offer for ever, and expires by itself too."""
    first, second = await shop.ordered(), await shop.ordered("ben")
    with monkeypatch.context() as without:
        for inquiry in (shop.web.services.recharges.inquiry, shop.inquiry):
            without.setattr(inquiry, "providers", {})
        answer = await shop.web.http.post(f"/v1/payments/{first['id']}/cancel", headers=shop.web.bearer("ana"))
        assert answer.json()["state"] == "cancelled"
        async with shop.web.engines.database.begin() as connection:
            await connection.execute(text("UPDATE payment SET expires_at = now()"))
        await shop.reconciler().step()
    assert (await shop.payment(second["id"], "ben"))["state"] == "expired"


async def test_an_order_without_a_checkout_can_be_given_up(shop):
    """The provider was away when it was made: a new order has its offer."""
    await shop.mischief(create_fails=1)
    assert_refused(await shop.order(), 503, "unavailable")
    await shop.ordered(pack="coins-350", amount_minor=499, bonus_coins=35)


async def test_paid_and_not_booked_is_an_alarm_and_is_tried_again(shop, monkeypatch):
    """The ledger refuses the coins: the payment says paid, somebody is told, and later it is credited."""
    payment = await shop.paid()

    async def refuses(*arguments: object) -> int:
        raise IntegrityError("", None, Exception("account_balance_limit"))

    with monkeypatch.context() as broken:
        broken.setattr(payment_moves, "book_recharge", refuses)
        while (await shop.payment(payment["id"]))["state"] != "succeeded":
            await shop.work()
    assert await paid_uncredited(shop.web.engines.database, -1) == 1
    await shop.until_state(payment["id"], "credited")
    assert await paid_uncredited(shop.web.engines.database, -1) == 0


async def test_paid_after_the_end_without_a_webhook_is_found_by_asking(shop):
    """An order that ended is asked about again, too."""
    await shop.mischief(pay_after_expiry=True, drop=1.0)
    payment = await shop.ordered()
    await shop.control("POST", f"/v1/sessions/{await shop.session(payment)}/expire")
    await shop.reconciler().step()
    assert (await shop.payment(payment["id"]))["state"] == "expired"
    await shop.pay(payment)
    async with shop.web.engines.database.begin() as connection:
        await connection.execute(text("UPDATE payment SET ask_again_at = ask_again_at - interval '1 hour'"))
    await shop.reconciler().step()
    assert (await shop.payment(payment["id"]))["state"] == "credited"


async def test_a_warning_does_not_stop_the_refund_that_avoids_a_dispute(bought):
    """And a refund's key stands for one amount, one reason and one operator."""
    shop, payment = bought
    warning = await shop.dispute(payment, "warning")
    await shop.until_claim(warning, "waiting")
    key = new_key()
    assert (await refund(shop, payment, 999, key)).status_code == 200
    assert (await refund(shop, payment, 999, key)).status_code == 200
    assert_refused(await refund(shop, payment, 998, key), 409, "key_reused")
    assert_refused(await refund(shop, payment, 999, key, reason="a friend of mine"), 409, "key_reused")
    assert_refused(await refund(shop, payment, 999, key, operator="dora"), 409, "key_reused")
    await shop.until_claim(f"{payment['id']}-refund-{key}", "lost")
    assert (await shop.payment(payment["id"]))["state"] == "refunded"
    assert await shop.coins() == 0
    await shop.proved()


async def test_an_id_that_is_none_is_not_found(shop):
    """Whatever it is, it is nobody's payment, and no engine is blamed."""
    viewer, admin = shop.web.bearer("ana"), shop.web.bearer("olga", "admin")
    for id in ("%00", "pay_", "pay_" + "x" * 32, "%F0%9F%98%80", "..%2Fstore"):
        for path, headers in ((f"/v1/payments/{id}", viewer), (f"/v1/ops/payments/{id}", admin)):
            answer = await shop.web.http.get(path, headers=headers)
            assert answer.status_code in (404, 400), (id, answer.text)


async def test_an_event_that_its_provider_refuses_to_explain_ends_with_a_person(shop, monkeypatch):
    """It is asked about so often and no more; then somebody has to look at the payment, and it is an alarm."""
    await shop.mischief(drop=1.0)
    payment = await shop.paid()
    assert await tell(shop, (await events_of(shop, payment))[-1]) == 200

    async def refuses(ref: str) -> Snapshot:
        raise ProviderRefused("HTTP 400")

    looked = text("UPDATE provider_event SET tries = :n, next_at = now() WHERE outcome IS NULL RETURNING tries")

    async def look(tries: int) -> list[tuple[int, str | None]]:
        async with shop.web.engines.database.begin() as connection:
            await connection.execute(looked, {"n": tries})
        with capture_logs() as logs:
            await shop.work()
        alarms.extend(line["provider"] for line in logs if line["event"] == "provider_event_given_up")
        async with shop.web.engines.database.connect() as connection:
            return [tuple(row) for row in await connection.execute(text("SELECT tries, outcome FROM provider_event"))]

    alarms: list[str] = []
    with monkeypatch.context() as refusing:
        refusing.setattr(shop.inquiry.providers["sandbox"], "fetch", refuses)
        assert (await look(TRIES_MAX - 1), alarms) == ([(TRIES_MAX, None)], [])
        assert not (await shop.payment(payment["id"]))["in_review"]
        assert (await look(TRIES_MAX), alarms) == ([(TRIES_MAX, "given_up")], ["sandbox"])
        assert (await shop.payment(payment["id"]))["in_review"]
    await shop.reconciler().step()
    assert (await shop.payment(payment["id"]))["state"] == "credited"
