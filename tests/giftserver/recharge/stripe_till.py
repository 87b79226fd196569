"""Stands for Stripe: the few endpoints of api.stripe.com that a checkout needs, and what buyers do at it."""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from giftserver.recharge.provider import Provider
from tests.giftserver.sandbox.conftest import serving

KEY = "sk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"
THREE_DECIMALS = ("bhd", "jod", "kwd", "omr", "tnd")


def sign(secret: str, raw: bytes, at_s: float) -> str:
    """The header Stripe-Signature, as its documentation says."""
    digest = hmac.new(secret.encode(), b"%d." % int(at_s) + raw, hashlib.sha256).hexdigest()
    return f"t={int(at_s)},v1={digest},v0=of-an-old-scheme"


def problem(status: int, **error: str) -> Response:
    """An error as Stripe words it."""
    body = {"error": {"type": "invalid_request_error", "message": "A sentence.", **error}}
    return JSONResponse(body, status, headers={"request-id": "req_1"})


class StripeStandIn:
    """Sessions, payment intents and charges in memory. `trouble` answers instead, as long as it is set."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sessions: dict[str, dict[str, Any]] = {}
        self.intents: dict[str, dict[str, Any]] = {}
        self.charges: dict[str, dict[str, Any]] = {}
        self.refunds: list[dict[str, Any]] = []
        self.disputes: list[dict[str, Any]] = []
        self.transactions: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []
        self.may_read_warnings = True
        self.refund_status = "succeeded"
        self.page = 100
        self.trouble: Response | None = None
        self.hangs = asyncio.Event()
        self.hangs.set()
        self.requests: list[tuple[str, str]] = []
        self.forms: list[dict[str, str]] = []
        self._keys: dict[str, tuple[dict[str, str], bytes]] = {}
        self._numbers = itertools.count(1)
        path = "/v1/checkout/sessions"
        self.app = Starlette(
            routes=[
                Route(path, self._create, methods=["POST"]),
                Route(path, self._list),
                Route(path + "/{id}", self._retrieve),
                Route(path + "/{id}/expire", self._expire, methods=["POST"]),
                Route("/v1/refunds", self._refund, methods=["GET", "POST"]),
                Route("/v1/disputes", self._dispute),
                Route("/v1/radar/early_fraud_warnings", self._warned),
                Route("/v1/balance_transactions", self._transactions),
                Route("/v1/payment_intents/{id}", self._intent),
            ]
        )

    async def _before(self, request: Request) -> Response | None:
        self.requests.append((request.method, request.url.path))
        await self.hangs.wait()
        if self.trouble is not None:
            return self.trouble
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return problem(401)
        return None

    async def _create(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        key = request.headers["idempotency-key"]
        if key in self._keys:
            known, body = self._keys[key]
            return Response(body) if known == form else problem(400, type="idempotency_error")
        self.forms.append(form)
        if (refusal := _refusal(form)) is not None:
            return refusal
        id, price = f"cs_test_{next(self._numbers)}", "line_items[0][price_data]"
        session = self.sessions[id] = {
            "id": id, "object": "checkout.session", "status": "open", "payment_status": "unpaid", "livemode": False,
            "currency": form[f"{price}[currency]"], "amount_total": int(form[f"{price}[unit_amount]"]),
            "url": f"{self.url}/pay/{id}", "client_reference_id": form["client_reference_id"],
            "metadata": {"payment": form["metadata[payment]"]}, "payment_intent": None, "created": int(time.time()),
        }  # fmt: skip
        body = json.dumps(self._shown(session, form.values())).encode()
        self._keys[key] = form, body
        return Response(body)

    async def _list(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        asked = request.query_params
        found = [one for one in reversed(self.sessions.values()) if one["created"] >= int(asked.get("created[gte]", 0))]
        if "payment_intent" in asked:
            if asked["payment_intent"] not in self.intents:
                return problem(404, code="resource_missing")
            found = [one for one in found if one["payment_intent"] == asked["payment_intent"]]
        if "starting_after" in asked:
            found = found[[one["id"] for one in found].index(asked["starting_after"]) + 1 :]
        limit, expand = int(asked["limit"]), [value.removeprefix("data.") for value in asked.values()]
        data = [self._shown(one, expand) for one in found[:limit]]
        return JSONResponse({"object": "list", "url": request.url.path, "data": data, "has_more": len(found) > limit})

    async def _retrieve(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        session = self.sessions.get(request.path_params["id"])
        if session is None:
            return problem(404, code="resource_missing")
        return JSONResponse(self._shown(session, request.query_params.values()))

    async def _expire(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        session = self.sessions.get(request.path_params["id"])
        if session is None:
            return problem(404, code="resource_missing")
        if session["status"] != "open":
            return problem(400)
        session |= {"status": "expired", "url": None}
        form = dict(parse_qsl((await request.body()).decode()))
        return JSONResponse(self._shown(session, form.values()))

    async def _refund(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        if request.method == "GET":
            return self._of(self.refunds, request)
        form = dict(parse_qsl((await request.body()).decode()))
        charge = self.charges[self.intents[form["payment_intent"]]["latest_charge"]]
        if int(form["amount"]) + charge["amount_refunded"] > 999:
            return problem(400, code="charge_already_refunded")
        charge["amount_refunded"] += int(form["amount"])
        refund = {
            "id": f"re_{next(self._numbers)}", "object": "refund", "status": self.refund_status,
            "payment_intent": form["payment_intent"], "metadata": {"key": form["metadata[key]"]},
            "amount": int(form["amount"]),
        }  # fmt: skip
        assert request.headers["idempotency-key"] == form["metadata[key]"]
        self.refunds.append(refund)
        return JSONResponse(refund)

    async def _dispute(self, request: Request) -> Response:
        refusal = await self._before(request)
        return self._of(self.disputes, request) if refusal is None else refusal

    async def _warned(self, request: Request) -> Response:
        refusal = await self._before(request)
        if refusal is None and not self.may_read_warnings:
            return problem(403, code="more_permissions_required")
        return self._of(self.warnings, request) if refusal is None else refusal

    async def _transactions(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        asked = request.query_params
        assert "data.source" in asked.values()
        after, until = int(asked["created[gte]"]), int(asked["created[lt]"])
        found = [one for one in reversed(self.transactions) if after <= one["created"] < until]
        if "starting_after" in asked:
            found = found[[one["id"] for one in found].index(asked["starting_after"]) + 1 :]
        data = found[: self.page]
        more = len(found) > len(data)
        return JSONResponse({"object": "list", "url": request.url.path, "data": data, "has_more": more})

    async def _intent(self, request: Request) -> Response:
        refusal = await self._before(request)
        return JSONResponse(self.intents[request.path_params["id"]]) if refusal is None else refusal

    def moves(self, kind: str, amount: int, source: Any, fee: int = 0, currency: str = "usd", **more: Any) -> None:
        """Something moves on the account's balance."""
        id = f"txn_{next(self._numbers)}"
        self.transactions.append({
            "id": id, "object": "balance_transaction", "type": kind, "amount": amount, "fee": fee,
            "currency": currency, "created": int(time.time()) - 1, "source": source, **more,
        })  # fmt: skip

    @staticmethod
    def _of(things: list[dict[str, Any]], request: Request) -> Response:
        found = [one for one in things if one["payment_intent"] == request.query_params["payment_intent"]]
        return JSONResponse({"object": "list", "url": request.url.path, "data": found, "has_more": False})

    def _shown(self, session: dict[str, Any], expand: Any) -> dict[str, Any]:
        """A session whose intent and charge are ids, unless they are asked for."""
        intent = self.intents.get(session["payment_intent"] or "")
        if intent is None or "payment_intent.latest_charge" not in list(expand):
            return session
        return {**session, "payment_intent": {**intent, "latest_charge": self.charges.get(intent["latest_charge"])}}

    def confirm(self, id: str, status: str = "succeeded", method: str = "card", **error: str) -> str:
        """The buyer's payment comes into this status; the id of its intent."""
        session = self.sessions[id]
        intent = session["payment_intent"] or f"pi_{next(self._numbers)}"
        charge = f"ch_{intent}" if status in ("succeeded", "processing") else ""
        if charge:
            self.charges[charge] = {
                "id": charge, "object": "charge", "amount_refunded": 0, "payment_method_details": {"type": method},
            }  # fmt: skip
            paid = "paid" if status == "succeeded" else "unpaid"
            session |= {"status": "complete", "payment_status": paid, "url": None}
        if status == "succeeded":
            about = {"object": "charge", "id": charge, "amount": session["amount_total"], "payment_intent": intent}
            about |= {"currency": session["currency"], "metadata": session["metadata"]}
            self.moves("charge", session["amount_total"], about, fee=59)
        self.intents[intent] = {
            "id": intent, "object": "payment_intent", "status": status, "metadata": session["metadata"],
            "latest_charge": charge, "last_payment_error": error or None,
        }  # fmt: skip
        session["payment_intent"] = intent
        return intent


