"""Stripe's plug-in beyond the contract: delayed methods, its minor units, events without a session, its errors."""

import asyncio
import json
import logging
import sys
import time
import traceback
from dataclasses import replace

import pytest
from starlette.responses import JSONResponse, Response

from giftserver.errors import WrongSetting
from giftserver.recharge.money import EXPONENTS
from giftserver.recharge.provider import DisputeNews, ProviderAway, ProviderRefused, Rejected
from giftserver.recharge.providers import open_providers
from giftserver.recharge.states import State
from giftserver.settings import Settings
from tests.giftserver.recharge.stripe_till import KEY, WEBHOOK_SECRET, problem, sign, stripe_till
from tests.giftserver.recharge.test_contract import ORDER

DEADLINE_S = 10.0
PAYMENT = {"payment": ORDER.payment}


@pytest.fixture
async def till():
    """Stripe."""
    async with stripe_till() as opened:
        yield opened


async def test_a_delayed_method_is_promised_until_its_money_comes(till):
    """A completed session is not a paid one."""
    made = await till.provider.create(ORDER)
    intent = till.stripe.confirm(made.ref, "processing", "sepa_debit")
    promised = await till.provider.fetch(made.ref)
    assert (promised.state, promised.captured_minor, promised.method) == (State.AUTHORISED, 0, "sepa_debit")
    assert till.stripe.confirm(made.ref, method="sepa_debit") == intent
    headers, raw = till.told("checkout.session.async_payment_succeeded", till.stripe.sessions[made.ref])
    (event,) = till.provider.verify(headers, raw, time.time())
    paid = await till.provider.fetch(event.ref)
    assert (paid.state, paid.captured_minor, paid.method) == (State.SUCCEEDED, 999, "sepa_debit")


@pytest.mark.parametrize(
    ("status", "state"), [("requires_payment_method", State.FAILED), ("canceled", State.CANCELLED)]
)
async def test_a_delayed_method_may_fail(till, status, state):
    """Completed, never paid, and no attempt left: no money comes."""
    made = await till.provider.create(ORDER)
    till.stripe.confirm(made.ref, "processing")
    till.stripe.confirm(made.ref, status, code="payment_intent_payment_attempt_failed")
    failed = await till.provider.fetch(made.ref)
    assert (failed.state, failed.captured_minor) == (state, 0)
    assert failed.decline == "payment_intent_payment_attempt_failed"


async def test_a_bank_that_asks_and_a_card_that_is_declined_leave_the_page_open(till):
    """What the bank wants is told, and the decline by its own code; the buyer may try again."""
    made = await till.provider.create(ORDER)
    till.stripe.confirm(made.ref, "requires_action")
    assert (await till.provider.fetch(made.ref)).state is State.REQUIRES_ACTION
    till.stripe.confirm(made.ref, "requires_payment_method", code="card_declined", decline_code="insufficient_funds")
    declined = await till.provider.fetch(made.ref)
    assert (declined.state, declined.decline, declined.url) == (State.PENDING, "insufficient_funds", made.url)


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 750), ("KRW", 1_300), ("KWD", 1_550), ("EUR", 499)])
async def test_amounts_are_the_same_number_at_stripe(till, currency, amount):
    """Whole yen and thousandths of a dinar are sent and read without a conversion."""
    made = await till.provider.create(replace(ORDER, currency=currency, amount_minor=amount))
    assert till.stripe.forms[0]["line_items[0][price_data][unit_amount]"] == str(amount)
    assert till.stripe.forms[0]["line_items[0][price_data][currency]"] == currency.lower()
    till.stripe.confirm(made.ref)
    paid = await till.provider.fetch(made.ref)
    assert (paid.currency, paid.captured_minor) == (currency, amount)


@pytest.mark.parametrize("change", [{"currency": "KWD", "amount_minor": 1_555}, {"currency": "CLF"}, {"currency": ""}])
async def test_what_stripe_cannot_take_is_refused_without_asking(till, change):
    """A third decimal that is not nought, and currencies it has not: refused in words."""
    with pytest.raises(ProviderRefused, match="Stripe"):
        await till.provider.create(replace(ORDER, **change))
    assert till.stripe.requests == []


async def test_its_minor_units_are_ours(till):
    """Every currency it says to take has at Stripe the digits of ISO 4217 that our price lists go by."""
    from giftserver.recharge import stripe

    for digits, currencies in ((0, stripe.WHOLE), (2, stripe.HUNDREDTHS), (3, stripe.THOUSANDTHS)):
        assert {EXPONENTS[currency] for currency in currencies} == {digits}
    assert till.provider.capabilities.currencies == set(EXPONENTS)


