"""The sandbox provider: pretend money through the same contract as real money. Its other side is giftserver/sandbox."""

import contextlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from giftserver.recharge.provider import (
    Capabilities,
    CheckoutOrder,
    DisputeNews,
    Movement,
    PayoutNews,
    PayoutOrder,
    ProviderAway,
    ProviderEvent,
    ProviderRefused,
    Rejected,
    Snapshot,
)
from giftserver.recharge.states import State
from giftserver.sandbox.signing import HEADER, verify
from giftserver.trust import authorities

TIMEOUT_S: Final = 5.0
STATES: Final = {
    "pending": State.PENDING,
    "requires_action": State.REQUIRES_ACTION,
    "authorised": State.AUTHORISED,
    "captured": State.SUCCEEDED,
    "expired": State.EXPIRED,
    "cancelled": State.CANCELLED,
    "failed": State.FAILED,
}


DISPUTES: Final = {"closed": "won"}


class _Dispute(msgspec.Struct, frozen=True):
    id: str
    amount_minor: int
    reason: str
    state: str


class _Refund(msgspec.Struct, frozen=True):
    state: str
    key: str = ""


class _Session(msgspec.Struct, frozen=True):
    id: str
    payment: str
    currency: str
    state: str
    captured_minor: int
    refunded_minor: int
    live: bool
    url: str
    method: str | None = None
    decline: str | None = None
    disputes: tuple[_Dispute, ...] = ()
    refunds: tuple[_Refund, ...] = ()


class _Sessions(msgspec.Struct, frozen=True):
    sessions: list[_Session]


class _Movement(msgspec.Struct, frozen=True):
    id: str
    kind: str
    payment: str
    currency: str
    amount_minor: int
    at_ms: int


class _Movements(msgspec.Struct, frozen=True):
    movements: list[_Movement]


class _Event(msgspec.Struct, frozen=True):
    id: str
    kind: str
    live: bool
    session: _Session


class SandboxProvider:
    """One sandbox, by its URL and secrets. `live` is for tests of what must be refused."""

    name: Final = "sandbox"
    capabilities: Final = Capabilities(
        "Sandbox", ("Card", "Pocket wallet", "Bank transfer"), currencies=None, refunds=True, movements=True
    )

    def __init__(self, url: str, secret: str, webhook_secret: str, *, live: bool = False) -> None:
        self.live = live
        self._webhook_secret = webhook_secret
        headers = {"authorization": f"Bearer {secret}"}
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False, verify=authorities(trust_env=False)
        )

    async def create(self, order: CheckoutOrder) -> Snapshot:
        """See Provider."""
        body = {
            "payment": order.payment,
            "amount_minor": order.amount_minor,
            "currency": order.currency,
            "description": order.description,
            "return_url": order.return_url,
            "webhook_url": order.webhook_url,
            "expires_in_s": order.expires_in_s,
        }
        answer = await self._ask("POST", "/v1/sessions", json=body, headers={"idempotency-key": order.payment})
        return _snapshot(_read(answer, _Session))

    async def fetch(self, ref: str) -> Snapshot | None:
        """See Provider."""
        try:
            answer = await self._ask("GET", f"/v1/sessions/{quote(ref, safe='')}")
        except _NotThere:
            return None
        return _snapshot(_read(answer, _Session))

    async def find(self, payment: str) -> Snapshot | None:
        """See Provider."""
        answer = await self._ask("GET", "/v1/sessions", params={"payment": payment})
        found = _read(answer, _Sessions).sessions
        return _snapshot(found[0]) if found else None

    async def cancel(self, ref: str) -> Snapshot:
        """See Provider."""
        with contextlib.suppress(ProviderRefused):  # it is paid, or it ended already: what is true now says which
            await self._ask("POST", f"/v1/sessions/{quote(ref, safe='')}/cancel")
        found = await self.fetch(ref)
        if found is None:
            raise ProviderRefused(f"there is no session {ref}")
        return found

    async def refund(self, ref: str, amount_minor: int, key: str) -> bool:
        """See Provider."""
        path = f"/v1/sessions/{quote(ref, safe='')}/refunds"
        answer = await self._ask("POST", path, json={"amount_minor": amount_minor}, headers={"idempotency-key": key})
        refund: _Refund = _read(answer, _Refund)
        return refund.state == "succeeded"

    async def payout(self, order: PayoutOrder) -> PayoutNews:
        """See Provider."""
        raise ProviderRefused("the sandbox pays nobody out yet")

    async def find_payout(self, payout: str, ref: str = "") -> PayoutNews | None:
        """See Provider."""
        raise ProviderRefused("the sandbox pays nobody out yet")

    async def movements(self, from_s: float, until_s: float) -> list[Movement]:
        """See Provider."""
        asked = {"from_ms": int(from_s * 1_000), "until_ms": int(until_s * 1_000)}
        answer = await self._ask("GET", "/v1/movements", params=asked)
        return [
            Movement(one.id, one.kind, one.payment, one.currency, one.amount_minor, one.at_ms / 1_000)
            for one in _read(answer, _Movements).movements
        ]

    def verify(self, headers: Mapping[str, str], raw: bytes, now_s: float) -> list[ProviderEvent] | Rejected:
        """See Provider."""
        reason = verify(self._webhook_secret, headers.get(HEADER.lower(), ""), raw, now_s)
        if reason is not None:
            return Rejected(reason)
        try:
            event = msgspec.json.decode(raw, type=_Event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Rejected("the body is not an event")
        return [ProviderEvent(event.id, event.kind, event.session.id, event.session.payment, event.live)]

    async def close(self) -> None:
        """See Provider."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.HTTPError as problem:
            raise ProviderAway(type(problem).__name__) from problem
        if answer.status_code == 404:
            raise _NotThere(path)
        if answer.status_code >= 500 or answer.status_code == 429:
            raise ProviderAway(f"HTTP {answer.status_code}")
        if answer.status_code >= 400:
            raise ProviderRefused(f"HTTP {answer.status_code}")
        return answer


class _NotThere(ProviderRefused):
    """HTTP 404."""


def _read(answer: httpx.Response, kind: Any) -> Any:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as problem:
        raise ProviderAway("the answer cannot be read") from problem


def _snapshot(session: _Session) -> Snapshot:
    state = STATES.get(session.state)
    if state is None:
        raise ProviderAway(f"unknown state {session.state[:32]}")
    return Snapshot(
        ref=session.id,
        payment=session.payment,
        state=state,
        currency=session.currency,
        captured_minor=session.captured_minor,
        refunded_minor=session.refunded_minor,
        live=session.live,
        url=session.url,
        method=session.method,
        decline=session.decline,
        disputes=tuple(
            DisputeNews(one.id, one.amount_minor, DISPUTES.get(one.state, one.state), one.reason)
            for one in session.disputes
        ),
        failed_refunds=tuple(one.key for one in session.refunds if one.state == "failed"),
    )
