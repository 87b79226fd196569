"""PayPal's plug-in beyond the contract: capturing, what cancelling means, amounts, its tokens and certificates."""

import asyncio
import logging
import time
import traceback
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse, Response

from giftserver.errors import WrongSetting
from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.paypal_certificates import UNKNOWN
from giftserver.recharge.provider import ProviderAway, ProviderRefused, Rejected
from giftserver.recharge.providers import open_providers
from giftserver.recharge.states import State
from giftserver.settings import Settings
from tests.giftserver.recharge.paypal_till import (
    CERTIFICATE_URL,
    CLIENT_SECRET,
    certificate,
    money,
    paypal_till,
    problem,
)
from tests.giftserver.recharge.test_contract import ORDER

DEADLINE_S = 10.0
CERTIFICATE_PATH = ("GET", "/v1/notifications/certs/CERT-1")


@pytest.fixture
async def till():
    """PayPal."""
    async with paypal_till() as opened:
        yield opened


@pytest.fixture
def others(till):
    """The same plug-in in another process."""
    return till.opened(till.paypal.url)


def captures(till):
    """How often a capture was asked for."""
    return sum(path.endswith("/capture") for _, path in till.paypal.requests)


async def test_what_the_buyer_approved_is_captured_once(till):
    """Asking is what takes the money; before the approval, and after the capture, it takes nothing."""
    made = await till.provider.create(ORDER)
    assert (await till.provider.fetch(made.ref)).state is State.PENDING
    assert captures(till) == 0
    till.approve(made.ref)
    for _ in range(2):
        paid = await till.provider.fetch(made.ref)
        assert (paid.state, paid.captured_minor, paid.method) == (State.SUCCEEDED, 999, "paypal")
    assert captures(till) == 1


async def test_only_our_own_orders_are_captured(till):
    """Another shop of the same account has no payment of ours in both of its ids."""
    made = await till.provider.create(ORDER)
    till.approve(made.ref)
    till.paypal.orders[made.ref]["purchase_units"][0]["invoice_id"] = "another shop's"
    found = await till.provider.fetch(made.ref)
    assert (found.state, found.payment) == (State.AUTHORISED, "")
    assert captures(till) == 0


async def test_a_refused_capture_leaves_the_page_open(till):
    """The buyer may choose another source of money; then it is captured."""
    made = await till.provider.create(ORDER)
    till.approve(made.ref)
    till.paypal.capture_refusal = "INSTRUMENT_DECLINED"
    declined = await till.provider.fetch(made.ref)
    assert (declined.state, declined.decline, declined.url) == (State.PENDING, "INSTRUMENT_DECLINED", made.url)
    till.paypal.capture_refusal = None
    assert (await till.provider.fetch(made.ref)).state is State.SUCCEEDED


async def test_a_capture_by_another_process_is_no_trouble(till, others):
    """Refused because it is done: what is true then is told."""
    made = await till.provider.create(ORDER)
    till.approve(made.ref)
    found = await asyncio.gather(till.provider.fetch(made.ref), others.fetch(made.ref))
    assert [one.state for one in found] == [State.SUCCEEDED, State.SUCCEEDED]


@pytest.mark.parametrize(
    ("status", "state", "decline"), [
        ("PENDING", State.AUTHORISED, None), ("DECLINED", State.FAILED, "RISK"), ("FAILED", State.FAILED, "RISK"),
        ("REFUNDED", State.SUCCEEDED, None), ("PARTIALLY_REFUNDED", State.SUCCEEDED, None),
    ],
)  # fmt: skip
async def test_what_became_of_the_capture_is_what_became_of_the_payment(till, status, state, decline):
    """A completed order is not a paid one: its capture says so."""
    made = await till.provider.create(ORDER)
    till.paypal.complete(made.ref, status, status_details={"reason": "RISK"})
    found = await till.provider.fetch(made.ref)
    taken = 999 if state is State.SUCCEEDED else 0
    assert (found.state, found.captured_minor, found.decline) == (state, taken, decline)
    assert found.refunded_minor == (999 if status == "REFUNDED" else 0)


