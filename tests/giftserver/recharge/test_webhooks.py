"""What providers tell: believed only when they tell it, and then once, however often and in whatever order."""

import asyncio
import json
import random
import time
from dataclasses import replace

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from giftserver.durable.holds import holds_of
from giftserver.durable.provider_events import due_events
from giftserver.durable.verify import verify
from giftserver.errors import WrongSetting
from giftserver.recharge.provider import CheckoutOrder, Snapshot
from giftserver.recharge.providers import open_providers
from giftserver.recharge.states import State
from giftserver.sandbox.signing import HEADER, sign
from giftserver.settings import Settings
from giftserver.web import payments as web_payments
from tests.giftserver.conftest import assert_refused, running
from tests.giftserver.shop import SECRET, WEBHOOK_SECRET, Shop, open_shop

PATH = "/v1/webhooks/sandbox"
LATER = f"pay_{'0' * 32}"


async def events_of(shop: Shop, payment: dict) -> list[dict]:
    """Every event the sandbox made of a payment."""
    found = await shop.control("GET", f"/v1/events?session={await shop.session(payment)}")
    events: list[dict] = found["events"]
    return events


async def tell(shop: Shop, event: dict, **changes) -> int:
    """Send an event as the sandbox would; the status."""
    raw = json.dumps(event).encode()
    header = sign(changes.get("secret", WEBHOOK_SECRET), raw, changes.get("at_s", int(time.time())))
    answer = await shop.web.http.post(PATH, content=changes.get("sent", raw), headers={HEADER: header})
    return answer.status_code


@pytest.fixture
async def quiet(settings, static_dir):
    """A shop whose sandbox sends nothing by itself."""
    async with open_shop(settings.model_copy(update={"static_dir": static_dir})) as opened:
        await opened.mischief(drop=1.0)
        yield opened


async def test_twenty_copies_in_random_order_and_in_parallel_are_one_credit(quiet):
    """Each event twenty times, shuffled, at once, while the processor works: one credit."""
    payment = await quiet.paid()
    events = await events_of(quiet, payment)
    assert len(events) >= 2
    copies = [event for event in events for _ in range(20)]
    random.Random(5).shuffle(copies)
    working = asyncio.create_task(quiet.until_state(payment["id"], "credited"))
    assert set(await asyncio.gather(*(tell(quiet, event) for event in copies))) == {200}
    await working
    for event in copies:
        assert await tell(quiet, event) == 200
    await quiet.work()
    assert await quiet.coins() == 770


async def test_copies_across_a_restart_are_one_credit(quiet, settings, static_dir):
    """Another web process and another processor see the same events again: nothing is credited twice."""
    payment = await quiet.paid()
    events = await events_of(quiet, payment)
    for event in events:
        await tell(quiet, event)
    await quiet.until_state(payment["id"], "credited")
    async with running(quiet.web.settings.model_copy(update={"static_dir": static_dir, "public_url": None})) as anew:
        again = Shop(anew, quiet.stage, quiet.sandbox)
        for event in reversed(events):
            assert await tell(again, event) == 200
        await again.work()
        assert await again.coins() == 770


@pytest.mark.parametrize("kept", ["first", "last"])
async def test_one_of_several_events_is_enough(quiet, kept):
    """Whichever event comes, what is true is asked from the provider."""
    payment = await quiet.paid()
    events = await events_of(quiet, payment)
    await tell(quiet, events[0] if kept == "first" else events[-1])
    await quiet.until_state(payment["id"], "credited")
    assert await quiet.coins() == 770


def forged(event: dict) -> dict:
    """The event with a larger payment."""
    return {**event, "session": {**event["session"], "amount_minor": 1, "captured_minor": 999_999}}


