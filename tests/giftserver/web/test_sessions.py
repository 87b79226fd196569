"""Ending sessions: tokens, tickets and sockets of before are void on every process, and nothing else is."""

import asyncio
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from giftserver.auth import session_ends
from giftserver.auth.tokens import SHARED_ALGORITHM
from giftserver.durable.audit_log import Actor
from giftserver.durable.session_ends import end_sessions
from tests.giftserver.conftest import Web, add_rooms, assert_refused, running
from tests.giftserver.web.sockets import NewKey, joined

CLOSED_S = 10.0


def bearer(web: Web, user: str, role: str = "viewer", issued_ago_s: int = 60) -> dict[str, str]:
    """A token that was issued a while ago."""
    now_s = int(time.time())
    secret = web.settings.jwt_secret
    assert secret is not None
    claims: dict[str, Any] = {
        "iss": web.settings.jwt_issuer, "aud": web.settings.jwt_audience, "iat": now_s - issued_ago_s,
        "exp": now_s + 600, "sub": user, "name": user.title(), "role": role,
    }  # fmt: skip
    return {"authorization": f"Bearer {jwt.encode(claims, secret.get_secret_value(), algorithm=SHARED_ALGORITHM)}"}


async def closed_with(client: Any) -> int:
    """The code a socket is closed with."""
    async with asyncio.timeout(CLOSED_S):
        while True:
            try:
                await client.read()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 0


async def test_signing_out_everywhere_voids_what_was_before(rich: Web, new_key: NewKey) -> None:
    """Sockets close with 4500, old tokens and tickets are refused; a token issued later is good, and others' stay."""
    old, other = bearer(rich, "ana"), bearer(rich, "ben")
    ticket = (await rich.http.post("/v1/tickets", json={}, headers=old)).json()["ticket"]
    async with joined(rich, "ana") as ana, joined(rich, "ben") as ben:
        answer = await rich.http.post("/v1/sessions/end", json={}, headers=old)
        assert answer.status_code == 200
        assert await closed_with(ana) == 4500
        assert_refused(await rich.http.get("/v1/wallet", headers=old), 401, "unauthorized")
        with pytest.raises(InvalidStatus) as refused:
            async with joined(rich, None, query=f"?ticket={ticket}"):
                pass
        assert refused.value.response.status_code == 401
        assert (await rich.http.get("/v1/wallet", headers=other)).status_code == 200
        assert (await ben.gift(1, new_key()))["type"] == "error"  # no coins, but let in
    later = bearer(rich, "ana", issued_ago_s=-5)
    assert (await rich.http.get("/v1/wallet", headers=later)).status_code == 200


async def test_a_process_that_was_not_told_reads_of_it(
    rich: Web, static_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notices may be lost: within 30 s every process refuses the old tokens, and closes the sockets."""
    assert session_ends.READ_S <= 20
    monkeypatch.setattr(session_ends, "READ_S", 0.05)
    settings = rich.settings.model_copy(update={"static_dir": static_dir, "public_url": None})
    async with running(settings) as second, joined(second, "ana") as ana:
        await end_sessions(rich.engines.database, "ana", int(time.time()), Actor("ana", "viewer"))
        assert await closed_with(ana) == 4500
        assert_refused(await second.http.get("/v1/wallet", headers=bearer(second, "ana")), 401, "unauthorized")


async def test_a_gift_of_an_ended_session_is_refused(rich: Web, new_key: NewKey) -> None:
    """Also on a socket that is not closed yet: nothing is charged."""
    async with joined(rich, "ana") as ana:
        rich.services.session_ends.on_end = lambda user: None
        rich.services.session_ends.hear("ana", int(time.time()) + 1)
        refused = await ana.gift(1, new_key())
        assert (refused["type"], refused["code"]) == ("error", "unauthorized")
    assert await rich.services.ledger.balance("ana") == 1_000


async def test_only_admins_end_the_sessions_of_others(web: Web) -> None:
    """A viewer is refused; an admin's word counts."""
    await add_rooms(web.engines)
    body = {"user": "ana"}
    refused = await web.http.post("/v1/sessions/end", json=body, headers=bearer(web, "ben"))
    assert_refused(refused, 403, "forbidden")
    assert (await web.http.get("/v1/wallet", headers=bearer(web, "ana"))).status_code == 200
    done = await web.http.post("/v1/sessions/end", json=body, headers=bearer(web, "olga", "admin"))
    assert done.json()["user"] == "ana"
    assert_refused(await web.http.get("/v1/wallet", headers=bearer(web, "ana")), 401, "unauthorized")
    assert (await web.http.get("/v1/wallet", headers=bearer(web, "olga", "admin"))).status_code == 200