async def test_refunds_are_counted_once_they_are_through(till):
    """Several together; one that is on its way, or failed, is not money yet."""
    made = await till.provider.create(ORDER)
    till.paypal.complete(made.ref, "PARTIALLY_REFUNDED")
    till.paypal.orders[made.ref]["purchase_units"][0]["payments"]["refunds"] = [
        {"status": status, "amount": money(value)}
        for status, value in (("COMPLETED", "1.00"), ("COMPLETED", "0.5"), ("PENDING", "2.00"), ("FAILED", "3.00"))
    ]
    assert (await till.provider.fetch(made.ref)).refunded_minor == 150


async def test_voided_orders_are_cancelled(till):
    """And cancelling what is not there is refused."""
    made = await till.provider.create(ORDER)
    till.paypal.orders[made.ref]["status"] = "VOIDED"
    assert (await till.provider.fetch(made.ref)).state is State.CANCELLED
    with pytest.raises(ProviderRefused):
        await till.provider.cancel("NONE")


async def test_what_was_cancelled_is_never_captured(till, others):
    """The buyer approves after all, and every process asks: no money is taken, and it stays cancelled."""
    made = await till.provider.create(ORDER)
    assert (await till.provider.cancel(made.ref)).state is State.CANCELLED
    till.approve(made.ref)
    for provider in (till.provider, others):
        assert (await provider.fetch(made.ref)).state is State.CANCELLED
        assert (await provider.cancel(made.ref)).state is State.CANCELLED
    assert captures(till) == 0


async def test_cancelling_wins_over_a_capture_that_has_begun(till, monkeypatch):
    """Approved when it was read, cancelled before the capture: PayPal itself refuses the money."""
    made = await till.provider.create(ORDER)
    till.approve(made.ref)
    ask = till.provider._ask

    async def late(method, *parts, **more):
        if parts[-1] == "capture":
            till.paypal.orders[made.ref]["intent"] = "AUTHORIZE"
        return await ask(method, *parts, **more)

    monkeypatch.setattr(till.provider, "_ask", late)
    found = await till.provider.fetch(made.ref)
    assert (found.state, found.captured_minor) == (State.CANCELLED, 0)
    assert captures(till) == 1


async def test_an_order_that_cannot_be_cancelled_is_not_called_so(till):
    """Where PayPal refuses the change it is as payable as before, and says so."""
    made = await till.provider.create(ORDER)
    till.paypal.patchable = False
    assert (await till.provider.cancel(made.ref)).state is State.PENDING
    till.approve(made.ref)
    assert (await till.provider.fetch(made.ref)).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("currency", "minor", "text"), [("USD", 999, "9.99"), ("EUR", 5, "0.05"), ("GBP", 120, "1.20"), ("JPY", 750, "750")]
)
async def test_amounts_are_decimal_texts_there_and_minor_units_here(till, currency, minor, text):
    """Exactly, in both directions, by the currency's digits."""
    made = await till.provider.create(replace(ORDER, currency=currency, amount_minor=minor))
    assert till.paypal.bodies[0]["purchase_units"][0]["amount"] == money(text, currency)
    till.approve(made.ref)
    paid = await till.provider.fetch(made.ref)
    assert (paid.currency, paid.captured_minor) == (currency, minor)


@pytest.mark.parametrize(
    "amount", [
        money("9.999"), money("1e3"), money("-1"), money("９.99"), money(""), money(".5"), money("9.99", "EUR"), None,
    ],
)  # fmt: skip
async def test_an_amount_that_cannot_be_read_is_no_answer(till, amount):
    """Never rounded, never guessed."""
    made = await till.provider.create(ORDER)
    till.paypal.complete(made.ref)["amount"] = amount
    with pytest.raises(ProviderAway):
        await till.provider.fetch(made.ref)


@pytest.mark.parametrize("change", [{"currency": "KWD"}, {"currency": "KRW"}, {"currency": "HUF", "amount_minor": 150}])
async def test_what_paypal_cannot_take_is_refused_without_asking(till, change, monkeypatch):
    """Currencies it has not, all with three decimals among them, and parts of a forint."""
    monkeypatch.setitem(EXPONENTS, "HUF", 2)
    with pytest.raises(ProviderRefused, match="PayPal does not take"):
        await till.provider.create(replace(ORDER, **change))
    assert till.paypal.requests == []
    assert {EXPONENTS[one] for one in till.provider.capabilities.currencies if one != "JPY"} == {2}