def _refusal(form: dict[str, str]) -> Response | None:
    price = "line_items[0][price_data]"
    currency, amount = form[f"{price}[currency]"], int(form[f"{price}[unit_amount]"])
    life_s = int(form["expires_at"]) - time.time()
    right = (
        form["mode"] == "payment" and form["line_items[0][quantity]"] == "1"
        and form[f"{price}[product_data][name]"] and currency == currency.lower()
        and form["success_url"].startswith("http") and 1_800 <= life_s <= 86_400
        and form["payment_intent_data[metadata][payment]"] == form["client_reference_id"]
    )  # fmt: skip
    if not right or amount < 0 or (currency in THREE_DECIMALS and amount % 10):
        return problem(400, code="parameter_invalid")
    return None


class StripeTill:
    """Stripe for the contract's tests."""

    old_s = 301.0

    def __init__(self, stand_in: StripeStandIn) -> None:
        self.stripe = stand_in
        self.provider = self.opened(stand_in.url)
        self.broken = self.opened("http://127.0.0.1:9")

    @staticmethod
    def opened(url: str, key: str = KEY) -> Provider:
        """The plug-in; imported here, because the library it needs is an extra."""
        from giftserver.recharge.stripe import StripeProvider

        return StripeProvider(key, WEBHOOK_SECRET, api_base=url)

    async def pay(self, url: str) -> None:
        self.stripe.confirm(url.rpartition("/")[2])

    async def event(self, ref: str) -> tuple[dict[str, str], bytes]:
        return self.told("checkout.session.completed", self.stripe.sessions[ref])

    def told(self, kind: str, about: dict[str, Any], **changes: Any) -> tuple[dict[str, str], bytes]:
        """Headers and body of an event."""
        event = {
            "id": f"evt_{kind}_{about.get('id')}", "object": "event", "type": kind, "livemode": False,
            "created": int(time.time()), "data": {"object": about}, **changes,
        }  # fmt: skip
        raw = json.dumps(event).encode()
        return self.signed(raw, time.time()), raw

    def signed(self, raw: bytes, at_s: float) -> dict[str, str]:
        return {"stripe-signature": sign(WEBHOOK_SECRET, raw, at_s)}


@contextlib.asynccontextmanager
async def stripe_till() -> AsyncIterator[StripeTill]:
    """Stripe on a free port, until the block ends; skips the test when the extra is not installed."""
    pytest.importorskip("stripe", reason="needs the extra `payments`")
    async with serving() as stage:
        stand_in = StripeStandIn(stage.url)
        async with stage.playing(stand_in.app):
            till = StripeTill(stand_in)
            yield till
            await till.provider.close()
            await till.broken.close()