async def test_events_about_an_intent_are_resolved_to_their_session(till):
    """Refunds, disputes and warnings carry no session: `pi:` and the intent stands for it."""
    made = await till.provider.create(ORDER)
    intent = till.stripe.confirm(made.ref)
    till.stripe.charges[f"ch_{intent}"]["amount_refunded"] = 300
    charge = {"id": f"ch_{intent}", "payment_intent": intent, "metadata": PAYMENT}
    about = {"id": "x_1", "charge": charge["id"], "payment_intent": intent}
    for kind, thing, payment in (
        ("charge.refunded", charge, ORDER.payment), ("refund.created", about, ""),
        ("charge.dispute.created", about, ""), ("radar.early_fraud_warning.created", about, ""),
        ("payment_intent.succeeded", {"id": intent, "metadata": PAYMENT}, ORDER.payment),
    ):  # fmt: skip
        (event,) = till.provider.verify(*till.told(kind, thing), time.time())
        assert (event.kind, event.ref, event.payment) == (kind, f"pi:{intent}", payment)
    found = await till.provider.fetch(f"pi:{intent}")
    assert (found.ref, found.payment, found.state) == (made.ref, ORDER.payment, State.SUCCEEDED)
    assert (found.captured_minor, found.refunded_minor) == (999, 300)
    assert await till.provider.fetch("pi:pi_of_nobody") is None


async def test_disputes_are_told_as_they_stand(till):
    """A warning, an open one, and how it ended; in another currency than was paid, all of it is disputed."""
    made = await till.provider.create(ORDER)
    intent = till.stripe.confirm(made.ref)
    dispute = {
        "id": "du_1", "object": "dispute", "payment_intent": intent, "amount": 500, "currency": "usd",
        "reason": "fraudulent",
    }  # fmt: skip
    till.stripe.disputes.append(dispute)
    for status, state in (
        ("warning_needs_response", "warning"), ("warning_closed", "won"), ("needs_response", "open"),
        ("under_review", "open"), ("lost", "lost"), ("won", "won"),
    ):  # fmt: skip
        dispute["status"] = status
        found = await till.provider.fetch(f"pi:{intent}")
        assert found.disputes == (DisputeNews("du_1", 500, state, "fraudulent"),)
    dispute |= {"currency": "eur", "amount": 460}
    assert [one.amount_minor for one in (await till.provider.fetch(made.ref)).disputes] == [999]
    dispute["status"] = "something new"
    with pytest.raises(ProviderAway):
        await till.provider.fetch(made.ref)


async def test_a_refund_is_made_once_for_its_key(till):
    """Even when Stripe has forgotten the idempotency key: the refund itself says whose it is."""
    made = await till.provider.create(ORDER)
    with pytest.raises(ProviderRefused, match="nothing was paid"):
        await till.provider.refund(made.ref, 300, "refund-1")
    till.stripe.confirm(made.ref)
    for key in ("refund-1", "refund-1", "refund-2"):
        assert await till.provider.refund(made.ref, 300, key) is True
    assert len(till.stripe.refunds) == 2
    assert (await till.provider.fetch(made.ref)).refunded_minor == 600
    with pytest.raises(ProviderRefused, match="charge_already_refunded"):
        await till.provider.refund(made.ref, 900, "refund-3")


async def test_a_refund_that_is_on_its_way_has_no_answer_yet(till):
    """Neither yes nor no, until Stripe knows; asking again makes no second one."""
    made = await till.provider.create(ORDER)
    till.stripe.confirm(made.ref)
    till.stripe.refund_status = "pending"
    for _ in range(2):
        with pytest.raises(ProviderAway, match="pending"):
            await till.provider.refund(made.ref, 300, "refund-1")
    (refund,) = till.stripe.refunds
    refund["status"] = "failed"
    assert await till.provider.refund(made.ref, 300, "refund-1") is False


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("balance.available", {"object": "balance"}), ("customer.created", {"id": "cus_1", "payment_intent": {}}),
        ("checkout.session.completed", {"id": "cs_of_another_shop", "metadata": {}}),
        ("payment_intent.succeeded", {"id": "pi_of_another_shop"}), ("refund.created", {"id": "re_1"}),
    ],
)  # fmt: skip
async def test_events_that_mean_nothing_here_are_taken_and_left_alone(till, kind, about):
    """Other kinds, and the account's other business, are no reason for Stripe to send them again."""
    assert till.provider.verify(*till.told(kind, about), time.time()) == []


