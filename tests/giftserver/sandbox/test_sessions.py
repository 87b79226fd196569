"""Sessions: made once a key, found again, and ended by cancelling or by time."""

import re
from typing import Any

import pytest

from tests.giftserver.sandbox.conftest import Sandbox, Time, assert_refused, expect_ok


async def test_a_session_says_what_was_asked(sandbox: Sandbox) -> None:
    """Every field of a new session."""
    session = await sandbox.create()
    assert re.fullmatch(r"cs_[0-9a-z]{26}", session["id"])
    assert session == {
        "id": session["id"], "payment": "p1", "amount_minor": 499, "currency": "USD", "state": "pending",
        "method": None, "decline": None, "captured_minor": 0, "refunded_minor": 0, "disputes": [], "refunds": [],
        "live": False, "url": f"{sandbox.url}/pay/{session['id']}", "created_ms": session["created_ms"],
        "expires_ms": session["created_ms"] + 600_000, "updated_ms": session["created_ms"],
    }  # fmt: skip
    assert await sandbox.session(session["id"]) == session
    found = expect_ok(await sandbox.http.get("/v1/sessions", params={"payment": "p1"}))
    assert found == {"sessions": [session]}
    assert expect_ok(await sandbox.http.get("/v1/sessions?payment=p2")) == {"sessions": []}


async def test_a_key_makes_one_session(sandbox: Sandbox) -> None:
    """The same key and body give the same session as it is now; another body is refused."""
    key = {"Idempotency-Key": "k"}
    first = expect_ok(await sandbox.http.post("/v1/sessions", json=sandbox.body(), headers=key))
    await sandbox.pay(first)
    second = expect_ok(await sandbox.http.post("/v1/sessions", json=sandbox.body(), headers=key))
    assert (second["id"], second["state"]) == (first["id"], "captured")
    other = await sandbox.http.post("/v1/sessions", json=sandbox.body(amount_minor=500), headers=key)
    assert_refused(other, 409, "key_reused")
    assert_refused(await sandbox.http.post("/v1/sessions", json=sandbox.body()), 400, "key_missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": 0}, {"amount_minor": -5}, {"amount_minor": True}, {"amount_minor": 4.0},
        {"amount_minor": "499"}, {"amount_minor": None}, {"amount_minor": 10**12}, {"currency": "usd"},
        {"currency": "USD\n"}, {"payment": ""}, {"payment": "p" * 65}, {"description": "d" * 201},
        {"expires_in_s": 59}, {"expires_in_s": 86_401}, {"return_url": "javascript:alert(1)"},
        {"return_url": "http://a\r\nx: y"}, {"webhook_url": "ftp://a/"}, {"webhook_url": "http://"},
        {"webhook_url": "http://a:99999999/"}, {"return_url": "http://u:p@a/"}, {"more": 1},
    ],
    ids=repr,
)  # fmt: skip
async def test_a_wrong_session_is_refused(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    """Amounts are integers above 0, texts and addresses have bounds, unknown fields are none."""
    answer = await sandbox.http.post("/v1/sessions", json=sandbox.body(**changes), headers=sandbox.key())
    assert_refused(answer, 400, "bad_request")


async def test_cancelled_stays_cancelled(sandbox: Sandbox) -> None:
    """Cancelling twice changes nothing more, and nothing can be paid any more."""
    session = await sandbox.create()
    for _ in range(2):
        answer = await sandbox.post(f"/v1/sessions/{session['id']}/cancel")
        assert expect_ok(answer)["state"] == "cancelled"
    await sandbox.pay(session)
    assert (await sandbox.session(session["id"]))["state"] == "cancelled"
    assert await sandbox.kinds(session["id"]) == ["session.cancelled"]


async def test_what_is_paid_cannot_be_taken_back(sandbox: Sandbox) -> None:
    """A captured session is neither cancelled nor expired nor settled."""
    session = await sandbox.paid()
    for what in ("cancel", "expire", "settle"):
        assert_refused(await sandbox.post(f"/v1/sessions/{session['id']}/{what}"), 409, "wrong_state")


async def test_time_expires_a_session(timed: Sandbox, clock: Time) -> None:
    """From its last millisecond on a session is expired, once, also when its customer comes first."""
    sessions = [await timed.create(expires_in_s=60) for _ in range(2)]
    clock.ahead_ms = 59_000
    assert (await timed.session(sessions[0]["id"]))["state"] == "pending"
    clock.ahead_ms = 60_001
    assert (await timed.session(sessions[0]["id"]))["state"] == "expired"
    assert "is over" in (await timed.browser.get(sessions[1]["url"])).text
    for session in sessions:
        await timed.pay(session)
        assert await timed.kinds(session["id"]) == ["session.expired"]


async def test_a_late_payment_needs_mischief(sandbox: Sandbox) -> None:
    """With `pay_after_expiry` an expired session can still become captured, after a decline and by wallet too."""
    await sandbox.mischief(pay_after_expiry=True)
    for form in ({}, {"method": "wallet"}):
        session = await sandbox.create()
        await sandbox.post(f"/v1/sessions/{session['id']}/expire")
        await sandbox.pay(session, number="4000000000000002")
        assert (await sandbox.session(session["id"]))["state"] == "expired"
        await sandbox.pay(session, **form)
        assert (await sandbox.session(session["id"]))["state"] == "captured"


async def test_a_late_question_stays_open(timed: Sandbox, clock: Time) -> None:
    """What expired by time can, with mischief, still be asked about by the bank, and does not expire again."""
    await timed.mischief(pay_after_expiry=True)
    session = await timed.create(expires_in_s=60)
    clock.ahead_ms = 60_001
    await timed.pay(session, number="4000000000003220")
    assert (await timed.session(session["id"]))["state"] == "requires_action"
    await timed.browser.post(f"{session['url']}/secure", data={"answer": "yes"})
    assert await timed.kinds(session["id"]) == [
        "session.expired", "session.requires_action", "session.authorised", "session.captured",
    ]  # fmt: skip


async def test_creating_and_fetching_fail_on_demand(sandbox: Sandbox) -> None:
    """So many creations and fetches are answered with 503, then all goes well."""
    await sandbox.mischief(create_fails=2, fetch_fails=1)
    for _ in range(2):
        answer = await sandbox.http.post("/v1/sessions", json=sandbox.body(), headers=sandbox.key())
        assert_refused(answer, 503, "unavailable")
    session = await sandbox.create()
    assert_refused(await sandbox.http.get(f"/v1/sessions/{session['id']}"), 503, "unavailable")
    assert await sandbox.session(session["id"]) == session


async def test_what_is_captured_can_be_wrong(sandbox: Sandbox) -> None:
    """One unit too much, another currency, and the other mode, each on demand."""
    await sandbox.mischief(wrong_amount=True, wrong_currency=True, test_event_in_live=True)
    session = await sandbox.paid()
    assert (session["amount_minor"], session["captured_minor"], session["currency"]) == (499, 500, "EUR")
    assert session["live"] is True
    events = expect_ok(await sandbox.http.get("/v1/events"))["events"]
    assert [event["live"] for event in events] == [True, True]
