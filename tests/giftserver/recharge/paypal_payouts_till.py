"""Stands for PayPal's Payouts API: batches of one item, and what becomes of them."""

import itertools
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/v1/payments/payouts"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]+")
EXISTS = "Batch with given sender_batch_id already exists"


def refusal(status: int, name: str, **detail: Any) -> Response:
    """An error as PayPal's payouts word it."""
    details = [{"location": "body", **detail}] if detail else []
    return JSONResponse({"name": name, "message": "An error.", "details": details, "links": []}, status)


class PayPalPayouts:
    """Batches in memory, by PayPal's ids. `before` answers instead of any of them.

    `unanswered` are so many that are made and answered with 500. `refusal` answers instead of taking an order, before
    anything of it is looked at. `links`: whether a refused copy has a link to the batch that is there.
    """

    def __init__(self, url: str, before: Callable[[Request], Awaitable[Response | None]]) -> None:
        self.url, self._before = url, before
        self.batches: dict[str, dict[str, Any]] = {}
        self.unanswered = 0
        self.refusal: Response | None = None
        self.links = True
        self._numbers = itertools.count(1)
        self.routes = [Route(PATH, self._create, methods=["POST"]), Route(PATH + "/{id}", self._shown)]

    async def _create(self, request: Request) -> Response:
        if (answer := await self._before(request)) is not None:
            return answer
        body = await request.json()
        if self.refusal is not None:
            return self.refusal
        header, (item,) = body["sender_batch_header"], body["items"]
        assert item["recipient_type"] == "EMAIL"
        assert item["sender_item_id"] == header["sender_batch_id"]
        if not EMAIL.fullmatch(item["receiver"]):
            return refusal(400, "VALIDATION_ERROR", field="items[0].receiver", issue="Receiver is invalid")
        for batch in self.batches.values():
            told = batch["batch_header"]
            if told["sender_batch_header"]["sender_batch_id"] == header["sender_batch_id"]:
                if told["batch_status"] == "DENIED":  # it does not hold its id
                    continue
                href = f"{self.url}{PATH}/{told['payout_batch_id']}?page_size=1"
                link = [{"href": href, "rel": "self", "method": "GET"}] if self.links else []
                return refusal(400, "USER_BUSINESS_ERROR", field="SENDER_BATCH_ID", issue=EXISTS, link=link)
        id = f"BATCH{next(self._numbers)}"
        told = {"payout_batch_id": id, "batch_status": "PENDING", "sender_batch_header": header}
        made = {"payout_item_id": f"ITEM{id}", "payout_batch_id": id, "transaction_status": "PENDING"}
        self.batches[id] = {"batch_header": told, "items": [{**made, "payout_item": item}]}
        if self.unanswered > 0:
            self.unanswered -= 1
            return Response(status_code=500)
        return JSONResponse({"batch_header": told}, 201)

    async def _shown(self, request: Request) -> Response:
        if (answer := await self._before(request)) is not None:
            return answer
        batch = self.batches.get(request.path_params["id"])
        return JSONResponse(batch) if batch is not None else refusal(404, "RESOURCE_NOT_FOUND")

    def became(self, id: str, item: str, batch: str = "SUCCESS", **more: Any) -> None:
        """What became of a batch and its item."""
        self.batches[id]["batch_header"]["batch_status"] = batch
        self.batches[id]["items"][0].update(transaction_status=item, **more)

    def of(self, payout: str) -> list[dict[str, Any]]:
        """Every batch of our id."""
        headers = [batch["batch_header"] for batch in self.batches.values()]
        return [one for one in headers if one["sender_batch_header"]["sender_batch_id"] == payout]