async def test_what_is_not_the_providers_is_refused_and_nothing_is_kept(quiet):
    """A wrong secret, a changed body, an old or future stamp, no or strange headers, garbage: 400, logged, no event."""
    payment = await quiet.paid()
    event = (await events_of(quiet, payment))[-1]
    raw, now_s = json.dumps(event).encode(), int(time.time())
    with capture_logs() as logs:
        await told_wrongly(quiet, event, raw, now_s)
    refused = [line for line in logs if line["event"] == "webhook_refused"]
    assert (len(refused), {line["provider"] for line in refused}) == (19, {"sandbox"})
    assert all(line["reason"] for line in refused)
    counted = (await quiet.web.http.get("/metrics")).text
    assert 'giftserver_webhooks_refused_total{provider="sandbox"} 19.0' in counted
    with capture_logs() as logs:
        answer = await quiet.web.http.post(PATH, content=b"x" * 300_000)
        assert_refused(answer, 413, "too_large")
        assert_refused(await quiet.web.http.post("/v1/webhooks/stripe", content=raw), 404, "recharges_off")
    told = [(line["provider"], line["reason"]) for line in logs if line["event"] == "webhook_refused"]
    assert told == [
        ("sandbox", "The body is longer than 262144 bytes."), ("unknown", "There is no such provider here."),
    ]  # fmt: skip
    counted = (await quiet.web.http.get("/metrics")).text
    assert 'giftserver_webhooks_refused_total{provider="sandbox"} 20.0' in counted
    assert 'giftserver_webhooks_refused_total{provider="unknown"} 1.0' in counted
    assert await due_events(quiet.web.engines.database, 10) == []
    await quiet.work()
    assert await quiet.coins() == 0


async def told_wrongly(quiet: Shop, event: dict, raw: bytes, now_s: int) -> None:
    """Nineteen webhooks about an event that are not the provider's, each of them refused."""
    assert await tell(quiet, event, secret="another secret") == 400
    assert await tell(quiet, event, secret=SECRET) == 400
    assert await tell(quiet, event, sent=json.dumps(forged(event)).encode()) == 400
    assert await tell(quiet, event, at_s=now_s - 330) == 400
    assert await tell(quiet, event, at_s=now_s + 330) == 400
    good = sign(WEBHOOK_SECRET, raw, now_s)
    for header in (
        "",
        "t=,v1=",
        f"t={now_s}",
        "v1=" + good.partition("v1=")[2],
        "x" * 10_000,
        good.replace("v1", "v0"),
    ):
        answer = await quiet.web.http.post(PATH, content=raw, headers={HEADER: header})
        assert_refused(answer, 400, "webhook_refused")
    assert_refused(await quiet.web.http.post(PATH, content=raw), 400, "webhook_refused")
    for junk in (b"", b"[]", b"{}", b"null", b"\xff", b"[" * 50_000, b'{"id": 1}'):
        answer = await quiet.web.http.post(PATH, content=junk, headers={HEADER: sign(WEBHOOK_SECRET, junk, now_s)})
        assert_refused(answer, 400, "webhook_refused")


@pytest.mark.parametrize("place", ["id", "kind", "session", "payment"])
@pytest.mark.parametrize("text", ["\0", "ev\n1", "\x7f", "e" * 256])
async def test_an_event_that_no_database_takes_is_refused_for_good(quiet, place, text):
    """Signed right, with a NUL or the like in what would be kept, or no end: 400, or it would come again for ever."""
    payment = await quiet.paid()
    event = (await events_of(quiet, payment))[-1]
    session = event["session"]
    changed = {
        "id": {"id": text}, "kind": {"kind": text}, "session": {"session": {**session, "id": text}},
        "payment": {"session": {**session, "payment": text}},
    }  # fmt: skip
    with capture_logs() as logs:
        assert await tell(quiet, {**event, **changed[place]}) == 400
    (refused,) = [line for line in logs if line["event"] == "webhook_refused"]
    assert refused["reason"] == "an id that is no printable text of 255 characters at most"


async def test_what_a_signed_event_claims_is_not_what_counts(quiet):
    """Even with the right signature an event credits nothing that the provider does not confirm."""
    payment = await quiet.ordered()
    session = await quiet.control("GET", f"/v1/sessions/{await quiet.session(payment)}")
    claim = {**session, "state": "captured", "captured_minor": 999}
    assert await tell(quiet, {"id": "ev_1", "kind": "session.captured", "live": False, "session": claim}) == 200
    await quiet.work()
    assert (await quiet.payment(payment["id"]))["state"] == "pending"
    assert await quiet.coins() == 0


@pytest.mark.parametrize("wrong", ["wrong_amount", "wrong_currency"])
async def test_another_amount_or_currency_is_never_credited(shop, wrong):
    """The provider took something else than was ordered: it is logged, a person looks, nobody gets coins."""
    await shop.mischief(**{wrong: True})
    payment = await shop.paid()
    with capture_logs() as logs:
        async with asyncio.timeout(10):
            while not (await shop.payment(payment["id"]))["in_review"]:
                await shop.work()
    assert ("payment_refused", payment["id"]) in {(line["event"], line.get("payment")) for line in logs}
    assert await shop.coins() == 0
    report = await verify(shop.web.engines.database, shop.web.engines.ledger_redis)
    assert report.holds, report.render()


