"""Payouts: made once, moved by their addresses or by hand, told, and reported."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from giftserver.sandbox.background import Background
from giftserver.sandbox.bodies import NewPayout
from giftserver.sandbox.book import Book
from giftserver.sandbox.config import SandboxConfig
from giftserver.sandbox.journal import Journal
from giftserver.sandbox.objects import KeptPayout, PayoutState
from giftserver.sandbox.payouts import Payouts
from giftserver.sandbox.receivers import RECEIVERS
from tests.giftserver.sandbox.conftest import (
    Merchant,
    Sandbox,
    Start,
    Time,
    assert_refused,
    expect_ok,
    slow,
    words_of,
)


def told(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    """A payout of which the merchant hears."""
    return slow(webhook_url=f"{merchant.url}/hooks", **changes)


async def make(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    """A new payout."""
    made: dict[str, Any] = expect_ok(await sandbox.post("/v1/payouts", slow(**changes)))
    return made


async def found(sandbox: Sandbox, payout: str = "out_1") -> list[dict[str, Any]]:
    """The payouts of a reference."""
    answer = expect_ok(await sandbox.http.get("/v1/payouts", params={"payout": payout}))
    several: list[dict[str, Any]] = answer["payouts"]
    return several


async def settle(sandbox: Sandbox, id: str, state: str) -> Any:
    """Move a payout on."""
    return expect_ok(await sandbox.post(f"/v1/payouts/{id}/settle", {"state": state}))


@pytest.mark.parametrize(
    ("address", "states", "reason"),
    [
        ("paid@sandbox", ["pending", "paid"], None), ("Somebody.else+1@example.org", ["pending", "paid"], None),
        ("failed@sandbox", ["pending", "failed"], "account_closed"),
        ("Returned@Sandbox", ["pending", "paid", "returned"], "sent_back"),
    ],
)  # fmt: skip
async def test_an_address_decides_what_becomes_of_it(
    sandbox: Sandbox, merchant: Merchant, address: str, states: list[str], reason: str | None
) -> None:
    """Like a test card's number; each change is told, signed, in order."""
    made = expect_ok(await sandbox.post("/v1/payouts", told(merchant, address=address)))
    assert (made["state"], made["amount_minor"], made["currency"], made["live"]) == ("pending", 99, "USD", False)
    await merchant.until(lambda: len(merchant.hooks) == len(states))
    assert merchant.kinds == [f"payout.{state}" for state in states]
    assert [hook.event["payout"]["state"] for hook in merchant.hooks] == states
    assert {hook.problem for hook in merchant.hooks} == {None}
    (payout,) = await found(sandbox)
    assert (payout["id"], payout["state"], payout["reason"]) == (made["id"], states[-1], reason)
    events = expect_ok(await sandbox.http.get("/v1/events", params={"payout": made["id"]}))["events"]
    assert [event["kind"] for event in events] == merchant.kinds


async def test_a_key_pays_once(sandbox: Sandbox) -> None:
    """The same key and body give the same payout, with another description and webhook, too; another amount none."""
    body, key = slow(), {"Idempotency-Key": "out_1"}
    changed = body | {"description": "another", "webhook_url": "http://127.0.0.1:9/elsewhere"}
    answers = [await sandbox.http.post("/v1/payouts", json=each, headers=key) for each in (body, body, changed)]
    assert len({expect_ok(answer)["id"] for answer in answers}) == 1
    for other in ({"amount_minor": 100}, {"currency": "EUR"}, {"address": "paid@sandbox"}, {"payout": "out_2"}):
        assert_refused(await sandbox.http.post("/v1/payouts", json=body | other, headers=key), 409, "key_reused")
    assert_refused(await sandbox.http.post("/v1/payouts", json=body), 400, "key_missing")
    assert len(await found(sandbox)) == 1
    assert await found(sandbox, "out_2") == []


