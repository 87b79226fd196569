"""A shop where mira earned diamonds and is paid out: her requests, the worker's keeper by hand, the sandbox as bank."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import text

from giftserver.auth.tokens import Identity
from giftserver.errors import Refusal
from giftserver.gifts.messages import SendGift
from giftserver.recharge.payout_keeper import PayoutKeeper
from tests.giftserver.shop import SECRET, Shop, new_key

DEADLINE_S = 20.0
SLOW = "slow@sandbox"
"""An address whose payouts stay on their way until a test moves them."""


@dataclass
class Office:
    """Requests of creators and operators, and what the worker and the provider do with them."""

    shop: Shop
    keeper: PayoutKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.open_keeper()

    def open_keeper(self) -> None:
        """Another worker's keeper, which has done nothing yet."""
        web, providers = self.shop.web, self.shop.inquiry.providers
        database, redis = web.engines.database, web.engines.ledger_redis
        self.keeper = PayoutKeeper(database, redis, providers, web.settings.base_url, self.shop.metrics)

    async def earn(self, diamonds: int, sender: str = "gus") -> None:
        """Gifts of so many diamonds to mira, booked."""
        await self.shop.web.give_coins(sender, diamonds)
        await self.shop.coins(sender)
        who = Identity(sender, sender.title(), "viewer", None, float("inf"))
        command = SendGift(id=1, key=new_key(), gift="fountain", quantity=diamonds // 100)
        reply = await self.shop.web.services.gifts.send(who, "harbour", command)
        assert not isinstance(reply, Refusal), reply
        await self.shop.web.settle()

    async def set_account(
        self, address: str = SLOW, user: str = "mira", provider: str = "sandbox", **claims: Any
    ) -> httpx.Response:
        """Say where to be paid out to."""
        body = {"provider": provider, "address": address}
        return await self.shop.web.http.put("/v1/payouts/account", json=body, headers=self.bearer(user, **claims))

    def bearer(self, user: str = "mira", **claims: Any) -> dict[str, str]:
        """Headers of a creator."""
        return self.shop.web.bearer(user, "creator", **claims)

    async def ask(self, diamonds: int = 10_000, user: str = "mira", **changes: Any) -> httpx.Response:
        """Ask for a payout as a page would."""
        body = {
            "key": new_key(), "diamonds": diamonds, "amount_minor": max(1, diamonds // 2), "currency": "USD", **changes,
        }  # fmt: skip
        return await self.shop.web.http.post("/v1/payouts", json=body, headers=self.bearer(user))

    async def asked(self, diamonds: int = 10_000, user: str = "mira", **changes: Any) -> str:
        """The id of a payout that was taken."""
        answer = await self.ask(diamonds, user, **changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def terms(self, user: str = "mira") -> dict[str, Any]:
        """What somebody can be paid out."""
        answer = await self.shop.web.http.get("/v1/payouts/terms", headers=self.bearer(user))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def payout(self, id: str, user: str = "mira") -> dict[str, Any]:
        """How a payout stands."""
        answer = await self.shop.web.http.get(f"/v1/payouts/{id}", headers=self.bearer(user))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def cancel(self, id: str, user: str = "mira") -> httpx.Response:
        """Take a payout back."""
        return await self.shop.web.http.post(f"/v1/payouts/{id}/cancel", headers=self.bearer(user))

    async def void(self, id: str, by: str = "olga", reason: str = "looked at it") -> httpx.Response:
        """An operator stops a payout."""
        headers = self.shop.web.bearer(by, "admin")
        return await self.shop.web.http.post(f"/v1/ops/payouts/{id}/void", json={"reason": reason}, headers=headers)

    async def decide(
        self, id: str, decision: str, by: str = "olga", reason: str = "their page says so"
    ) -> httpx.Response:
        """An operator decides about a payout in review."""
        body, headers = {"decision": decision, "reason": reason}, self.shop.web.bearer(by, "admin")
        return await self.shop.web.http.post(f"/v1/ops/payouts/{id}/decide", json=body, headers=headers)

    async def decree(self, what: str, by: str = "olga", reason: str = "the books are checked") -> dict[str, Any] | None:
        """An operator lets all payouts `stop` or `go`; the stop that is in force then."""
        headers = self.shop.web.bearer(by, "admin")
        answer = await self.shop.web.http.post(f"/v1/ops/payouts/{what}", json={"reason": reason}, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] | None = answer.json()["stop"]
        return found

    async def stop(self) -> dict[str, Any] | None:
        """The stop that operators see in their list."""
        headers = self.shop.web.bearer("olga", "admin")
        found: dict[str, Any] | None = (await self.shop.web.http.get("/v1/ops/payouts", headers=headers)).json()["stop"]
        return found

    async def listed(self, **query: Any) -> list[dict[str, Any]]:
        """Payouts as operators see them."""
        headers = self.shop.web.bearer("olga", "admin")
        answer = await self.shop.web.http.get("/v1/ops/payouts", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["payouts"]
        return found

    async def sql(self, statement: str, **values: object) -> list[Any]:
        """Rows of a statement, which is committed."""
        async with self.shop.web.engines.database.begin() as connection:
            done = await connection.execute(text(statement), values)
            return list(done) if done.returns_rows else []

    async def work(self) -> None:
        """One round of the keeper, in which every payout is due."""
        await self.sql("UPDATE payout SET ask_at = now() WHERE ask_at IS NOT NULL")
        await self.keeper.step()

    async def until(self, id: str, state: str, user: str = "mira") -> dict[str, Any]:
        """Work until a payout is in this state. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while (found := await self.payout(id, user))["state"] != state:
                await self.work()
                await asyncio.sleep(0.01)
        return found

    async def sent(self, **changes: Any) -> str:
        """A payout of 10,000 diamonds that is on its way at the provider."""
        id = await self.asked(**changes)
        await self.until(id, "sending", changes.get("user", "mira"))
        return id

    async def at_provider(self, id: str) -> list[dict[str, Any]]:
        """The payouts that the sandbox made for one of ours."""
        headers = {"authorization": f"Bearer {SECRET}"}
        async with asyncio.timeout(DEADLINE_S):
            while True:  # a mischief may fail a few looks
                answer = await self.shop.sandbox.get("/v1/payouts", params={"payout": id}, headers=headers)
                if answer.status_code == 200:
                    found: list[dict[str, Any]] = answer.json()["payouts"]
                    return found

    async def settle(self, id: str, state: str) -> None:
        """The bank at the other end decides."""
        (found,) = await self.at_provider(id)
        await self.shop.control("POST", f"/v1/payouts/{found['id']}/settle", {"state": state})

    async def balances(self, user: str = "mira") -> tuple[int, int, int]:
        """Diamonds of a creator that are earned, held, and paid out by all."""
        rows = await self.sql(
            "SELECT kind, balance FROM account WHERE asset = 'diamonds' AND (owner = :user OR kind = 'paid_out')",
            user=user,
        )
        found = {row.kind: row.balance for row in rows}
        return found.get("earnings", 0), found.get("payout_held", 0), found.get("paid_out", 0)

    async def hold(self, user: str = "mira") -> str:
        """A case that has somebody's wallet on hold; its id."""
        subject = {"kind": "user", "id": user}
        told = {"key": new_key(), "subject": subject, "reason": "other"}
        await self.shop.web.http.post("/v1/reports", json=told, headers=self.shop.web.bearer("ben"))
        headers = self.shop.web.bearer("olga", "admin")
        (case,) = (await self.shop.web.http.get("/v1/ops/cases?state=open", headers=headers)).json()["cases"]
        body = {"version": case["version"], "reason": "a test"}
        done = await self.shop.web.http.post(f"/v1/ops/cases/{case['id']}/hold", json=body, headers=headers)
        assert done.status_code == 200, done.text
        return str(case["id"])

    async def release(self, case: str) -> None:
        """End the hold of a case."""
        headers = self.shop.web.bearer("olga", "admin")
        found = (await self.shop.web.http.get(f"/v1/ops/cases/{case}", headers=headers)).json()["case"]
        body = {"version": found["version"], "reason": "a test"}
        done = await self.shop.web.http.post(f"/v1/ops/cases/{case}/release", json=body, headers=headers)
        assert done.status_code == 200, done.text