async def test_pretended_money_in_live_mode_is_refused(shop):
    """Events and sessions of the other mode: refused at the door, and never credited by asking either."""
    await shop.mischief(test_event_in_live=True)
    payment = await shop.ordered()
    assert payment["in_review"]
    await shop.sandbox.post(f"{shop.stage.url}/pay/{(await find(shop, payment))['id']}", data={"method": "wallet"})
    event = (await shop.control("GET", f"/v1/events?session={(await find(shop, payment))['id']}"))["events"][-1]
    assert await tell(shop, event) == 400
    await shop.reconciler().step()
    assert (await shop.payment(payment["id"]))["state"] == "created"
    assert await shop.coins() == 0


async def find(shop: Shop, payment: dict) -> dict:
    """The sandbox's session of a payment."""
    found: dict = (await shop.control("GET", f"/v1/sessions?payment={payment['id']}"))["sessions"][0]
    return found


async def test_an_event_of_an_unknown_payment_is_parked_and_heard_later(quiet):
    """A webhook that overtakes the order's own commit waits until the order is there."""
    body = {
        "payment": LATER, "amount_minor": 999, "currency": "USD", "description": "700 coins",
        "return_url": "http://127.0.0.1/wallet", "webhook_url": f"{quiet.web.settings.public_url}{PATH}",
        "expires_in_s": 600,
    }  # fmt: skip
    session = await quiet.control("POST", "/v1/sessions", body, **{"idempotency-key": "k"})
    await quiet.sandbox.post(session["url"], data={"method": "wallet"})
    event = (await quiet.control("GET", f"/v1/events?session={session['id']}"))["events"][-1]
    assert await tell(quiet, event) == 200
    await quiet.work()
    async with quiet.web.engines.database.begin() as connection:
        waits = "SELECT tries, outcome, next_at > received_at + interval '0.19 s' FROM provider_event"
        assert (await connection.execute(text(waits))).all() == [(1, None, True)]  # it waits for its next look
        await connection.execute(
            text(
                "INSERT INTO payment (id, user_id, key, request_hash, provider, coins, amount_minor, currency, "
                "country, price_version, expires_at) VALUES "
                f"('{LATER}', 'ana', 'k', 'h', 'sandbox', 700, 999, 'USD', 'US', 0, now())"
            )
        )
        await connection.execute(
            text(f"INSERT INTO payment_step (payment, n, state, source) VALUES ('{LATER}', 1, 'created', 'buyer')")
        )
    await quiet.until_state(LATER, "credited")
    assert await quiet.coins() == 700


async def test_webhooks_before_the_answer_of_the_order_are_credited_once(shop, monkeypatch):
    """The order is credited before its own answer comes, which knows of no payment yet: one credit, and it stays."""
    provider = shop.web.services.recharges.providers["sandbox"]
    real = provider.create

    async def late(order: CheckoutOrder) -> Snapshot:
        made = await real(order)
        await shop.until_state(order.payment, "credited")
        return replace(made, state=State.PENDING, captured_minor=0)

    monkeypatch.setattr(provider, "create", late)
    await shop.mischief(webhook_before_answer=True)
    payment = await shop.ordered()
    assert payment["state"] == "credited"
    await shop.work()
    assert await shop.coins() == 770


async def test_without_any_webhook_the_reconciler_credits(quiet):
    """Coming back and looking credit nothing; asked after a while, the provider says paid; asked again, no more."""
    payment = await quiet.paid()
    for _ in range(3):
        assert (await quiet.web.http.get(f"/wallet?payment={payment['id']}")).status_code == 200
        assert (await quiet.payment(payment["id"]))["state"] == "pending"
    assert await quiet.coins() == 0
    assert await quiet.reconciler(quiet_s=3_600).step() == 0
    assert await quiet.reconciler().step() == 1
    assert (await quiet.payment(payment["id"]))["state"] == "credited"
    for event in await events_of(quiet, payment):
        await tell(quiet, event)
    await quiet.work()
    assert await quiet.coins() == 770


async def test_a_webhook_that_cannot_be_kept_comes_again(shop, monkeypatch):
    """While our PostgreSQL is away nobody is thanked for a webhook, so the provider sends it again: one credit."""
    real, tries = web_payments.keep_events, []

    async def away(*arguments: object) -> int:
        tries.append(arguments)
        if len(tries) <= 4:
            raise ConnectionRefusedError
        return await real(*arguments)

    monkeypatch.setattr(web_payments, "keep_events", away)
    payment = await shop.paid()
    await shop.until_state(payment["id"], "credited")
    assert await shop.coins() == 770