async def test_a_token_is_kept_until_shortly_before_its_end(till, others):
    """Several at once ask for one; one that was taken back is renewed; one that ends within a minute is not used."""
    await asyncio.gather(*(till.provider.fetch(f"NONE{number}") for number in range(5)))
    assert len(till.paypal.tokens) == 1
    till.paypal.tokens.append("a newer one, and the old one is worth nothing")
    assert await till.provider.fetch("NONE") is None
    assert len(till.paypal.tokens) == 3
    till.paypal.expires_in_s = 60
    for _ in range(2):
        await others.fetch("NONE")
    assert len(till.paypal.tokens) == 5


async def test_a_wrong_secret_is_a_refusal(till):
    """The app is not let in, and would not be the next time."""
    wrong = till.opened(till.paypal.url, "somebody's secret")
    for call in (wrong.fetch("ORDER1"), wrong.create(ORDER), wrong.find("pay_1")):
        with pytest.raises(ProviderRefused, match="HTTP 401 invalid_client"):
            await call


@pytest.mark.parametrize(
    "trouble", [
        problem(429), problem(500), problem(409), Response(b"\xff"), JSONResponse([]), JSONResponse({}),
        JSONResponse({"id": "O", "status": "NEW", "intent": "CAPTURE", "purchase_units": [{"amount": money("1.00")}]}),
        JSONResponse({"id": "O", "status": "CREATED", "intent": "CAPTURE", "purchase_units": [{"amount": "1.00"}]}),
    ],
)  # fmt: skip
async def test_an_answer_that_is_of_no_use_is_no_answer(till, trouble):
    """Trouble at PayPal, and what cannot be read, leave open what became of the call; it is made once."""
    await till.provider.fetch("NONE")
    till.paypal.trouble = trouble
    for call in (till.provider.create(ORDER), till.provider.fetch("O"), till.provider.cancel("O")):
        till.paypal.requests.clear()
        with pytest.raises(ProviderAway):
            await call
        assert len(till.paypal.requests) == 1


async def test_an_answer_that_takes_too_long_is_no_answer(till, monkeypatch):
    """Five seconds are enough for an answer; here a tenth of one."""
    monkeypatch.setattr("giftserver.recharge.paypal.TIMEOUT_S", 0.1)
    hasty = till.opened(till.paypal.url)
    till.paypal.hangs.clear()
    with pytest.raises(ProviderAway, match="Timeout"):
        await asyncio.wait_for(hasty.create(ORDER), DEADLINE_S)
    till.paypal.hangs.set()


async def test_another_process_finds_nothing_and_may_say_so(till, others):
    """An id that PayPal never gave is answered in several ways, and each means: nobody can pay it."""
    await till.provider.create(ORDER)
    assert await others.find(ORDER.payment) is None
    for status in (400, 422):
        till.paypal.trouble = problem(status, "INVALID_PARAMETER_SYNTAX")
        assert await others.find(ORDER.payment) is None
    till.paypal.trouble = problem(403)
    with pytest.raises(ProviderRefused):
        await others.find(ORDER.payment)


async def test_a_refund_is_made_with_its_key(till):
    """Of the capture, as a decimal text; while it is on its way there is neither yes nor no."""
    made = await till.provider.create(ORDER)
    with pytest.raises(ProviderRefused, match="nothing was paid"):
        await till.provider.refund(made.ref, 300, "refund-1")
    till.paypal.complete(made.ref)
    assert [await till.provider.refund(made.ref, 300, "refund-1") for _ in range(2)] == [True, True]
    ((path, body),) = till.paypal.refunds.values()
    assert (path, body["amount"]) == (f"/v2/payments/captures/CAP{made.ref}/refund", money("3.00"))
    till.paypal.refund_status = "PENDING"
    with pytest.raises(ProviderAway, match="PENDING"):
        await till.provider.refund(made.ref, 100, "refund-2")
    till.paypal.refund_status = "FAILED"
    assert await till.provider.refund(made.ref, 100, "refund-2") is False


