"""What viewers report and operators decide, over HTTP."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.giftserver.recharge.buyers import send
from tests.giftserver.shop import Shop, new_key


@dataclass
class Desk:
    """A shop, a payment of ana's, and the requests of viewers (ana, ben, mira) and operators (olga, otto)."""

    shop: Shop
    payment: dict[str, Any]

    async def report(self, user: str, kind: str, id: str, reason: str, **more: Any) -> httpx.Response:
        """Report something."""
        body = {"key": new_key(), "subject": {"kind": kind, "id": id}, "reason": reason, **more}
        return await self.shop.web.http.post("/v1/reports", json=body, headers=self.shop.web.bearer(user))

    async def reported(self, **more: Any) -> str:
        """Ana says that she did not pay; the case of it."""
        answer = await self.report("ana", "payment", self.payment["id"], "unauthorised", **more)
        assert answer.status_code == 200, answer.text
        return str((await self.get("/v1/ops/cases?state=open"))["cases"][0]["id"])

    async def reports(self, user: str = "ana") -> list[dict[str, Any]]:
        """What somebody reported, newest first."""
        answer = await self.shop.web.http.get("/v1/reports", headers=self.shop.web.bearer(user))
        found: list[dict[str, Any]] = answer.json()["reports"]
        return found

    async def get(self, path: str, by: str = "olga") -> Any:
        """What an operator reads."""
        answer = await self.shop.web.http.get(path, headers=self.shop.web.bearer(by, "admin"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, by: str = "olga", role: str = "admin") -> httpx.Response:
        """What an operator does."""
        return await self.shop.web.http.post(path, json=body, headers=self.shop.web.bearer(by, role))

    async def step(self, case: str, verb: str, version: int, **more: Any) -> httpx.Response:
        """A step of a case."""
        body = {"version": version, "reason": f"{verb}: as agreed", **more}
        return await self.post(f"/v1/ops/cases/{case}/{verb}", body)

    async def took(self, case: str, verb: str, version: int, **more: Any) -> dict[str, Any]:
        """A step that was taken: the case after it."""
        answer = await self.step(case, verb, version, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def propose(self, coins: int, user: str = "ana", by: str = "olga", **more: Any) -> httpx.Response:
        """Propose an adjustment."""
        body = {"key": new_key(), "user": user, "coins": coins, "reason": "agreed with support", **more}
        return await self.post("/v1/ops/adjustments", body, by)

    async def decide(self, id: str, verb: str = "approve", by: str = "otto") -> httpx.Response:
        """Approve or reject one."""
        return await self.post(f"/v1/ops/adjustments/{id}/{verb}", {"reason": "looked at it"}, by)

    async def gift(self, quantity: int = 1) -> str:
        """Ana sends gifts of 100 coins to mira; the transfer, once it is booked."""
        receipt: Any = await send(self.shop, quantity)
        await self.shop.web.settle()
        return str(receipt.transfer)
