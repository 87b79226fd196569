"""localstripe, which imitates Stripe without knowing us: the plug-in takes, reads and gives back money at it.

Only in `make judge`. It is a program of its own; what it lacks, and where it is not as Stripe is, says docs/judges.md.
"""

import asyncio
import functools
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from giftserver.recharge import stripe_movements
from giftserver.recharge.provider import CheckoutOrder, ProviderEvent, ProviderRefused, Rejected
from giftserver.recharge.states import State
from giftserver.settings import Settings
from tests.giftserver.conftest import running
from tests.giftserver.recharge.buyers import refund
from tests.giftserver.recharge.stripe_till import KEY, WEBHOOK_SECRET, StripeTill
from tests.giftserver.shop import Shop
from tests.judges.conftest import Say
from tests.judges.localstripe_till import DEADLINE_S, LocalTill, local_till

ORDER = CheckoutOrder("pay_judged", 999, "USD", "770 coins", "http://127.0.0.1/wallet", "", 1_800)
VISA = "pm_card_visa"
DECLINED = "pm_card_chargeCustomerFail"
ASKS = "4000000000003220"
ASKS_AND_DECLINES = "4000008400001629"
BANK_DECLINES = "DE62370400440532013001"
MISSING = "localstripe is not installed: `make judge` does it, where a package registry can be reached"
NO_IPV6 = "localstripe listens on IPv6, which this machine does not have"


@pytest.fixture
def program(say: Say) -> str:
    """The program; without it this judge is silent."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    found = shutil.which("localstripe", path=path)
    reason = MISSING if found is None else NO_IPV6 if not socket.has_dualstack_ipv6() else None
    if reason is not None:
        say(f"localstripe: not asked. {reason}")
        pytest.skip(reason)
    assert found is not None
    return found


@pytest.fixture
async def till(program: str, tmp_path: Path) -> AsyncIterator[LocalTill]:
    """localstripe, behind a Checkout."""
    async with local_till(program, tmp_path) as opened:
        yield opened


async def moved(till: LocalTill) -> list[tuple[str, str, str, int]]:
    """What moved in the last minute."""
    listed = await till.provider.movements(time.time() - 60, time.time() + 60)
    return sorted((one.kind, one.payment, one.currency, one.amount_minor) for one in listed)


async def refunds(till: LocalTill, intent: str) -> list[tuple[int, str]]:
    """Amounts and keys of the refunds that localstripe has, the oldest first."""
    listed = (await till.ask("GET", f"refunds?payment_intent={intent}"))["data"]
    return sorted((one["amount"], one["metadata"]["key"]) for one in listed)


async def test_a_card_is_paid_and_given_back(till: LocalTill, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paid with its amount and currency, by session and by intent; a part and the rest go back, each key once.

    localstripe does not know idempotency keys: that a refund is one is the plug-in's own doing, as it is at Stripe a
    day later.
    """
    made = await till.provider.create(ORDER)
    intent = await till.pay(made.ref, VISA)
    there = await till.ask("GET", f"payment_intents/{intent}")
    assert (there["status"], there["amount"], there["currency"]) == ("succeeded", 999, "usd")
    for ref in (made.ref, f"pi:{intent}"):
        paid = await till.provider.fetch(ref)
        assert paid is not None
        assert (paid.ref, paid.payment, paid.state) == (made.ref, ORDER.payment, State.SUCCEEDED)
        assert (paid.currency, paid.captured_minor, paid.refunded_minor, paid.live) == ("USD", 999, 0, False)
    again = StripeTill.opened(till.url)  # another process, which remembers nothing
    for provider in (till.provider, till.provider, again):
        assert await provider.refund(made.ref, 300, "one")
    await again.close()
    assert await refunds(till, intent) == [(300, "one")]
    partly = await till.provider.fetch(made.ref)
    assert partly is not None
    assert (partly.state, partly.refunded_minor, partly.failed_refunds) == (State.SUCCEEDED, 300, ())
    for _ in range(2):
        assert await till.provider.refund(made.ref, 699, "two")
    assert await refunds(till, intent) == [(300, "one"), (699, "two")]
    wholly = await till.provider.fetch(made.ref)
    assert wholly is not None
    assert (wholly.captured_minor, wholly.refunded_minor) == (999, 999)
    monkeypatch.setattr(stripe_movements, "PAGE", 2)
    mine = ORDER.payment
    all_of_it = [("charge", mine, "USD", 999), ("refund", mine, "USD", -699), ("refund", mine, "USD", -300)]
    assert await moved(till) == all_of_it
    assert await till.provider.movements(time.time() + 60, time.time() + 120) == []
    say("localstripe: a card was paid, found, given back in two parts and accounted for")


