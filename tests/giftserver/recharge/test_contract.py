"""What every provider's plug-in must do, each against the provider itself or what stands for it.

To add one: a `Till` of it in TILLS.
"""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

import httpx
import pytest

from giftserver.recharge.provider import CheckoutOrder, Provider, ProviderAway, ProviderRefused, Rejected
from giftserver.recharge.sandbox import SandboxProvider
from giftserver.recharge.states import State
from giftserver.sandbox.app import create_app
from giftserver.sandbox.config import SandboxConfig
from giftserver.sandbox.signing import HEADER, sign
from tests.giftserver.recharge.paypal_till import paypal_till
from tests.giftserver.recharge.stripe_till import stripe_till
from tests.giftserver.sandbox.conftest import serving
from tests.giftserver.shop import SECRET, WEBHOOK_SECRET


class Till(Protocol):
    """A provider, and what its buyers and its servers do."""

    provider: Provider
    broken: Provider
    """The same plug-in, where nobody listens."""

    old_s: float
    """A webhook that was signed so long ago is refused."""

    async def pay(self, url: str) -> None:
        """The buyer pays."""

    async def event(self, ref: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a genuine webhook about a checkout."""

    def signed(self, raw: bytes, at_s: float) -> dict[str, str]:
        """Headers that the provider would send with these bytes at this moment."""


class SandboxTill:
    """The sandbox."""

    old_s = 301.0

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.provider: Provider = SandboxProvider(url, SECRET, WEBHOOK_SECRET)
        self.broken: Provider = SandboxProvider("http://127.0.0.1:9", SECRET, WEBHOOK_SECRET)
        self._http = http

    async def pay(self, url: str) -> None:
        await self._http.post(url, data={"method": "wallet"})

    async def event(self, ref: str) -> tuple[dict[str, str], bytes]:
        answer = await self._http.get(f"/v1/events?session={ref}", headers={"authorization": f"Bearer {SECRET}"})
        raw = json.dumps(answer.json()["events"][-1]).encode()
        return self.signed(raw, time.time()), raw

    def signed(self, raw: bytes, at_s: float) -> dict[str, str]:
        return {HEADER.lower(): sign(WEBHOOK_SECRET, raw, int(at_s))}


@contextlib.asynccontextmanager
async def sandbox_till() -> AsyncIterator[Till]:
    async with serving() as stage:
        app = create_app(SandboxConfig(SECRET, WEBHOOK_SECRET, None, stage.url))
        async with stage.playing(app), httpx.AsyncClient(base_url=stage.url, trust_env=False, verify=False) as http:
            till = SandboxTill(stage.url, http)
            yield till
            await till.provider.close()
            await till.broken.close()


TILLS: dict[str, Callable[[], AbstractAsyncContextManager[Till]]] = {
    "sandbox": sandbox_till,
    "stripe": stripe_till,
    "paypal": paypal_till,
}


@pytest.fixture(params=TILLS)
async def till(request) -> AsyncIterator[Till]:
    """Each provider in turn."""
    async with TILLS[request.param]() as opened:
        yield opened


ORDER = CheckoutOrder(
    "pay_contract", 999, "USD", "770 coins", "http://127.0.0.1/wallet?payment=pay_contract",
    "http://127.0.0.1:9/v1/webhooks/x", 1_800,
)  # fmt: skip


async def test_a_checkout_is_made_once_for_a_payment(till):
    """Asked twice it is the same one, with a page to pay on, and it can be found by our id."""
    made = await till.provider.create(ORDER)
    again = await till.provider.create(ORDER)
    assert (made.ref, made.url) == (again.ref, again.url)
    assert made.url.startswith("http")
    assert (made.state, made.payment, made.currency, made.captured_minor) == (State.PENDING, ORDER.payment, "USD", 0)
    found = await till.provider.find(ORDER.payment)
    assert found is not None
    assert found.ref == made.ref
    assert await till.provider.find("pay_of_nobody") is None
    assert await till.provider.fetch("cs_of_nobody") is None


async def test_what_was_paid_is_told_with_its_amount(till):
    """After payment the snapshot says how much was taken, in which currency, and whether the money is real."""
    made = await till.provider.create(ORDER)
    await till.pay(made.url)
    paid = await till.provider.fetch(made.ref)
    assert (paid.state, paid.captured_minor, paid.refunded_minor) == (State.SUCCEEDED, 999, 0)
    assert paid.live is till.provider.live is False


async def test_what_moved_is_listed_or_refused(till):
    """The charge, under our payment, at its time, and nothing of what was not asked for; or the plug-in cannot say."""
    made = await till.provider.create(ORDER)
    now_s = time.time()
    await till.pay(made.url)
    await till.provider.fetch(made.ref)
    if not till.provider.capabilities.movements:
        with pytest.raises(ProviderRefused):
            await till.provider.movements(now_s - 60, now_s + 60)
        return
    moved = await till.provider.movements(now_s - 60, now_s + 60)
    (charge,) = [one for one in moved if one.payment]
    assert (charge.kind, charge.payment, charge.currency, charge.amount_minor) == ("charge", ORDER.payment, "USD", 999)
    assert abs(charge.at_s - now_s) < 60
    assert {one.kind for one in moved} <= {"charge", "fee"}
    assert await till.provider.movements(now_s + 60, now_s + 120) == []


async def test_cancelling_ends_what_nobody_paid_and_nothing_else(till):
    """A paid checkout stays paid."""
    unpaid = await till.provider.create(ORDER)
    assert (await till.provider.cancel(unpaid.ref)).state is State.CANCELLED
    paid = await till.provider.create(replace(ORDER, payment="pay_paid"))
    await till.pay(paid.url)
    assert (await till.provider.cancel(paid.ref)).state is State.SUCCEEDED


async def test_a_genuine_webhook_names_the_checkout(till):
    """Its id, the checkout and our payment; the same id for every copy."""
    made = await till.provider.create(ORDER)
    await till.pay(made.url)
    headers, raw = await till.event(made.ref)
    (event,) = till.provider.verify(headers, raw, time.time())
    assert (event.ref, event.payment, event.live) == (made.ref, ORDER.payment, False)
    (copy,) = till.provider.verify(headers, raw, time.time())
    assert copy.id == event.id


async def test_every_other_webhook_is_rejected_with_a_reason(till):
    """A changed byte, no header, an old stamp, bytes that are no event: rejected, never raised."""
    made = await till.provider.create(ORDER)
    await till.pay(made.url)
    headers, raw = await till.event(made.ref)
    now_s = time.time()
    old = till.signed(raw, now_s - till.old_s - 1)
    for given_headers, given in (
        (headers, raw + b" "), ({}, raw), (old, raw), (dict.fromkeys(headers, "x"), raw),
        (till.signed(b"{}", now_s), b"{}"), (till.signed(b"\xff", now_s), b"\xff"),
    ):  # fmt: skip
        found = till.provider.verify(given_headers, given, now_s)
        assert isinstance(found, Rejected)
        assert found.reason


async def test_a_provider_that_does_not_answer_is_away(till):
    """Nothing but ProviderAway comes out, so the core can ask again."""
    for call in (
        till.broken.create(ORDER), till.broken.fetch("cs_1"), till.broken.find("pay_1"), till.broken.cancel("cs_1"),
        *([till.broken.movements(0, 1)] if till.broken.capabilities.movements else []),
    ):  # fmt: skip
        with pytest.raises(ProviderAway):
            await call


async def test_an_order_it_cannot_take_is_refused(till):
    """An impossible amount is refused, not tried for ever."""
    with pytest.raises(ProviderRefused):
        await till.provider.create(replace(ORDER, amount_minor=0))
