"""Stands for PayPal: tokens, orders, captures and a certificate, and what buyers do there."""

import asyncio
import base64
import contextlib
import functools
import itertools
import json
import time
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from giftserver.recharge.paypal import PayPalProvider
from giftserver.recharge.paypal_certificates import UNKNOWN
from giftserver.recharge.provider import Rejected
from tests.giftserver.recharge.paypal_payouts_till import PayPalPayouts
from tests.giftserver.sandbox.conftest import serving

CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID = "a client id", "a client secret of the tests", "WH1"
CERTIFICATE_URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1"
DEADLINE_S = 10.0


@functools.cache
def private_key() -> rsa.RSAPrivateKey:
    """A throw-away key."""
    return rsa.generate_private_key(65_537, 2_048)


def certificate(from_day: int = -1, to_day: int = 1) -> bytes:
    """A certificate of that key, as PEM; valid from and to days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stand-in")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, private_key().public_key(), x509.random_serial_number())
    built = built.not_valid_before(now + timedelta(from_day)).not_valid_after(now + timedelta(to_day))
    return built.sign(private_key(), SHA256()).public_bytes(Encoding.PEM)


def problem(status: int, issue: str = "") -> Response:
    """An error as PayPal words it."""
    details = [{"issue": issue, "description": f"About {CLIENT_SECRET}"}] if issue else []
    return JSONResponse({"name": "UNPROCESSABLE_ENTITY", "details": details, "debug_id": "d1"}, status)


def money(value: str, currency: str = "USD") -> dict[str, str]:
    """An amount as PayPal writes it."""
    return {"currency_code": currency, "value": value}


class PayPalStandIn:
    """Orders and captures in memory. `trouble` answers instead, as long as it is set; `tokens` are those given."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.orders: dict[str, dict[str, Any]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        self.expires_in_s = 32_400
        self.trouble: Response | None = None
        self.capture_refusal: str | None = None
        self.capture_status = "COMPLETED"
        self.refunds: dict[str, tuple[str, dict[str, Any]]] = {}
        self.refund_status = "COMPLETED"
        self.disputes: dict[str, dict[str, Any]] = {}
        self.may_read_disputes = True
        self.patchable = True
        self.certificate: bytes | None = certificate()
        self.hangs = asyncio.Event()
        self.hangs.set()
        self.payouts = PayPalPayouts(url, self._before)
        self._keys: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        orders = "/v2/checkout/orders"
        self.app = Starlette(
            routes=[
                Route("/v1/oauth2/token", self._token, methods=["POST"]),
                Route("/v1/notifications/certs/{id}", self._certificate),
                Route(orders, self._create, methods=["POST"]),
                Route(orders + "/{id}", self._order, methods=["GET", "PATCH"]),
                Route(orders + "/{id}/capture", self._capture, methods=["POST"]),
                Route("/v2/payments/captures/{id}", self._captured),
                Route("/v2/payments/captures/{id}/refund", self._refund, methods=["POST"]),
                Route("/v2/payments/refunds/{id}", self._refunded),
                Route("/v1/customer/disputes", self._disputes),
                Route("/v1/customer/disputes/{id}", self._dispute),
                *self.payouts.routes,
            ]
        )

    async def _before(self, request: Request) -> Response | None:
        self.requests.append((request.method, request.url.path))
        await self.hangs.wait()
        if self.trouble is not None:
            return self.trouble
        if not self.tokens or request.headers["authorization"] != f"Bearer {self.tokens[-1]}":
            return problem(401)
        return None

    async def _token(self, request: Request) -> Response:
        self.requests.append((request.method, request.url.path))
        login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers["authorization"] != f"Basic {login}":
            return JSONResponse({"error": "invalid_client"}, 401)
        assert await request.body() == b"grant_type=client_credentials"
        self.tokens.append(f"A21.token-{next(self._numbers)}")
        return JSONResponse({"access_token": self.tokens[-1], "expires_in": self.expires_in_s})

    async def _certificate(self, request: Request) -> Response:
        self.requests.append((request.method, request.url.path))
        assert "authorization" not in request.headers
        await self.hangs.wait()
        return Response(status_code=404) if self.certificate is None else Response(self.certificate)

    async def _create(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        key = request.headers["paypal-request-id"]
        if key in self._keys:
            return JSONResponse(self._keys[key])
        body = await request.json()
        self.bodies.append(body)
        unit, id = body["purchase_units"][0], f"ORDER{next(self._numbers)}"
        context = body["payment_source"]["paypal"]["experience_context"]
        if not context["return_url"].startswith("http") or float(unit["amount"]["value"]) <= 0:
            return problem(422, "CANNOT_BE_ZERO_OR_NEGATIVE")
        links = [
            {"rel": "self", "href": f"{self.url}/v2/checkout/orders/{id}"},
            {"rel": "payer-action", "href": f"{self.url}/checkoutnow?token={id}"},
        ]
        self.orders[id] = self._keys[key] = {
            "id": id, "intent": body["intent"], "status": "PAYER_ACTION_REQUIRED", "links": links,
            "payment_source": {"paypal": {}}, "purchase_units": [{"reference_id": "default", **unit}],
        }  # fmt: skip
        return JSONResponse(self.orders[id])

    async def _order(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return problem(404, "INVALID_RESOURCE_ID")
        if request.method == "GET":
            return JSONResponse(order)
        if order["status"] == "COMPLETED" or not self.patchable:
            return problem(422, "ORDER_ALREADY_COMPLETED" if order["status"] == "COMPLETED" else "NOT_PATCHABLE")
        assert await request.json() == [{"op": "replace", "path": "/intent", "value": "AUTHORIZE"}]
        order["intent"] = "AUTHORIZE"
        return Response(status_code=204)

    async def _capture(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        order = self.orders[request.path_params["id"]]
        assert request.headers["paypal-request-id"] == f"{order['purchase_units'][0]['custom_id']}-capture"
        if order["intent"] != "CAPTURE":
            return problem(422, "ACTION_DOES_NOT_MATCH_INTENT")
        if order["status"] != "APPROVED":
            return problem(422, "ORDER_NOT_APPROVED" if order["status"] != "COMPLETED" else "ORDER_ALREADY_CAPTURED")
        if self.capture_refusal is not None:
            return problem(422, self.capture_refusal)
        self.complete(order["id"], self.capture_status)
        return JSONResponse(order, 201)

    async def _captured(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        for order in self.orders.values():
            for capture in order["purchase_units"][0].get("payments", {}).get("captures", ()):
                if capture["id"] == request.path_params["id"]:
                    return JSONResponse({**capture, "supplementary_data": {"related_ids": {"order_id": order["id"]}}})
        return problem(404, "RESOURCE_NOT_FOUND")

    async def _refund(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        key = request.headers["paypal-request-id"]
        self.refunds.setdefault(key, (request.url.path, await request.json()))
        return JSONResponse({"id": key, "status": "COMPLETED" if self.refund_status == "COMPLETED" else "PENDING"}, 201)

    async def _refunded(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        return JSONResponse({"id": request.path_params["id"], "status": self.refund_status})

    async def _disputes(self, request: Request) -> Response:
        if (refusal := await self._before(request)) is not None:
            return refusal
        if not self.may_read_disputes:
            return problem(403, "PERMISSION_DENIED")
        capture = request.query_params["disputed_transaction_id"]
        found = [
            one for one in self.disputes.values() if one["disputed_transactions"][0]["seller_transaction_id"] == capture
        ]
        shown = ("dispute_id", "status", "reason", "dispute_amount")
        return JSONResponse({"items": [{name: one[name] for name in shown} for one in found]})

    async def _dispute(self, request: Request) -> Response:
        refusal = await self._before(request)
        return JSONResponse(self.disputes[request.path_params["id"]]) if refusal is None else refusal

    def complain(self, capture: str, value: str, currency: str = "USD") -> dict[str, Any]:
        """The buyer opens a dispute about a capture."""
        id = f"PP-R-{next(self._numbers)}"
        self.disputes[id] = {
            "dispute_id": id, "status": "OPEN", "reason": "UNAUTHORISED", "dispute_life_cycle_stage": "INQUIRY",
            "dispute_amount": money(value, currency), "disputed_transactions": [{"seller_transaction_id": capture}],
        }  # fmt: skip
        return self.disputes[id]

    def complete(self, id: str, status: str = "COMPLETED", **more: Any) -> dict[str, Any]:
        """The order is captured, with this outcome; its capture."""
        order = self.orders[id]
        (unit,) = order["purchase_units"]
        capture: dict[str, Any] = {"id": f"CAP{id}", "status": status, "amount": unit["amount"], **more}
        unit["payments"] = {"captures": [capture]}
        order["status"] = "COMPLETED"
        return capture


class PayPalTill:
    """PayPal for the contract's tests."""

    old_s = 4 * 86_400.0
    receiver = "creator@example.org"

    def __init__(self, stand_in: PayPalStandIn) -> None:
        self.paypal = stand_in
        self.all: list[PayPalProvider] = []
        self.provider = self.opened(stand_in.url)
        self.broken = self.opened("http://127.0.0.1:9")
        self.stranger = self.opened(stand_in.url, "another secret")

    def opened(self, url: str, secret: str = CLIENT_SECRET, *, live: bool = False) -> PayPalProvider:
        """The plug-in, until the till is closed."""
        self.all.append(PayPalProvider(CLIENT_ID, secret, WEBHOOK_ID, api_base=url, live=live, certificates_at=url))
        return self.all[-1]

    async def pay(self, url: str) -> None:
        self.approve(url.rpartition("=")[2])

    def approve(self, id: str) -> None:
        """The buyer says yes."""
        self.paypal.orders[id]["status"] = "APPROVED"

    async def leave_unanswered(self) -> None:
        self.paypal.payouts.unanswered = 1

    async def settle(self, ref: str, state: str) -> None:
        self.paypal.payouts.became(ref, {"paid": "SUCCESS", "failed": "FAILED", "returned": "REFUNDED"}[state])

    async def payouts_made(self, payout: str) -> int:
        return len(self.paypal.payouts.of(payout))

    async def payout_event(self, ref: str) -> tuple[dict[str, str], bytes]:
        headers, raw = self.told("PAYMENT.PAYOUTS-ITEM.SUCCEEDED", self.paypal.payouts.batches[ref]["items"][0])
        await self.known(headers, raw)
        return headers, raw

    async def event(self, ref: str) -> tuple[dict[str, str], bytes]:
        headers, raw = self.told("CHECKOUT.ORDER.APPROVED", self.paypal.orders[ref])
        await self.known(headers, raw)
        return headers, raw

    async def known(self, headers: dict[str, str], raw: bytes) -> None:
        """Wait until the plug-in has the certificate. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while self.provider.verify(headers, raw, time.time()) == Rejected(UNKNOWN):  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    def told(self, kind: str, about: dict[str, Any]) -> tuple[dict[str, str], bytes]:
        """Headers and body of an event."""
        raw = json.dumps({"id": f"WH-{kind}-{about.get('id')}", "event_type": kind, "resource": about}).encode()
        return self.signed(raw, time.time()), raw

    def signed(self, raw: bytes, at_s: float, webhook_id: str = WEBHOOK_ID) -> dict[str, str]:
        at = datetime.fromtimestamp(int(at_s), UTC).isoformat().replace("+00:00", "Z")
        signed = f"a-transmission|{at}|{webhook_id}|{zlib.crc32(raw)}".encode()
        signature = base64.b64encode(private_key().sign(signed, padding.PKCS1v15(), SHA256())).decode()
        return {
            "paypal-transmission-id": "a-transmission", "paypal-transmission-time": at,
            "paypal-auth-algo": "SHA256withRSA", "paypal-cert-url": CERTIFICATE_URL,
            "paypal-transmission-sig": signature,
        }  # fmt: skip


@contextlib.asynccontextmanager
async def paypal_till() -> AsyncIterator[PayPalTill]:
    """PayPal on a free port, until the block ends."""
    async with serving() as stage:
        stand_in = PayPalStandIn(stage.url)
        async with stage.playing(stand_in.app):
            till = PayPalTill(stand_in)
            yield till
            for provider in till.all:
                await provider.close()
