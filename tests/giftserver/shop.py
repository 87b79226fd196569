"""A giftserver that sells coins: its web process, a sandbox as the provider, and a worker's steps by hand."""

import asyncio
import contextlib
import secrets
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from giftserver.durable.store import settled_coins
from giftserver.durable.verify import verify
from giftserver.metrics import Metrics
from giftserver.recharge.claims import ClaimKeeper
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.processor import EventProcessor
from giftserver.recharge.reconciler import Reconciler
from giftserver.sandbox.app import create_app
from giftserver.sandbox.config import SandboxConfig
from giftserver.settings import Settings
from giftserver.worker import CreditCarrier
from tests.giftserver.conftest import Web, running
from tests.giftserver.sandbox.conftest import Stage, serving

SECRET = "an API key of the shop's tests"
WEBHOOK_SECRET = "a webhook secret of the shop's tests"
CARD = {"method": "card", "number": "4242 4242 4242 4242", "expiry": "12/49", "cvc": "123"}
DEADLINE_S = 20.0


def new_key() -> str:
    """A UUIDv7 of now."""
    number = int(time.time() * 1_000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


@dataclass
class Shop:
    """Everything a purchase passes through."""

    web: Web
    stage: Stage
    sandbox: httpx.AsyncClient
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        database = self.web.engines.database
        self.inquiry = Inquiry(database, self.web.services.recharges.providers)
        self.events = EventProcessor(database, self.inquiry, self.metrics)
        self.claims = ClaimKeeper(database, self.web.services.ledger.wallets, self.inquiry, self.metrics)
        self.carrier = CreditCarrier(self.web.engines, self.web.services.ledger, self.metrics)

    def reconciler(self, quiet_s: float = 0.0) -> Reconciler:
        """One that asks about everything that is open."""
        return Reconciler(self.web.engines.database, self.inquiry, self.metrics, quiet_s)

    async def order(self, user: str = "ana", **changes: Any) -> httpx.Response:
        """Order 700 coins as the wallet's page would."""
        body = {
            "key": new_key(), "provider": "sandbox", "pack": "coins-700", "amount_minor": 999, "currency": "USD",
            "bonus_coins": 70,
        }  # fmt: skip
        body = {name: value for name, value in {**body, **changes}.items() if value is not None}
        return await self.web.http.post("/v1/payments", json=body, headers=self.web.bearer(user))

    async def ordered(self, user: str = "ana", **changes: Any) -> dict[str, Any]:
        """The payment of an order that was taken."""
        answer = await self.order(user, **changes)
        assert answer.status_code == 200, answer.text
        payment: dict[str, Any] = answer.json()
        return payment

    async def pay(self, payment: dict[str, Any], **form: str) -> httpx.Response:
        """Pay on the hosted page."""
        return await self.sandbox.post(payment["checkout_url"], data=form or CARD)

    async def answer_bank(self, payment: dict[str, Any], answer: str) -> None:
        """Answer the bank's question (3-D Secure)."""
        await self.sandbox.post(f"{payment['checkout_url']}/secure", data={"answer": answer})

    async def paid(self, user: str = "ana", **changes: Any) -> dict[str, Any]:
        """An order that was paid on the hosted page."""
        payment = await self.ordered(user, **changes)
        assert (await self.pay(payment)).status_code == 303
        return payment

    async def payment(self, id: str, user: str = "ana") -> dict[str, Any]:
        """How a payment stands."""
        answer = await self.web.http.get(f"/v1/payments/{id}", headers=self.web.bearer(user))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def session(self, payment: dict[str, Any]) -> str:
        """The sandbox's id of its checkout."""
        return str(payment["checkout_url"]).rsplit("/", 1)[1]

    async def control(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A call of the sandbox's API."""
        answer = await self.sandbox.request(
            method, path, json=body, headers={"authorization": f"Bearer {SECRET}", **headers}
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def mischief(self, **what: Any) -> None:
        """What goes wrong with sessions from now on."""
        await self.control("PUT", "/v1/mischief", what)

    async def work(self) -> None:
        """One round of the worker."""
        await self.events.step()
        await self.carrier.carry()

    async def until_state(self, id: str, state: str, user: str = "ana") -> dict[str, Any]:
        """Work until a payment is in this state. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while (found := await self.payment(id, user))["state"] != state:
                await self.work()
                await asyncio.sleep(0.005)
        return found

    async def dispute(self, payment: dict[str, Any], state: str = "open", amount_minor: int = 999) -> str:
        """The cardholder complains; the dispute's id."""
        body = {"amount_minor": amount_minor, "reason": "fraudulent", "state": state}
        made = await self.control("POST", f"/v1/sessions/{await self.session(payment)}/disputes", body)
        return str(made["id"])

    async def decide(self, dispute: str, state: str) -> None:
        """The provider decides a dispute."""
        await self.control("POST", f"/v1/disputes/{dispute}", {"state": state})

    async def claim(self, id: str) -> Any:
        """A claim as stored, None when there is none."""
        query = text("SELECT * FROM claim WHERE id = :id")
        async with self.web.engines.database.connect() as connection:
            return (await connection.execute(query, {"id": id})).one_or_none()

    async def until_claim(self, id: str, state: str) -> Any:
        """Work until a claim is in this state. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = await self.claim(id)
                if found is not None and found.state == state:
                    return found
                await self.work()
                await self.web.settle()
                await self.claims.step()
                await asyncio.sleep(0.005)

    async def proved(self) -> None:
        """Nothing is lost: every invariant holds, also after whatever waits has reached Redis."""
        await self.work()
        await self.claims.step()
        report = await verify(self.web.engines.database, self.web.engines.ledger_redis)
        assert report.holds, report.render()

    async def balance(self, kind: str, owner: str = "platform") -> int:
        """What an account has in the durable ledger."""
        query = text("SELECT coalesce(sum(balance), 0) FROM account WHERE kind = :kind AND owner = :owner")
        async with self.web.engines.database.connect() as connection:
            return int(await connection.scalar(query, {"kind": kind, "owner": owner}) or 0)

    async def coins(self, user: str = "ana") -> int:
        """The user's coins, which Redis has as well."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await self.carrier.carry()
                settled = await settled_coins(self.web.engines.database, user)
                if await self.web.services.ledger.balance(user) == settled:
                    return settled
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def open_shop(settings: Settings, **sandbox: Any) -> AsyncIterator[Shop]:
    """A shop until the block ends; `sandbox` changes its configuration."""
    async with serving() as stage:
        config = SandboxConfig(
            **{"secret": SECRET, "webhook_secret": WEBHOOK_SECRET, "journal": None, "public_url": stage.url, **sandbox}
        )
        payments = {
            "payments": ("sandbox",), "sandbox_url": stage.url, "sandbox_secret": SecretStr(SECRET),
            "sandbox_webhook_secret": SecretStr(WEBHOOK_SECRET),
        }  # fmt: skip
        asked = settings.model_copy(update=payments)
        async with (
            stage.playing(create_app(config)),
            running(asked) as web,
            httpx.AsyncClient(base_url=stage.url, timeout=10, trust_env=False, verify=False) as client,
        ):
            yield Shop(web, stage, client)