async def test_what_is_not_paid_is_not_told_as_paid(till: LocalTill, say: Say) -> None:
    """Cards that are declined and banks that ask leave the page open; a bank debit is promised, and fails later."""
    asks, asks_and_declines = await till.card(ASKS), await till.card(ASKS_AND_DECLINES)
    account = await till.account(BANK_DECLINES)
    code, unproved = "card_declined", "payment_intent_authentication_failure"
    for number, (method, answer, first, then) in enumerate([
        (DECLINED, None, (State.PENDING, code), (State.PENDING, code)),
        (asks, True, (State.REQUIRES_ACTION, None), (State.SUCCEEDED, None)),
        (asks, False, (State.REQUIRES_ACTION, None), (State.PENDING, unproved)),
        (asks_and_declines, True, (State.REQUIRES_ACTION, None), (State.PENDING, code)),
    ]):  # fmt: skip
        made = await till.provider.create(replace(ORDER, payment=f"pay_{number}"))
        await till.pay(made.ref, method)
        assert await told(till, made.ref) == first
        if answer is not None:
            await till.answer_bank(made.ref, answer)
        assert await told(till, made.ref) == then
        if then[1] == code:
            with pytest.raises(ProviderRefused):
                await till.provider.refund(made.ref, 999, "one")
    debit = await till.provider.create(ORDER)
    await till.pay(debit.ref, account)
    async with asyncio.timeout(DEADLINE_S):
        while (now := await told(till, debit.ref)) != (State.FAILED, code):
            assert now == (State.AUTHORISED, None)
            await asyncio.sleep(0.02)
    assert await moved(till) == [("charge", "pay_1", "USD", 999)]
    say("localstripe: declined, asked by the bank, failed later: nothing was paid that was not")


async def told(till: LocalTill, ref: str) -> tuple[State, str | None]:
    """A checkout's state and its decline; only what succeeded has money."""
    found = await till.provider.fetch(ref)
    assert found is not None
    assert found.captured_minor == (999 if found.state is State.SUCCEEDED else 0)
    return found.state, found.decline


async def test_its_events_are_believed_when_they_are_whole(till: LocalTill, say: Say) -> None:
    """As it posts them: they name the intent and our payment. A changed byte, another secret or time: rejected."""
    await till.tell(f"{till.url}/hooks")
    made, other = await till.provider.create(ORDER), await till.provider.create(replace(ORDER, payment="pay_2"))
    paid, declined = await till.pay(made.ref, VISA), await till.pay(other.ref, DECLINED)
    await till.ask("POST", "payouts", {"amount": 500, "currency": "eur"})
    for kind, intent, payment in (
        ("payment_intent.succeeded", paid, ORDER.payment), ("payment_intent.payment_failed", declined, "pay_2"),
    ):  # fmt: skip
        headers, raw = await till.hook(lambda raw, intent=intent: intent in raw.decode())
        id, now_s = json.loads(raw)["id"], time.time()
        expected = ProviderEvent(id, kind, f"pi:{intent}", payment, False)
        assert till.provider.verify(headers, raw, now_s) == [expected]
        found = await till.provider.fetch(expected.ref)
        assert found is not None
        assert found.payment == payment
        for at_s in (now_s + 310, now_s - 310):
            assert isinstance(till.provider.verify(headers, raw, at_s), Rejected)
        assert isinstance(till.provider.verify(headers, raw.replace(b"999", b"998"), now_s), Rejected)
    headers, raw = await till.hook(lambda raw: b"payout.created" in raw)
    assert till.provider.verify(headers, raw, time.time()) == []
    await till.tell(f"{till.url}/hooks", "whsec_of_somebody_else")
    await till.pay((await till.provider.create(replace(ORDER, payment="pay_3"))).ref, VISA)
    headers, raw = await till.hook(lambda raw: b"pay_3" in raw)
    assert isinstance(till.provider.verify(headers, raw, time.time()), Rejected)
    say("localstripe: its own signed events were read, and rejected when changed, old or of another secret")


async def test_coins_are_sold_and_taken_back(
    till: LocalTill, settings: Settings, monkeypatch: pytest.MonkeyPatch, say: Say
) -> None:
    """A whole giftserver sells through the plug-in: localstripe's event credits the coins, a refund takes them back."""
    from giftserver.recharge import stripe

    opened = functools.partial(stripe.StripeProvider, api_base=till.url)
    monkeypatch.setattr(stripe, "StripeProvider", opened)
    asked: dict[str, Any] = {
        "payments": ("stripe",), "stripe_secret_key": SecretStr(KEY),
        "stripe_webhook_secret": SecretStr(WEBHOOK_SECRET),
    }  # fmt: skip
    async with running(settings.model_copy(update=asked)) as web:
        shop = Shop(web, till.stage, till.local)
        await till.tell(f"{web.http.base_url}/v1/webhooks/stripe")
        payment = await shop.ordered(provider="stripe")
        intent = await till.pay(payment["checkout_url"].rpartition("/")[2], VISA)
        await shop.until_state(payment["id"], "credited")
        assert await shop.coins() == 770
        claim = (await refund(shop, payment, 500)).json()["id"]
        await shop.until_claim(claim, "lost")
        assert [amount for amount, _ in await refunds(till, intent)] == [500]
        assert await shop.coins() == 770 - 770 * 500 // 999
        await shop.proved()
    say("localstripe: 770 coins were sold by its own event and partly given back; the ledger holds")