async def test_the_mode_of_an_event_is_told(till):
    """The core refuses events of the other mode, so the event says which it is."""
    headers, raw = till.told("checkout.session.expired", {"id": "cs_1", "metadata": PAYMENT}, livemode=True)
    (event,) = till.provider.verify(headers, raw, time.time())
    assert event.live is True


async def test_a_stamp_may_be_five_minutes_off_and_no_more(till):
    """In the past and in the future: the library by itself takes any future."""
    _, raw = till.told("checkout.session.expired", {"id": "cs_1", "metadata": PAYMENT})
    now_s = 1_900_000_000.0
    for off_s in (-300, 0, 300):
        assert len(till.provider.verify(till.signed(raw, now_s + off_s), raw, now_s)) == 1
    for off_s, word in ((-301, "old"), (301, "future")):
        assert word in till.provider.verify(till.signed(raw, now_s + off_s), raw, now_s).reason


async def test_a_signature_of_another_secret_is_rejected(till):
    """So is what only looks like a signature, whatever its characters."""
    _, raw = till.told("checkout.session.expired", {"id": "cs_1", "metadata": PAYMENT})
    right, now_s = sign(WEBHOOK_SECRET, raw, time.time()), time.time()
    wrong = (
        sign("whsec_of_somebody", raw, now_s), right.replace("v1=", "v0="), right.replace("t=", "s="), "t=1,v1=é",
        "t=,v1=", "t=1", ",", "t=" + "9" * 5_000 + ",v1=0", right.partition(",")[2],
    )  # fmt: skip
    for header in wrong:
        assert isinstance(till.provider.verify({"stripe-signature": header}, raw, now_s), Rejected)


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'{"id":1}', b"[]", b"", b'{"id":"e","type":"refund.x","livemode":false,"data":{}}'],
    ids=["deep", "short", "list", "empty", "hollow"],
)
async def test_a_signed_body_that_is_no_event_is_rejected(till, raw):
    """Whatever it is, nothing is raised."""
    assert isinstance(till.provider.verify(till.signed(raw, time.time()), raw, time.time()), Rejected)


@pytest.mark.parametrize(
    "trouble",
    [
        problem(429), problem(500), problem(503), problem(409, code="idempotency_key_in_use"), Response("<p>", 502),
        problem(400, code="rate_limit"), Response("<p>", 200), JSONResponse([]), JSONResponse({}),
        JSONResponse({"id": 1}),
        JSONResponse({
            "id": "cs", "status": "new", "payment_status": "x", "currency": "usd", "amount_total": 1, "livemode": False,
        }),
    ],
)  # fmt: skip
async def test_an_answer_that_is_of_no_use_is_no_answer(till, trouble):
    """Trouble at Stripe, and what cannot be read, leave open what became of the call; it is made once."""
    till.stripe.trouble = trouble
    for call in (till.provider.create(ORDER), till.provider.fetch("cs_1"), till.provider.cancel("cs_1")):
        till.stripe.requests.clear()
        with pytest.raises(ProviderAway):
            await call
        assert len(till.stripe.requests) == 1


async def test_an_answer_that_takes_too_long_is_no_answer(till, monkeypatch):
    """Five seconds are enough for an answer; here a tenth of one."""
    monkeypatch.setattr("giftserver.recharge.stripe.TIMEOUT_S", 0.1)
    hasty = till.opened(till.stripe.url)
    till.stripe.hangs.clear()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(ProviderAway, match="Timeout"):
            await hasty.create(ORDER)
    till.stripe.hangs.set()
    await hasty.close()


@pytest.mark.parametrize(("status", "error"), [(402, {"type": "card_error", "code": "card_declined"}), (403, {})])
async def test_a_no_is_a_no(till, status, error):
    """Errors that would come again are refusals, with Stripe's code and without its sentences."""
    till.stripe.trouble = problem(status, **error)
    with pytest.raises(ProviderRefused, match=f"^HTTP {status} \\w+$"):
        await till.provider.create(ORDER)
    with pytest.raises(ProviderRefused):
        await till.provider.fetch("cs_1")


async def test_asking_again_later_gives_the_same_session(till, monkeypatch):
    """The end of a session depends on the clock, which Stripe refuses for a key that was used: it is looked up."""
    made = await till.provider.create(ORDER)
    later_s = time.time() + 90
    monkeypatch.setattr("giftserver.recharge.stripe.time.time", lambda: later_s)
    again = await till.provider.create(ORDER)
    assert (again.ref, again.url) == (made.ref, made.url)
    assert len(till.stripe.sessions) == 1


