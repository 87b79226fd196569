"""What every provider's plug-in must do, each against the provider itself or what stands for it.

To add one: a `Till` of it in TILLS.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

import httpx
import pytest

from giftserver.recharge.provider import CheckoutOrder, PayoutOrder, Provider, ProviderAway, ProviderRefused, Rejected
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


class PayoutTill(Till, Protocol):
    """A provider that pays people out, too."""

    stranger: Provider
    """The same plug-in, which the provider does not let in."""

    receiver: str
    """An address where nothing happens by itself, or not during a test."""

    async def leave_unanswered(self) -> None:
        """The next payout is made, but its order is not answered."""

    async def settle(self, ref: str, state: str) -> None:
        """The payout is paid, has failed, or was returned."""

    async def payouts_made(self, payout: str) -> int:
        """How many payouts the provider has of our id."""

    async def payout_event(self, ref: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a genuine webhook about a payout."""


class SandboxTill:
    """The sandbox."""

    old_s = 301.0
    receiver = "slow@sandbox"

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.provider: Provider = SandboxProvider(url, SECRET, WEBHOOK_SECRET)
        self.broken: Provider = SandboxProvider("http://127.0.0.1:9", SECRET, WEBHOOK_SECRET)
        self.stranger: Provider = SandboxProvider(url, "another secret", WEBHOOK_SECRET)
        self._http = http

    async def pay(self, url: str) -> None:
        await self._http.post(url, data={"method": "wallet"})

    async def leave_unanswered(self) -> None:
        await self._http.put("/v1/mischief", json={"payouts_unanswered": 1})

    async def settle(self, ref: str, state: str) -> None:
        (await self._http.post(f"/v1/payouts/{ref}/settle", json={"state": state})).raise_for_status()

    async def payouts_made(self, payout: str) -> int:
        return len((await self._http.get("/v1/payouts", params={"payout": payout})).json()["payouts"])

    async def payout_event(self, ref: str) -> tuple[dict[str, str], bytes]:
        return await self._event(payout=ref)

    async def event(self, ref: str) -> tuple[dict[str, str], bytes]:
        return await self._event(session=ref)

    async def _event(self, **about: str) -> tuple[dict[str, str], bytes]:
        answer = await self._http.get("/v1/events", params=about)
        raw = json.dumps(answer.json()["events"][-1]).encode()
        return self.signed(raw, time.time()), raw

    def signed(self, raw: bytes, at_s: float) -> dict[str, str]:
        return {HEADER.lower(): sign(WEBHOOK_SECRET, raw, int(at_s))}


@contextlib.asynccontextmanager
async def sandbox_till() -> AsyncIterator[Till]:
    async with serving() as stage:
        app = create_app(SandboxConfig(SECRET, WEBHOOK_SECRET, None, stage.url))
        headers = {"authorization": f"Bearer {SECRET}"}
        async with (
            stage.playing(app),
            httpx.AsyncClient(base_url=stage.url, headers=headers, trust_env=False, verify=False) as http,
        ):
            till = SandboxTill(stage.url, http)
            yield till
            for provider in (till.provider, till.broken, till.stranger):
                await provider.close()


TILLS: dict[str, Callable[[], AbstractAsyncContextManager[Till]]] = {
    "sandbox": sandbox_till,
    "stripe": stripe_till,
    "paypal": paypal_till,
}


PAYERS = ("sandbox", "paypal")
"""Those that pay people out; the others must say that they do not."""


@pytest.fixture(params=PAYERS)
async def payer(request) -> AsyncIterator[PayoutTill]:
    """Each provider that pays people out, in turn."""
    async with TILLS[request.param]() as opened:
        yield opened


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


PAYOUT = "out_" + "0123456789abcdef" * 2


def money_of(payer: PayoutTill, **changes) -> PayoutOrder:
    """An order to pay USD 50.00 out, of which nothing becomes by itself."""
    return replace(PayoutOrder(PAYOUT, 5_000, "USD", payer.receiver, "Earnings"), **changes)


async def test_only_who_says_so_pays_people_out(till, request):
    """The others refuse, whatever is asked."""
    if till.provider.capabilities.payouts is not None:
        assert request.node.callspec.params["till"] in PAYERS
        return
    with pytest.raises(ProviderRefused):
        await till.provider.payout(PayoutOrder(PAYOUT, 5_000, "USD", "creator@example.org", "Earnings"))
    with pytest.raises(ProviderRefused):
        await till.provider.find_payout(PAYOUT)


async def test_a_payout_is_made_once_for_its_id(payer):
    """Asked for several times at once, and again later, it is one and the same."""
    order = money_of(payer)
    made = await asyncio.gather(*(payer.provider.payout(order) for _ in range(5)))
    made.append(await payer.provider.payout(order))
    assert len({one.ref for one in made}) == 1
    assert {(one.payout, one.state, one.amount_minor, one.currency) for one in made} == {
        (PAYOUT, "pending", 5_000, "USD")
    }
    assert {one.live for one in made} == {payer.provider.live} == {False}
    assert await payer.payouts_made(PAYOUT) == 1
    assert await payer.provider.find_payout(PAYOUT, made[0].ref) == made[0]


