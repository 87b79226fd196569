"""Whatever happens to a purchase in whatever order, its coins agree with its money in the end, and all the way.

A walk is a list of steps drawn with a seed: refunds here and at the provider, whole and part, refused and bouncing,
disputes of all kinds, gifts, lost and repeated news, a provider that is away, steps of the worker in between.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from giftserver.durable.proof.claims import claims_are_booked
from giftserver.durable.proof.invariant import Invariant
from giftserver.recharge.provider import ProviderAway
from tests.giftserver.recharge.buyers import all_done, refund, send
from tests.giftserver.shop import SECRET, Shop, new_key

STEPS = 40
PAID_MINOR, COINS = 999, 770


class Walk:
    """One purchase, and what may happen to it. Calls that the provider refuses change nothing, and are no failure."""

    def __init__(self, shop: Shop, payment: dict[str, Any], session: str, seed: int) -> None:
        self.shop, self.payment, self.session = shop, payment, session
        self.chance = random.Random(seed)
        self.away = False
        self.older: list[Any] = []
        self.provider = shop.inquiry.providers["sandbox"]
        self.fetch, self.refund = self.provider.fetch, self.provider.refund

    async def asked(self, ref: str) -> Any:
        """The provider's answer, which may come again later, or none."""
        if self.away:
            raise ProviderAway("it is away")
        found = await self.fetch(ref)
        self.older.append(found)
        return found

    async def paid(self, ref: str, amount_minor: int, key: str) -> bool:
        """A refund that may be paid though nobody hears of it."""
        done = not self.away and await self.refund(ref, amount_minor, key)
        if self.away or self.chance.random() < 0.2:
            raise ProviderAway("no answer")
        return done

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the sandbox that may be refused."""
        headers = {"authorization": f"Bearer {SECRET}", "idempotency-key": new_key()}
        answer = await self.shop.sandbox.request(method, path, json=body, headers=headers)
        return answer.json() if answer.status_code < 300 else None

    def amount(self) -> int:
        """The whole, a half, a cent, or anything."""
        return self.chance.choice([PAID_MINOR, 500, 499, 1, self.chance.randint(1, PAID_MINOR)])

    async def refund_here(self) -> None:
        """An operator asks for a refund."""
        await refund(self.shop, self.payment, self.amount())

    async def refund_there(self) -> None:
        """Somebody gives money back at the provider."""
        await self.call("POST", f"/v1/sessions/{self.session}/refunds", {"amount_minor": self.amount()})

    async def bounce(self) -> None:
        """A refund comes back to the provider."""
        made = (await self.call("GET", f"/v1/sessions/{self.session}"))["refunds"]
        if made:
            one = self.chance.choice(made)["id"]
            await self.call("POST", f"/v1/sessions/{self.session}/refunds/{one}/fail")

    async def mischief(self) -> None:
        """News are lost, or repeated, or refunds fail, or nothing of that any more."""
        wrong = self.chance.choice([{"drop": 1.0}, {"copies": 3}, {"refund_fails": True}, {}, {}])
        await self.call("PUT", f"/v1/sessions/{self.session}/mischief", wrong)

    async def dispute(self) -> None:
        """The bank asks, or asks for the money back."""
        body = {"amount_minor": self.amount(), "reason": "fraudulent", "state": self.chance.choice(["open", "warning"])}
        await self.call("POST", f"/v1/sessions/{self.session}/disputes", body)

    async def decide(self, one: Any = None) -> None:
        """The bank goes on with a dispute."""
        known = (await self.call("GET", f"/v1/sessions/{self.session}"))["disputes"]
        if one := one or (self.chance.choice(known) if known else None):
            nexts = {"warning": ["open", "closed"], "open": ["won", "lost"]}.get(one["state"])
            if nexts:
                await self.call("POST", f"/v1/disputes/{one['id']}", {"state": self.chance.choice(nexts)})

    async def send(self) -> None:
        """The buyer sends gifts, if they may."""
        await send(self.shop, self.chance.randint(1, 3))

    async def hear_older(self) -> None:
        """An older answer arrives."""
        if self.older:
            await self.shop.inquiry.heard(self.provider, self.chance.choice(self.older[-5:]), "provider")

    async def come_and_go(self) -> None:
        """The provider is away, or there again."""
        self.away = not self.away

    async def ask(self) -> None:
        """The reconciler's time has come."""
        async with self.shop.web.engines.database.begin() as connection:
            await connection.execute(text("UPDATE payment SET ask_again_at = now()"))
        await self.shop.reconciler().step()

    async def work(self) -> None:
        """Steps of the worker, as far as they come; what waits a little waits no more."""
        for _ in range(self.chance.randint(1, 4)):
            async with self.shop.web.engines.database.begin() as connection:
                await connection.execute(text("UPDATE claim SET next_at = now()"))
            await self.shop.work()
            if self.chance.random() < 0.7:
                await self.shop.web.settle()
            await self.shop.claims.step()

    async def step(self) -> None:
        """Something of all that; the worker's steps most often."""
        rare: list[Callable[[], Awaitable[None]]] = [
            self.refund_here, self.refund_here, self.refund_there, self.bounce, self.mischief, self.dispute,
            self.dispute, self.decide, self.decide, self.send, self.hear_older, self.come_and_go, self.ask,
        ]  # fmt: skip
        await self.chance.choice([*rare, *[self.work] * 8])()

    async def end(self) -> dict[str, Any]:
        """The provider is there, every dispute is decided, all is heard; what the provider says then."""
        self.away = False
        await self.call("PUT", f"/v1/sessions/{self.session}/mischief", {})
        for _ in range(2):
            for one in (await self.call("GET", f"/v1/sessions/{self.session}"))["disputes"]:
                await self.decide(one)
        await self.ask()
        await all_done(self.shop)
        found: dict[str, Any] = await self.call("GET", f"/v1/sessions/{self.session}")
        return found


async def holds(shop: Shop) -> list[str]:
    """What the proof of claims finds wrong now."""
    claims = Invariant("claims")
    async with shop.web.engines.database.connect() as connection:
        await claims_are_booked(connection, claims)
    return claims.violations


@pytest.mark.parametrize("seed", range(8))
async def test_coins_and_money_agree_however_it_went(bought, monkeypatch, seed):
    """Coins of the buyer, less what they owe, are those of the money that was kept, less what was spent."""
    shop, payment = bought
    walk = Walk(shop, payment, await shop.session(payment), seed)
    monkeypatch.setattr(walk.provider, "fetch", walk.asked)
    monkeypatch.setattr(walk.provider, "refund", walk.paid)
    await send(shop, walk.chance.randint(1, 7))
    for _ in range(STEPS):
        await walk.step()
        assert await holds(shop) == []
    theirs = await walk.end()
    lost_minor = sum(one["amount_minor"] for one in theirs["disputes"] if one["state"] == "lost")
    gone = COINS * min(theirs["refunded_minor"] + lost_minor, PAID_MINOR) // PAID_MINOR
    spent = await shop.balance("gifts_spent")
    assert await shop.coins() - await shop.balance("owed", "ana") == COINS - spent - gone
    assert await shop.balance("frozen", "ana") == 0
    kept = PAID_MINOR - theirs["refunded_minor"] - lost_minor
    assert await shop.balance("clearing", "sandbox") == kept
    assert await shop.balance("charged_back") == lost_minor
    await shop.proved()