async def test_a_session_is_found_behind_many_others(till, monkeypatch):
    """Of another kind, too. Pages are turned, up to a limit; beyond it nothing is said to be missing."""
    monkeypatch.setattr("giftserver.recharge.stripe.PAGE", 2)
    made = await till.provider.create(ORDER)
    for number in range(4):
        other = await till.provider.create(replace(ORDER, payment=f"pay_{number}"))
    subscription = {"currency": None, "amount_total": None, "status": None, "client_reference_id": None}
    till.stripe.sessions[other.ref] |= subscription
    assert (await till.provider.find(ORDER.payment)).ref == made.ref
    assert await till.provider.find("pay_of_nobody") is None
    till.stripe.sessions[made.ref]["created"] -= 7_201  # it ended long ago, and nobody was given its page
    assert await till.provider.find(ORDER.payment) is None
    monkeypatch.setattr("giftserver.recharge.stripe.PAGES_MAX", 1)
    with pytest.raises(ProviderAway, match="too many"):
        await till.provider.find("pay_of_nobody")


async def test_a_session_that_ended_is_expired_and_none_is_a_refusal(till):
    """Cancelling what ended by itself says so; cancelling what never was is refused."""
    made = await till.provider.create(ORDER)
    till.stripe.sessions[made.ref] |= {"status": "expired", "url": None}
    assert (await till.provider.cancel(made.ref)).state is State.EXPIRED
    with pytest.raises(ProviderRefused):
        await till.provider.cancel("cs_of_nobody")


async def test_no_secret_is_shown(till, caplog):
    """Neither by the plug-in's repr nor in logs of any level; and an error does not repeat what Stripe quotes."""
    caplog.set_level(logging.DEBUG)
    made = await till.provider.create(ORDER)
    wrong = till.opened(till.stripe.url, "sk_test_somebody")
    with pytest.raises(ProviderRefused) as refused:
        await wrong.fetch(made.ref)
    till.provider.verify(*till.told("refund.created", {"id": "re_1"}), 0)
    logged = f"{caplog.text} {till.provider!r} {wrong!r} {refused.value!r}"
    assert "/v1/checkout/sessions" in logged
    for secret in (KEY, WEBHOOK_SECRET, "sk_test_somebody"):
        assert secret not in logged
    till.stripe.trouble = problem(400, message=f"Wrong key: {KEY}")
    with pytest.raises(ProviderRefused) as refused:
        await till.provider.create(ORDER)
    assert KEY not in "".join(traceback.format_exception(refused.value))
    await wrong.close()


def test_what_is_missing_is_named(monkeypatch):
    """A setting by its name, the library by what installs it; pretended money is not for production."""
    keys = {"payments": "stripe", "stripe_secret_key": KEY, "stripe_webhook_secret": WEBHOOK_SECRET}
    for changes, words in (
        ({"stripe_secret_key": None}, "GIFTSERVER_STRIPE_SECRET_KEY$"),
        ({"stripe_webhook_secret": ""}, "GIFTSERVER_STRIPE_WEBHOOK_SECRET$"),
        ({"stripe_secret_key": "pk_test_1"}, "GIFTSERVER_STRIPE_SECRET_KEY is none"),
        ({"production": True}, "test mode"),
    ):  # fmt: skip
        with pytest.raises(WrongSetting, match=words):
            open_providers(Settings(**{**keys, **changes}))
    monkeypatch.delitem(sys.modules, "giftserver.recharge.stripe", raising=False)
    monkeypatch.setitem(sys.modules, "stripe", None)
    with pytest.raises(WrongSetting, match=r"pip install giftserver\[payments\]"):
        open_providers(Settings(**keys))


async def test_the_mode_is_the_keys(till):
    """Whether money is real is told by the key alone."""
    opened = [till.opened(till.stripe.url, key) for key in ("sk_live_1", "rk_live_1", "sk_test_live_1", "rk_test_1")]
    assert [one.live for one in opened] == [True, True, False, False]
    for one in opened:
        await one.close()


def test_the_stand_in_signs_as_the_library_does():
    """Else the webhook tests would prove nothing about Stripe's own signatures."""
    stripe = pytest.importorskip("stripe")
    raw = json.dumps({"id": "evt_1", "object": "event"})
    header = stripe.WebhookSignature.generate_signature_header(raw, WEBHOOK_SECRET, 1_900_000_000)
    assert sign(WEBHOOK_SECRET, raw.encode(), 1_900_000_000).startswith(header + ",")