@pytest.mark.parametrize("way", [("paid",), ("failed",), ("paid", "returned")])
async def test_it_is_moved_by_hand(sandbox: Sandbox, way: tuple[str, ...]) -> None:
    """From its way to paid or failed, from paid back; the same again changes nothing, every other step is refused."""
    made = await make(sandbox)
    for state in way:
        first = await settle(sandbox, made["id"], state)
        assert await settle(sandbox, made["id"], state) == first
        assert first["state"] == state
    last = way[-1]
    for state in {"pending", "paid", "failed", "returned"} - {last} - ({"returned"} if last == "paid" else set()):
        answer = await sandbox.post(f"/v1/payouts/{made['id']}/settle", {"state": state})
        assert_refused(answer, 409, "wrong_state")
    assert_refused(await sandbox.post("/v1/payouts/po_x/settle", {"state": "paid"}), 404, "not_found")
    assert_refused(await sandbox.post(f"/v1/payouts/{made['id']}/settle", {"state": "lost"}), 400, "bad_request")


class Waiting(Background):
    """Work that goes on only when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.work: list[Coroutine[Any, Any, None]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Keep the work."""
        self.work.append(work)
        return asyncio.current_task()  # type: ignore[return-value]


@pytest.mark.parametrize(("by_hand", "end"), [(None, "paid"), ("failed", "failed")])
async def test_one_that_was_moved_by_hand_stays_there(clock: Time, by_hand: PayoutState | None, end: str) -> None:
    """What its address had in mind for it comes too late."""
    waiting, book = Waiting(), Book(Journal(None), clock)
    payouts = Payouts(SandboxConfig("k", "w", None, "http://127.0.0.1:9"), book, waiting)
    made = payouts.make("out_1", NewPayout("out_1", 99, "USD", "paid@sandbox"))
    assert isinstance(made, KeptPayout)
    if by_hand is not None:
        payouts.settle(made.id, by_hand)
    clock.ahead_ms += 60_000
    (later,) = waiting.work
    await later
    now = book.payout(made.id)
    assert now is not None
    assert now.payout.state == end


async def test_it_can_be_slow(sandbox: Sandbox, merchant: Merchant) -> None:
    """By mischief its steps come later: one that was made after it is paid before it."""
    await sandbox.mischief(payouts_slow_s=3_600)
    await make(sandbox, address="paid@sandbox")
    await sandbox.mischief()
    await sandbox.post("/v1/payouts", told(merchant, address="paid@sandbox", payout="out_2"))
    await merchant.until(lambda: "payout.paid" in merchant.kinds)
    assert [payout["state"] for payout in await found(sandbox)] == ["pending"]


async def test_it_is_made_and_nobody_says_so(sandbox: Sandbox) -> None:
    """By mischief the answer is an error, though the payout is there; asked again it is the same one."""
    await sandbox.mischief(payouts_unanswered=1)
    key = {"Idempotency-Key": "out_1"}
    assert_refused(await sandbox.http.post("/v1/payouts", json=slow(), headers=key), 500, "error")
    (payout,) = await found(sandbox)
    assert expect_ok(await sandbox.http.post("/v1/payouts", json=slow(), headers=key)) == payout


async def test_it_is_not_made_and_somebody_says_so(sandbox: Sandbox) -> None:
    """By mischief creations and fetches fail first, as with sessions."""
    await sandbox.mischief(create_fails=1, fetch_fails=1)
    assert_refused(await sandbox.post("/v1/payouts", slow()), 503, "unavailable")
    assert await found(sandbox) == []
    await make(sandbox)
    assert_refused(await sandbox.http.get("/v1/payouts?payout=out_1"), 503, "unavailable")
    assert len(await found(sandbox)) == 1


async def test_it_can_say_what_is_not_so(sandbox: Sandbox) -> None:
    """By mischief its amount, currency and mode are others."""
    await sandbox.mischief(wrong_amount=True, wrong_currency=True, test_event_in_live=True)
    made = await make(sandbox)
    assert (made["amount_minor"], made["currency"], made["live"]) == (100, "EUR", True)