async def test_a_payout_whose_order_was_not_answered_is_found(payer):
    """It is not known what became of it; looking for it, and asking again if there is none, finds it: there is one."""
    order = money_of(payer)
    await payer.leave_unanswered()
    with pytest.raises(ProviderAway):
        await payer.provider.payout(order)
    await payer.provider.find_payout(PAYOUT)  # none, where a provider cannot look for our id
    found = await payer.provider.payout(order)
    assert (found.payout, found.amount_minor, found.currency) == (PAYOUT, 5_000, "USD")
    assert await payer.payouts_made(PAYOUT) == 1
    await payer.settle(found.ref, "paid")
    assert (await payer.provider.payout(order)).state == "paid"


async def test_another_amount_under_the_same_id_is_refused(payer):
    """The one that is there stays as it is."""
    made = await payer.provider.payout(money_of(payer))
    for other in ({"amount_minor": 5_001}, {"currency": "EUR"}):
        with pytest.raises(ProviderRefused):
            await payer.provider.payout(money_of(payer, **other))
    assert await payer.payouts_made(PAYOUT) == 1
    assert await payer.provider.find_payout(PAYOUT, made.ref) == made


async def test_of_nobody_there_is_no_payout(payer):
    """Nor is one made by looking for it."""
    for payout in (PAYOUT, "out_", "a\0b/../?#", "ä"):
        for ref in ("", "po_of_nobody", "a\0b/../?#"):
            assert await payer.provider.find_payout(payout, ref) is None
    assert await payer.payouts_made(PAYOUT) == 0


@pytest.mark.parametrize("way", [("paid",), ("failed",), ("paid", "returned")])
async def test_what_became_of_a_payout_is_told(payer, way):
    """Paid, failed, or returned once it was paid; and why, when the money did not stay there."""
    made = await payer.provider.payout(money_of(payer))
    for state in way:
        await payer.settle(made.ref, state)
        found = await payer.provider.find_payout(PAYOUT, made.ref)
        assert (found.state, found.amount_minor, found.currency) == (state, 5_000, "USD")
        assert (found.reason is None) == (state == "paid")


async def test_a_genuine_webhook_names_the_payout(payer):
    """Our id, its reference, and the same id for every copy."""
    made = await payer.provider.payout(money_of(payer))
    await payer.settle(made.ref, "paid")
    headers, raw = await payer.payout_event(made.ref)
    (event,) = payer.provider.verify(headers, raw, time.time())
    assert (event.payment, event.ref, event.live) == (PAYOUT, made.ref, False)
    (copy,) = payer.provider.verify(headers, raw, time.time())
    assert copy.id == event.id
    assert isinstance(payer.provider.verify(headers, raw + b" ", time.time()), Rejected)


@pytest.mark.parametrize(
    "address",
    [
        "", "creator", "a\0b@example.org", "slow@sandbox\n", "a b@example.org", "\u00e4@example.org", "<b>@example.org",
        "a@b@example.org", "a" * 65 + "@example.org", "a@" + "e" * 150 + ".org",
    ],
)  # fmt: skip
async def test_an_address_that_cannot_be_one_is_refused(payer, address):
    """By the pattern that forms go by, and by the plug-in before it asks anybody."""
    assert not re.fullmatch(payer.provider.capabilities.payouts.pattern, address)
    for provider in (payer.provider, payer.broken):
        with pytest.raises(ProviderRefused):
            await provider.payout(money_of(payer, address=address))
    assert await payer.payouts_made(PAYOUT) == 0


async def test_a_payout_of_nothing_is_refused(payer):
    """An impossible amount is refused, not tried for ever."""
    for amount_minor in (0, -1):
        with pytest.raises(ProviderRefused):
            await payer.provider.payout(money_of(payer, amount_minor=amount_minor))
    assert await payer.payouts_made(PAYOUT) == 0


async def test_who_is_not_let_in_knows_nothing_of_a_payout(payer):
    """Refused is only an order of which nothing was sent: a wrong secret says nothing of an earlier try."""
    made = await payer.provider.payout(money_of(payer))
    for nobody in (payer.stranger, payer.broken):
        with pytest.raises(ProviderAway):
            await nobody.payout(money_of(payer))
        with pytest.raises(ProviderAway):
            await nobody.find_payout(PAYOUT, made.ref)


async def test_the_money_of_a_payout_is_listed(payer):
    """Under our id, gone when it was paid and back when it was returned; where movements are listed at all."""
    made, now_s = await payer.provider.payout(money_of(payer)), time.time()
    if not payer.provider.capabilities.movements:
        return
    for state, amounts in (("paid", [-5_000]), ("returned", [-5_000, 5_000])):
        await payer.settle(made.ref, state)
        moved = await payer.provider.movements(now_s - 60, now_s + 60)
        assert [one.amount_minor for one in moved] == amounts
        assert {(one.kind, one.payment, one.currency) for one in moved} == {("payout", PAYOUT, "USD")}