async def test_events_name_the_order_or_the_capture(till):
    """Refunds and disputes know only the capture: `capture:` and its id stands for the order."""
    made = await till.provider.create(ORDER)
    capture = {**till.paypal.complete(made.ref), "custom_id": ORDER.payment}
    order = {"supplementary_data": {"related_ids": {"order_id": made.ref}}}
    up = [{"rel": "self", "href": "x"}, {"rel": "up", "href": f"https://x/v2/payments/captures/{capture['id']}"}]
    disputed = {"seller_transaction_id": capture["id"], "custom": ORDER.payment}
    await till.event(made.ref)
    for kind, about, ref in (
        ("CHECKOUT.ORDER.COMPLETED", till.paypal.orders[made.ref], made.ref),
        ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {**till.paypal.orders[made.ref], "order_id": made.ref}, made.ref),
        ("PAYMENT.CAPTURE.PENDING", capture | order, made.ref),
        ("PAYMENT.CAPTURE.COMPLETED", capture, f"capture:{capture['id']}"),
        ("PAYMENT.CAPTURE.REFUNDED", {"custom_id": ORDER.payment, "links": up}, f"capture:{capture['id']}"),
        ("CUSTOMER.DISPUTE.CREATED", {"disputed_transactions": [disputed]}, f"capture:{capture['id']}"),
    ):
        (event,) = till.provider.verify(*till.told(kind, about), time.time())
        assert (event.kind, event.ref, event.payment, event.live) == (kind, ref, ORDER.payment, False)
    found = await till.provider.fetch(f"capture:{capture['id']}")
    assert (found.ref, found.state) == (made.ref, State.SUCCEEDED)
    assert await till.provider.fetch("capture:NONE") is None
    for kind, about in (
        ("BILLING.PLAN.CREATED", {}), ("CHECKOUT.ORDER.APPROVED", {"id": "O"}), ("CUSTOMER.DISPUTE.CREATED", {}),
        ("PAYMENT.CAPTURE.COMPLETED", order),
    ):  # fmt: skip
        assert till.provider.verify(*till.told(kind, about), time.time()) == []


async def test_a_certificate_is_fetched_once_and_its_event_believed_when_it_comes_again(till):
    """Verifying waits for nothing; few are fetched at once, since anybody may name some that do not exist."""
    made = await till.provider.create(ORDER)
    headers, raw = till.told("CHECKOUT.ORDER.APPROVED", till.paypal.orders[made.ref])
    till.paypal.hangs.clear()
    for url in ("", "", *range(50)):
        named = headers | {"paypal-cert-url": f"{CERTIFICATE_URL}{url}"}
        assert till.provider.verify(named, raw, time.time()) == Rejected(UNKNOWN)
    async with asyncio.timeout(DEADLINE_S):
        while len(till.paypal.requests) < 6:  # noqa: ASYNC110 - a token, an order, four certificates
            await asyncio.sleep(0.002)
    till.paypal.hangs.set()
    await till.known(headers, raw)
    assert len(till.provider.verify(headers, raw, time.time())) == 1
    assert (len(till.paypal.requests), till.paypal.requests.count(CERTIFICATE_PATH)) == (6, 1)


@pytest.mark.parametrize("given", [None, b"no certificate"])
async def test_a_certificate_that_did_not_come_is_fetched_again(till, given):
    """Away or broken, it is asked for anew at the next event."""
    till.paypal.certificate = given
    headers, raw = till.told("BILLING.PLAN.CREATED", {})
    async with asyncio.timeout(DEADLINE_S):
        while till.paypal.requests.count(CERTIFICATE_PATH) < 2:
            assert till.provider.verify(headers, raw, time.time()) == Rejected(UNKNOWN)
            await asyncio.sleep(0.002)
    till.paypal.certificate = certificate()
    await till.known(headers, raw)
    assert till.provider.verify(headers, raw, time.time()) == []


