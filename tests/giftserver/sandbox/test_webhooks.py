"""Webhooks: signed, in order, repeated until taken, and wrong on demand."""

from collections import Counter
from itertools import islice

import pytest

from giftserver.sandbox.webhooks import waits_s
from tests.giftserver.sandbox.conftest import Merchant, Sandbox, Start, assert_refused, expect_ok

PAID = ["session.authorised", "session.captured"]


async def test_each_change_is_told_in_order(sandbox: Sandbox, merchant: Merchant) -> None:
    """A webhook carries a good signature and the session as it was then."""
    session = await sandbox.paid()
    await merchant.until(lambda: len(merchant.hooks) == 2)
    assert merchant.kinds == PAID
    assert [hook.problem for hook in merchant.hooks] == [None, None]
    assert [hook.event["session"]["state"] for hook in merchant.hooks] == ["authorised", "captured"]
    assert merchant.hooks[-1].event["session"] == session
    events = expect_ok(await sandbox.http.get("/v1/events"))["events"]
    assert [hook.event for hook in merchant.hooks] == events


async def test_what_is_not_taken_comes_again(sandbox: Sandbox, merchant: Merchant) -> None:
    """Only 2xx is taken; until then the same event comes again, and later ones wait."""
    merchant.answers = [500, 404, 301, 204]
    await sandbox.paid()
    await merchant.until(lambda: len(merchant.hooks) == 5)
    assert merchant.kinds == ["session.authorised"] * 4 + ["session.captured"]
    assert len({hook.raw for hook in merchant.hooks}) == 2
    assert all(hook.problem is None for hook in merchant.hooks)


async def test_an_address_nobody_listens_at_hurts_nobody(sandbox: Sandbox, merchant: Merchant) -> None:
    """Other sessions' webhooks go on, and every event can still be read."""
    lost = await sandbox.paid(webhook_url="http://127.0.0.1:9/nobody")
    await sandbox.paid()
    await merchant.until(lambda: len(merchant.hooks) == 2)
    assert await sandbox.kinds(lost["id"]) == PAID


def test_attempts_end_after_a_day() -> None:
    """Waits grow to a minute, and add up to one day."""
    assert list(islice(waits_s(), 9)) == [0.2, 0.5, 1, 2, 5, 10, 30, 60, 60]
    assert 86_400 <= sum(waits_s()) < 86_460


async def test_copies_and_resending(sandbox: Sandbox, merchant: Merchant) -> None:
    """An event can come several times, and once more when asked; its id stays."""
    await sandbox.mischief(copies=5, delay_s=0.02)
    await sandbox.paid()
    await merchant.until(lambda: len(merchant.hooks) == 10)
    counts = Counter(hook.event["id"] for hook in merchant.hooks)
    assert list(counts.values()) == [5, 5]
    first = merchant.hooks[0].event["id"]
    expect_ok(await sandbox.post("/v1/webhooks/resend", {"event": first}))
    await merchant.until(lambda: len(merchant.hooks) == 11)
    assert merchant.hooks[-1].event["id"] == first
    assert_refused(await sandbox.post("/v1/webhooks/resend", {"event": "ev_x"}), 404, "not_found")


async def test_shuffled_events_are_out_of_order(sandbox: Sandbox, merchant: Merchant) -> None:
    """Made authorised, captured; told captured, authorised; what fails comes later and holds up nothing."""
    await sandbox.mischief(shuffle=True)
    await sandbox.paid()
    await merchant.until(lambda: len(merchant.hooks) == 2)
    assert merchant.kinds == PAID[::-1]
    merchant.hooks.clear()
    merchant.answers = [500] * 3
    await sandbox.paid()
    await merchant.until(lambda: len(merchant.hooks) == 5)
    assert set(merchant.kinds) == set(PAID)


async def test_a_share_is_dropped_for_good(sandbox: Sandbox, merchant: Merchant) -> None:
    """Dropped webhooks never come, but the events are there and can be sent by hand; the seed decides which."""
    await sandbox.mischief(drop=1)
    session = await sandbox.paid()
    await sandbox.mischief(drop=0.5, seed=7)
    for _ in range(10):
        await sandbox.paid()
    await sandbox.mischief()
    last = await sandbox.paid()
    await merchant.until(lambda: merchant.hooks and merchant.hooks[-1].event["session"]["id"] == last["id"])
    await merchant.until(lambda: merchant.kinds[-1] == "session.captured")
    assert session["id"] not in {hook.event["session"]["id"] for hook in merchant.hooks}
    assert 3 < len(merchant.hooks) - 2 < 17
    events = expect_ok(await sandbox.http.get("/v1/events", params={"session": session["id"]}))["events"]
    merchant.hooks.clear()
    await sandbox.post("/v1/webhooks/resend", {"event": events[1]["id"]})
    await merchant.until(lambda: merchant.kinds == ["session.captured"])


async def test_the_same_seed_drops_the_same(start: Start, merchant: Merchant) -> None:
    """Two sandboxes with one seed drop the same of the same sequence."""
    came = []
    for _ in range(2):
        merchant.hooks.clear()
        async with start() as sandbox:
            await sandbox.mischief(drop=0.5, seed=3)
            for number in range(8):
                await sandbox.paid(payment=f"p{number}")
            await sandbox.mischief()
            await sandbox.paid(payment="last")
            await merchant.until(lambda: ("last", PAID[1]) in merchant.told)
        came.append(merchant.told)
    assert came[0] == came[1]


async def test_forgeries_do_not_fit_their_signatures(sandbox: Sandbox, merchant: Merchant) -> None:
    """Besides the genuine event come one with a wrong signature and one with another amount."""
    await sandbox.mischief(forge=True)
    await sandbox.paid()
    await merchant.until(lambda: len(merchant.hooks) == 6)
    problems = [hook.problem for hook in merchant.hooks]
    assert problems == ["no signature fits the body", "no signature fits the body", None] * 2
    amounts = [hook.event["session"]["amount_minor"] for hook in merchant.hooks]
    assert amounts == [499, 1499, 499] * 2
    assert len({hook.event["id"] for hook in merchant.hooks}) == 2


async def test_stale_stamps_are_an_hour_old(sandbox: Sandbox, merchant: Merchant) -> None:
    """A signature that fits, but was made too long ago."""
    session = await sandbox.create()
    expect_ok(await sandbox.http.put(f"/v1/sessions/{session['id']}/mischief", json={"stale": True}))
    await sandbox.pay(session)
    await merchant.until(lambda: len(merchant.hooks) == 2)
    assert {hook.problem for hook in merchant.hooks} == {"the time stamp is too old"}


async def test_webhooks_can_come_before_the_answer(sandbox: Sandbox, merchant: Merchant) -> None:
    """The payment is told before the merchant knows its session."""
    await sandbox.mischief(webhook_before_answer=True)
    session = await sandbox.create()
    assert merchant.kinds == PAID
    assert session["state"] == "captured"


@pytest.mark.parametrize(
    "body", [{"copies": 0}, {"copies": 21}, {"drop": 1.5}, {"delay_s": -1}, {"forge": 1}, {"unknown": True}, []]
)
async def test_wrong_mischief_is_refused(sandbox: Sandbox, body: object) -> None:
    """Mischief has bounds, and what was planned stays."""
    await sandbox.mischief(copies=2)
    assert_refused(await sandbox.http.put("/v1/mischief", json=body), 400, "bad_request")
    shown = expect_ok(await sandbox.http.get("/v1/mischief"))
    assert (shown["copies"], shown["drop"], shown["settle_after_s"]) == (2, 0, None)