async def test_forgeries_are_told_beside_it(sandbox: Sandbox, merchant: Merchant) -> None:
    """By mischief each event has two; neither has a right signature."""
    await sandbox.mischief(forge=True, copies=2)
    await sandbox.post("/v1/payouts", told(merchant))
    await merchant.until(lambda: len(merchant.hooks) == 4)
    assert sorted(hook.problem is None for hook in merchant.hooks) == [False, False, True, True]
    assert {hook.event["payout"]["amount_minor"] for hook in merchant.hooks} == {99, 1_099}


async def test_without_an_address_nobody_is_told(sandbox: Sandbox, merchant: Merchant) -> None:
    """Its events are there to read, and are not sent anywhere, also when they are to be sent again."""
    made = await make(sandbox)
    (event,) = expect_ok(await sandbox.http.get("/v1/events", params={"payout": made["id"]}))["events"]
    expect_ok(await sandbox.post("/v1/webhooks/resend", {"event": event["id"]}))
    await sandbox.post("/v1/payouts", told(merchant, payout="out_2"))
    await merchant.until(lambda: merchant.hooks)
    assert [hook.event["payout"]["payout"] for hook in merchant.hooks] == ["out_2"]


@pytest.mark.parametrize(
    ("mischief", "amounts"),
    [({}, [-99, 99]), ({"movement_wrong": True}, [-100, 100]), ({"movement_missing": True}, [])],
)
async def test_its_money_is_reported(sandbox: Sandbox, mischief: dict[str, Any], amounts: list[int]) -> None:
    """It goes once it is paid, and comes back once it is returned; one that failed moved nothing."""
    await sandbox.mischief(**mischief)
    made, failed = await make(sandbox), await make(sandbox, payout="out_2")
    await settle(sandbox, failed["id"], "failed")
    for state in ("paid", "returned"):
        await settle(sandbox, made["id"], state)
    found = expect_ok(await sandbox.http.get("/v1/movements?from_ms=0&until_ms=99999999999999"))["movements"]
    assert [one["amount_minor"] for one in found] == amounts
    assert {(one["kind"], one["payment"], one["currency"]) for one in found} <= {("payout", "out_1", "USD")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_minor": 0}, {"amount_minor": -1}, {"amount_minor": True}, {"amount_minor": 1.0}, {"currency": "usd"},
        {"address": "nobody"}, {"address": "a\0b@sandbox"}, {"address": "paid@sandbox\n"}, {"address": "ä@sandbox"},
        {"address": "a" * 65 + "@sandbox"}, {"payout": ""}, {"webhook_url": "javascript:x"}, {"more": 1},
    ],
)  # fmt: skip
async def test_what_cannot_be_paid_is_refused(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    """Nothing is made of it."""
    assert_refused(await sandbox.post("/v1/payouts", slow(**wrong)), 400, "bad_request")
    assert await found(sandbox) == []
    assert_refused(await sandbox.http.get("/v1/payouts"), 400, "bad_request")


async def test_a_restart_goes_on_with_it(start: Start, clock: Time, tmp_path: Path, merchant: Merchant) -> None:
    """What was on its way when the sandbox ended arrives after it began again."""
    async with start(journal=tmp_path / "journal", clock=clock) as sandbox:
        await sandbox.post("/v1/payouts", told(merchant))
        await merchant.until(lambda: merchant.hooks)
    clock.ahead_ms += 61_000
    async with start(journal=tmp_path / "journal", clock=clock) as again:
        await merchant.until(lambda: merchant.kinds[-1] == "payout.paid")
        assert [payout["state"] for payout in await found(again)] == ["paid"]


async def test_the_addresses_are_shown_beside_the_test_cards(sandbox: Sandbox) -> None:
    """Each with what becomes of it."""
    session = await sandbox.create()
    words = words_of(await sandbox.browser.get(session["url"]))
    for address, fate in RECEIVERS.items():
        assert f"{address} {fate.words}" in words