@pytest.mark.parametrize(
    "url", [
        CERTIFICATE_URL.replace("https", "http"), CERTIFICATE_URL.replace("sandbox.", ""), CERTIFICATE_URL + "?x=1",
        CERTIFICATE_URL.replace(".com", ".com.example.org"), CERTIFICATE_URL.replace("api.", "api.evil."), "",
        CERTIFICATE_URL.replace("api.", "me@api."), CERTIFICATE_URL.replace(".com", ".com:8443"),
        CERTIFICATE_URL.replace("CERT-1", "../CERT-1"), CERTIFICATE_URL.replace("/certs", ""), CERTIFICATE_URL + "\n",
    ],
)  # fmt: skip
async def test_certificates_come_from_paypal_alone(till, url):
    """Of this mode's host, encrypted, from its folder; nothing else is ever fetched."""
    _, raw = till.told("BILLING.PLAN.CREATED", {})
    headers = till.signed(raw, time.time()) | {"paypal-cert-url": url}
    assert till.provider.verify(headers, raw, time.time()) == Rejected("the certificate is not at PayPal")
    assert till.paypal.requests == []


async def test_a_webhook_that_is_not_ours_is_rejected(till):
    """Of the future, older than PayPal tries, another webhook's, of no sense, with an old certificate, no event."""
    headers, raw = till.told("BILLING.PLAN.CREATED", {})
    await till.known(headers, raw)
    now_s = float(int(time.time()))
    for off_s in (-4 * 86_400, -3 * 86_400, 0, 300):  # a copy may have the time of the first one
        assert till.provider.verify(till.signed(raw, now_s + off_s), raw, now_s) == []
    for off_s, word in ((-4 * 86_400 - 1, "old"), (301, "future")):
        assert word in till.provider.verify(till.signed(raw, now_s + off_s), raw, now_s).reason
    later_s = now_s + 200_000
    assert "valid" in till.provider.verify(till.signed(raw, later_s), raw, later_s).reason
    changes = (
        till.signed(raw, now_s, "WH2"), {"paypal-auth-algo": "none"}, {"paypal-transmission-sig": "é"},
        {"paypal-transmission-sig": "AAAA"}, {"paypal-transmission-id": "another"}, {"paypal-transmission-sig": ""},
        {"paypal-transmission-time": "0001-01-01T00:00:00+23:59"},
        {"paypal-transmission-time": headers["paypal-transmission-time"].rstrip("Z")},
    )  # fmt: skip
    for change in changes:
        assert isinstance(till.provider.verify(headers | change, raw, now_s), Rejected)
    for body in (b"[" * 100_000, b"[]", b"", b'{"id":"e"}', b'{"id":"e","event_type":"X","resource":[]}', b"\xff"):
        assert isinstance(till.provider.verify(till.signed(body, now_s), body, now_s), Rejected)


async def test_no_secret_is_shown(till, caplog):
    """Neither by the plug-in's repr nor in logs of any level; and an error does not repeat PayPal's sentences."""
    caplog.set_level(logging.DEBUG)
    await till.provider.create(ORDER)
    till.paypal.trouble = problem(422, "DUPLICATE_INVOICE_ID")
    with pytest.raises(ProviderRefused, match=r"^HTTP 422 DUPLICATE_INVOICE_ID$") as refused:
        await till.provider.create(ORDER)
    shown = f"{caplog.text} {till.provider!r} {''.join(traceback.format_exception(refused.value))}"
    assert "/v2/checkout/orders" in shown
    assert [secret for secret in (CLIENT_SECRET, *till.paypal.tokens) if secret in shown] == []


async def test_what_is_missing_is_named():
    """By the setting's name; pretended money is not for production; the mode is the setting's."""
    names = ("paypal_client_id", "paypal_client_secret", "paypal_webhook_id")
    keys = {"payments": "paypal", **dict.fromkeys(names, "x")}
    for name in names:
        with pytest.raises(WrongSetting, match=f"set GIFTSERVER_{name.upper()}$"):
            open_providers(Settings(**{**keys, name: None}))
    with pytest.raises(WrongSetting, match="GIFTSERVER_PAYPAL_LIVE"):
        open_providers(Settings(**keys, production=True))
    for live in (False, True):
        (provider,) = open_providers(Settings(**keys, paypal_live=live)).values()
        assert (provider.name, provider.live) == ("paypal", live)
        await provider.close()