async def test_who_misses_coins_can_have_the_provider_asked(quiet):
    """The button asks: paid is credited at once, unpaid stays so, and an away provider is told."""
    paid, unpaid = await quiet.paid(), await quiet.ordered("ben")
    for payment, user, state in ((paid, "ana", "credited"), (unpaid, "ben", "pending")):
        answer = await quiet.web.http.post(f"/v1/payments/{payment['id']}/check", headers=quiet.web.bearer(user))
        assert answer.json()["state"] == state
    await quiet.control("PUT", f"/v1/sessions/{await quiet.session(unpaid)}/mischief", {"fetch_fails": 1})
    async with quiet.web.engines.database.begin() as connection:
        await connection.execute(text("UPDATE payment SET asked_at = asked_at - interval '3 s'"))
    answer = await quiet.web.http.post(f"/v1/payments/{unpaid['id']}/check", headers=quiet.web.bearer("ben"))
    assert_refused(answer, 503, "unavailable")


async def test_a_provider_that_fails_for_a_while_holds_up_nobody(shop):
    """Three answers fail for one payment; the other one is credited meanwhile, and this one after."""
    await shop.mischief(fetch_fails=3)
    slow = await shop.paid()
    await shop.mischief()
    quick = await shop.paid("ben")
    await shop.until_state(quick["id"], "credited", "ben")
    await shop.until_state(slow["id"], "credited")
    assert (await shop.coins(), await shop.coins("ben")) == (770, 770)


async def test_trouble_that_the_answer_does_not_explain_is_for_a_person(quiet):
    """A provider that tells of a dispute, and has none in its answer: the payment is marked."""
    payment = await quiet.paid()
    event = (await events_of(quiet, payment))[-1]
    assert await tell(quiet, {**event, "id": "ev_trouble", "kind": "early_fraud_warning"}) == 200
    await quiet.until_state(payment["id"], "credited")
    assert (await quiet.payment(payment["id"]))["in_review"]
    assert await quiet.coins() == 770


async def test_a_late_payment_of_an_expired_session_is_credited_once(shop):
    """The session expired, the money came all the same."""
    await shop.mischief(pay_after_expiry=True)
    payment = await shop.ordered()
    await shop.control("POST", f"/v1/sessions/{await shop.session(payment)}/expire")
    await shop.until_state(payment["id"], "expired")
    await shop.pay(payment)
    await shop.until_state(payment["id"], "credited")
    assert await shop.coins() == 770


async def test_a_refund_that_came_first_is_no_credit(quiet):
    """Paid and refunded before we heard of either: nothing to book."""
    payment = await quiet.paid()
    await quiet.control(
        "POST",
        f"/v1/sessions/{await quiet.session(payment)}/refunds",
        {"amount_minor": 999},
        **{"idempotency-key": "r"},
    )
    for event in reversed(await events_of(quiet, payment)):
        await tell(quiet, event)
    await quiet.until_state(payment["id"], "refunded")
    assert await quiet.coins() == 0


@pytest.mark.parametrize(("end", "coins"), [("won", 770), ("lost", 0)])
async def test_the_end_of_a_dispute_that_came_first_is_its_end(quiet, end, coins):
    """Closed is told before opened, and both before paid: credited, and then as the dispute ended."""
    payment = await quiet.paid()
    dispute = await quiet.dispute(payment)
    await quiet.decide(dispute, end)
    told = await events_of(quiet, payment)
    assert len(told) >= 3
    for event in reversed(told):
        assert await tell(quiet, event) == 200
        await quiet.work()
    await quiet.until_claim(dispute, end)
    assert await quiet.coins() == coins
    assert await quiet.balance("charged_back") == (999 if end == "lost" else 0)
    await quiet.proved()
    assert await holds_of(quiet.web.engines.database, "ana") == []


def test_the_sandbox_is_not_for_production():
    """Pretended money must not buy coins where the ledger is meant for real ones."""
    known = {"sandbox_url": "http://127.0.0.1:1", "sandbox_secret": "s", "sandbox_webhook_secret": "w"}
    assert set(open_providers(Settings(payments="sandbox", **known))) == {"sandbox"}
    for settings in (
        Settings(payments="sandbox", production=True, **known), Settings(payments="sandbox"), Settings(payments="gold"),
    ):  # fmt: skip
        with pytest.raises(WrongSetting, match="GIFTSERVER_PAYMENTS"):
            open_providers(settings)
