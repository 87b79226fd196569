"""The provider's report against the book: everything that moves agrees, and every way not to is found."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from giftserver.recharge import balances
from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import send
from tests.giftserver.shop import SECRET, WEBHOOK_SECRET, Shop
from tests.giftserver.test_cli import giftserver


async def compared(shop: Shop, **query: str) -> dict[str, Any]:
    """What operators see of the sandbox."""
    answer = await shop.web.http.get("/v1/ops/balances", params=query, headers=shop.web.bearer("olga", "admin"))
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["providers"]
    return dict(found)


async def reconciled(shop: Shop, *arguments: str, **changes: str) -> Any:
    """The command in a process of its own on the shop's engines."""
    names = ("ledger_redis_url", "rooms_redis_url", "database_url")
    environment = {f"GIFTSERVER_{name.upper()}": str(getattr(shop.web.settings, name)) for name in names}
    environment |= {
        "GIFTSERVER_PAYMENTS": "sandbox", "GIFTSERVER_SANDBOX_URL": shop.stage.url,
        "GIFTSERVER_SANDBOX_SECRET": SECRET, "GIFTSERVER_SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }  # fmt: skip
    folder = shop.web.settings.data_dir
    return await asyncio.to_thread(giftserver, "reconcile", *arguments, folder=folder, **environment | changes)


async def test_whatever_happened_both_sides_agree(bought, monkeypatch):
    """Paid, refunded in part, disputed, lost, won: payment by payment the same; other days have nothing of it."""
    monkeypatch.setattr(balances, "ON_ITS_WAY_S", 0.0)
    shop, first = bought
    await send(shop, 2)
    second, third = await shop.paid("ben"), await shop.paid("cleo")
    await shop.until_state(second["id"], "credited", "ben")
    await shop.until_state(third["id"], "credited", "cleo")
    session = await shop.session(second)
    await shop.control("POST", f"/v1/sessions/{session}/refunds", {"amount_minor": 99}, **{"idempotency-key": "a"})
    await shop.until_claim(f"{second['id']}-refunded-99", "lost")
    for payment, end, amount in ((first, "lost", 500), (third, "won", 999)):
        dispute = await shop.dispute(payment, amount_minor=amount)
        await shop.until_claim(dispute, "frozen")
        assert (await compared(shop))["agrees"]
        await shop.decide(dispute, end)
        await shop.until_claim(dispute, end)
    found = await compared(shop, day=f"{datetime.now(UTC):%Y-%m-%d}")
    assert (found["agrees"], found["problem"]) == (True, None)
    (dollars,) = found["balances"]
    left = 3 * 999 - 99 - 500
    assert (dollars["clearing_minor"], dollars["ours_minor"], dollars["theirs_minor"]) == (left, left, left)
    other = (await compared(shop, day=f"{datetime.now(UTC) - timedelta(1):%Y-%m-%d}"))["balances"][0]
    assert (other["clearing_minor"], other["ours_minor"], other["theirs_minor"], other["differences"]) == (
        left, 0, 0, [],
    )  # fmt: skip
    done = await reconciled(shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "sandbox: both sides agree."


@pytest.mark.parametrize(
    ("mischief", "ours", "theirs", "what"),
    [
        ("movement_missing", 999, 0, "in our book, not at the provider"),
        ("movement_wrong", 999, 1000, "different amounts"),
        ("wrong_amount", 0, 1000, "at the provider, not in our book"),
        ("wrong_currency", 0, 999, "at the provider, not in our book"),
    ],
)
async def test_what_differs_is_found(bought, monkeypatch, mischief, ours, theirs, what):
    """A movement the provider lacks, one of another amount, and money that we did not take: each by its payment."""
    shop, good = bought
    await shop.mischief(**{mischief: True})
    payment = await shop.paid("ben")
    async with asyncio.timeout(10):
        while (found := await shop.payment(payment["id"], "ben"))["state"] != "credited" and not found["in_review"]:
            await shop.work()
    differing = [one for balance in (await compared(shop))["balances"] for one in balance["differences"]]
    assert [one["on_its_way"] for one in differing] == [True]
    assert (await compared(shop))["agrees"]
    monkeypatch.setattr(balances, "ON_ITS_WAY_S", 0.0)
    found = await compared(shop)
    assert not found["agrees"]
    (one,) = [one for balance in found["balances"] for one in balance["differences"]]
    assert one == {
        "payment": payment["id"], "ours_minor": ours, "theirs_minor": theirs, "what": what, "on_its_way": False,
    }  # fmt: skip
    assert good["id"] != payment["id"]


async def test_a_payment_of_nobody_and_a_provider_that_is_away(bought, monkeypatch):
    """Money under an id that we do not know is theirs alone. Who cannot be asked does not agree: status 1, and why."""
    monkeypatch.setattr(balances, "ON_ITS_WAY_S", 0.0)
    shop, _ = bought
    made = await shop.control(
        "POST", "/v1/sessions",
        {"payment": "pay_of_nobody", "amount_minor": 5, "currency": "JPY", "description": "x", "expires_in_s": 600,
         "return_url": "http://127.0.0.1/", "webhook_url": f"{shop.web.settings.public_url}/v1/webhooks/sandbox"},
        **{"idempotency-key": "n"},
    )  # fmt: skip
    await shop.pay({"checkout_url": made["url"]})
    yen, dollars = (await compared(shop))["balances"]
    assert [(one["payment"], one["theirs_minor"]) for one in yen["differences"]] == [("pay_of_nobody", 5)]
    assert dollars["differences"] == []
    done = await reconciled(shop, "--day", f"{datetime.now(UTC) - timedelta(1):%Y-%m-%d}")
    assert (done.returncode, done.stderr) == (0, "")
    for day in ("0001-01-01", "9999-12-30"):
        assert (await compared(shop, day=day))["balances"][0]["differences"] == []
    for day in ("2026-02-30", "0000-01-01", "9999-12-31", "today", ""):
        answer = await shop.web.http.get(f"/v1/ops/balances?day={day}", headers=shop.web.bearer("olga", "admin"))
        assert_refused(answer, 400, "bad_request")
    assert_refused(await shop.web.http.get("/v1/ops/balances", headers=shop.web.bearer("ana")), 403, "forbidden")
    assert (await reconciled(shop, "--day", "today")).returncode == 1
    away = Starlette(routes=[Route("/{path:path}", lambda request: Response(status_code=503))])
    async with shop.stage.playing(away):
        found = await compared(shop)
        assert (found["agrees"], found["balances"][0]["clearing_minor"]) == (False, 999)
        done = await reconciled(shop)
    assert (done.returncode, done.stderr) == (1, "")
    assert "sandbox: not compared (HTTP 503)" in done.stdout


async def test_a_provider_that_lists_nothing_is_told_apart_and_fails_only_when_it_is_named(bought):
    """PayPal: not compared, and the others' agreement stands; asked for by name, status 1."""
    shop, _ = bought
    paypal = {f"GIFTSERVER_PAYPAL_{name}": "x" for name in ("CLIENT_ID", "CLIENT_SECRET", "WEBHOOK_ID")}
    both = {"GIFTSERVER_PAYMENTS": "sandbox,paypal", **paypal}
    done = await reconciled(shop, **both)
    assert (done.returncode, done.stderr) == (0, "")
    assert "paypal: not compared" in done.stdout
    assert (await reconciled(shop, "--provider", "paypal", **both)).returncode == 1
