"""The sandbox provider: pretend money through the same contract as real money. Its other side is giftserver/sandbox."""

import contextlib
import re
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
    PayoutAddress,
    PayoutNews,
    PayoutNewsState,
    PayoutOrder,
    ProviderAway,
    ProviderEvent,
    ProviderRefused,
    Rejected,
    Snapshot,
)
from giftserver.recharge.states import State
from giftserver.sandbox.receivers import ADDRESS
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
REFUSALS: Final = (400, 409)
"""With these statuses it was the order that was refused, not whoever asked."""


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


class _Payout(msgspec.Struct, frozen=True):
    id: str
    payout: str
    amount_minor: int
    currency: str
    state: PayoutNewsState
    live: bool
    reason: str | None = None


class _Payouts(msgspec.Struct, frozen=True):
    payouts: list[_Payout]


class _Event(msgspec.Struct, frozen=True):
    id: str
    kind: str
    live: bool
    session: _Session | None = None
    payout: _Payout | None = None


class SandboxProvider:
    """One sandbox, by its URL and secrets. `live` is for tests of what must be refused."""

    name: Final = "sandbox"
    capabilities: Final = Capabilities(
        "Sandbox", ("Card", "Pocket wallet", "Bank transfer"), currencies=None, refunds=True, movements=True,
        payouts=PayoutAddress("Sandbox address, such as paid@sandbox", ADDRESS),
    )  # fmt: skip

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
        except _No as problem:
            if problem.status == 404:
                return None
            raise
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
        if not re.fullmatch(ADDRESS, order.address):
            raise ProviderRefused("this is no address of the sandbox")
        body = {
            "payout": order.payout,
            "amount_minor": order.amount_minor,
            "currency": order.currency,
            "address": order.address,
            "description": order.description,
            "webhook_url": order.webhook_url,
        }
        try:
            answer = await self._ask("POST", "/v1/payouts", json=body, headers={"idempotency-key": order.payout})
        except _No as problem:
            if problem.status not in REFUSALS:  # it says nothing of an earlier try
                raise ProviderAway(str(problem)) from problem
            raise
        return _payout_news(_read(answer, _Payout))

    async def find_payout(self, payout: str, ref: str = "") -> PayoutNews | None:
        """See Provider."""
        try:
            answer = await self._ask("GET", "/v1/payouts", params={"payout": payout})
        except _No as problem:
            raise ProviderAway(str(problem)) from problem
        found = _read(answer, _Payouts).payouts
        return _payout_news(found[0]) if found else None

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
        if event.session is not None:
            return [ProviderEvent(event.id, event.kind, event.session.id, event.session.payment, event.live)]
        if event.payout is not None:
            return [ProviderEvent(event.id, event.kind, event.payout.id, event.payout.payout, event.live)]
        return Rejected("the body is not an event")

    async def close(self) -> None:
        """See Provider."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.HTTPError as problem:
            raise ProviderAway(type(problem).__name__) from problem
        if answer.status_code >= 500 or answer.status_code == 429:
            raise ProviderAway(f"HTTP {answer.status_code}")
        if answer.status_code >= 400:
            raise _No(answer.status_code)
        return answer


class _No(ProviderRefused):
    """The sandbox's refusal: its HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


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


def _payout_news(payout: _Payout) -> PayoutNews:
    return PayoutNews(
        payout.id, payout.payout, payout.state, payout.amount_minor, payout.currency, payout.live, payout.reason
    )
