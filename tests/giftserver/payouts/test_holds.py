"""Payouts that are stopped, or are not: taken back, voided, on hold because of a case; the same moment included."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from giftserver.durable.holds import place_hold
from giftserver.durable.payout_moves import begin
from tests.giftserver.conftest import assert_refused
from tests.giftserver.payouts.office import Office


async def test_a_creator_takes_it_back(office: Office) -> None:
    """The diamonds are back at once; a second time changes nothing; nothing was sent."""
    id = await office.asked()
    answers = [await office.cancel(id) for _ in range(2)]
    assert [answer.json()["state"] for answer in answers] == ["cancelled"] * 2
    assert [step["state"] for step in answers[1].json()["steps"]] == ["requested", "cancelled"]
    assert await office.balances() == (30_000, 0, 0)
    await office.work()
    assert await office.at_provider(id) == []
    await office.shop.proved()


async def test_an_operator_voids_it(office: Office) -> None:
    """With a reason, which the creator reads and the audit log keeps; a second time changes nothing."""
    id = await office.asked()
    answer = await office.void(id, reason="the account belongs to somebody else")
    assert answer.json()["state"] == "voided"
    assert (await office.void(id)).json()["reason"] == "the account belongs to somebody else"
    assert (await office.payout(id))["reason"] == "the account belongs to somebody else"
    assert_refused(await office.cancel(id), 409, "payout_under_way")
    headers = office.shop.web.bearer("olga", "admin")
    found = (await office.shop.web.http.get(f"/v1/ops/payouts/{id}", headers=headers)).json()
    assert found == (await office.void(id)).json()
    assert [(step["state"], step["source"]) for step in found["steps"]] == [
        ("requested", "creator"), ("voided", "operator"),
    ]  # fmt: skip
    assert "slow@sandbox" not in str(found)
    nobody = await office.shop.web.http.get("/v1/ops/payouts/out_" + "0" * 32, headers=headers)
    assert_refused(nobody, 404, "payout_not_found")
    creators = await office.shop.web.http.get(f"/v1/ops/payouts/{id}", headers=office.bearer())
    assert_refused(creators, 403, "forbidden")
    acts = (await office.shop.web.http.get(f"/v1/ops/audit?subject={id}", headers=headers)).json()["acts"]
    assert [(act["action"], act["actor"]) for act in acts] == [("void_payout", "olga")]
    assert await office.balances() == (30_000, 0, 0)
    assert_refused(await office.void("out_" + "0" * 32), 404, "payout_not_found")
    await office.shop.proved()


async def test_nobody_voids_their_own(office: Office) -> None:
    """An operator is a creator too: somebody else must do it, and creators cannot."""
    id = await office.asked()
    assert "Somebody else" in assert_refused(await office.void(id, by="mira"), 403, "forbidden")["message"]
    answer = await office.shop.web.http.post(
        f"/v1/ops/payouts/{id}/void", json={"reason": "mine"}, headers=office.bearer()
    )
    assert_refused(answer, 403, "forbidden")
    assert (await office.payout(id))["state"] == "requested"


@pytest.mark.parametrize("end", ["paid", "voided", "cancelled"])
async def test_a_case_holds_what_was_not_sent(office: Office, end: str) -> None:
    """It waits; released it goes on and is paid; voided or taken back the diamonds are the creator's again."""
    id = await office.asked()
    case = await office.hold()
    held = await office.until(id, "held")
    assert (held["cancellable"], held["steps"][-1]["detail"]) == (
        True, "the wallet is on hold while a case is looked at",
    )  # fmt: skip
    await office.work()
    assert await office.at_provider(id) == []
    assert (await office.payout(id))["state"] == "held"
    await office.shop.proved()
    if end == "paid":
        await office.release(case)
        await office.until(id, "sending")
        await office.settle(id, "paid")
        steps = (await office.until(id, "paid"))["steps"]
        assert [step["state"] for step in steps][:4] == ["requested", "held", "requested", "sending"]
        assert await office.balances() == (20_000, 0, 10_000)
    else:
        await (office.void(id) if end == "voided" else office.cancel(id))
        assert (await office.payout(id))["state"] == end
        assert await office.balances() == (30_000, 0, 0)
        assert await office.at_provider(id) == []
    await office.shop.proved()


async def test_what_is_on_its_way_goes_on(office: Office) -> None:
    """A hold that comes after it was sent cannot stop it."""
    id = await office.sent()
    await office.hold()
    await office.work()
    await office.settle(id, "paid")
    await office.until(id, "paid")
    assert await office.balances() == (20_000, 0, 10_000)
    await office.shop.proved()


async def test_a_hold_of_the_same_moment_is_not_slipped_past(office: Office) -> None:
    """It is placed and not committed yet: the step to `sending` waits for it, and holds instead."""
    id = await office.asked()
    database = office.shop.web.engines.database
    async with database.connect() as connection, connection.begin():
        await place_hold(connection, "mira", "case:a-test", "a test")
        step: asyncio.Task[Any] = asyncio.create_task(begin(database, id))
        async with asyncio.timeout(10), database.connect() as other:
            while not await other.scalar(text("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")):
                assert not step.done(), "it did not wait"
                await other.rollback()
                await asyncio.sleep(0.01)
    begun = await step
    assert begun is not None
    assert begun.state == "held"


async def test_only_cases_hold(office: Office) -> None:
    """A wallet that is on hold because of a disputed purchase has nothing to do with what a creator earned."""
    async with office.shop.web.engines.database.begin() as connection:
        await place_hold(connection, "mira", "claim:a-test", "a test")
    id = await office.asked()
    await office.until(id, "sending")
    assert len(await office.at_provider(id)) == 1


async def test_taken_back_while_it_is_sent(office: Office) -> None:
    """Either it is taken back and nothing was sent, or it was sent and cannot be; never both, however close."""
    await office.earn(60_000)
    ends = set()
    for _ in range(8):
        id = await office.asked()
        answer, _, _ = await asyncio.gather(office.cancel(id), office.work(), office.void(id))
        sent, state = await office.at_provider(id), (await office.payout(id))["state"]
        assert (state, len(sent)) in (("cancelled", 0), ("voided", 0), ("sending", 1))
        assert (answer.status_code == 200) == (state == "cancelled")
        ends.add(state)
    assert ends
    await office.shop.proved()
