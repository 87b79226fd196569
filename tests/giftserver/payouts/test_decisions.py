"""A person ends the review of a payout: booked as it is at the provider, once, and by nobody about themselves."""

import pytest

from giftserver.durable.payout_moves import flag
from tests.giftserver.conftest import assert_refused
from tests.giftserver.payouts.office import Office

WRONG = "5001 USD, asked for 5000 USD in minor units"


async def in_review(office: Office) -> str:
    """A payout that is sending, of which the provider says another amount."""
    await office.shop.mischief(wrong_amount=True)
    id = await office.asked()
    await office.work()
    (found,) = await office.listed(review=True)
    assert (found["id"], found["state"], found["provider_ref"]) == (id, "sending", None)
    return id


@pytest.mark.parametrize(
    ("decision", "balances", "clearing"), [("paid", (20_000, 0, 10_000), -5_000), ("failed", (30_000, 0, 0), 0)]
)
async def test_what_is_sending_is_booked_as_a_person_found_out(
    office: Office, decision: str, balances: tuple[int, int, int], clearing: int
) -> None:
    """Once, with the review over and the audit log written; the same news puts it in review no more."""
    id = await in_review(office)
    assert "on its way" in assert_refused(await office.decide(id, "dismiss"), 409, "review_refused")["message"]
    done = (await office.decide(id, decision)).json()
    assert (done["state"], done["review"]) == (decision, None)
    assert (done["steps"][-1]["source"], done["steps"][-1]["detail"]) == ("operator", "their page says so")
    assert_refused(await office.decide(id, decision), 409, "review_refused")
    assert await office.balances() == balances
    assert await office.shop.balance("clearing", "sandbox") == clearing
    headers = office.shop.web.bearer("olga", "admin")
    (act,) = (await office.shop.web.http.get(f"/v1/ops/audit?subject={id}", headers=headers)).json()["acts"]
    assert (act["action"], act["actor"], act["details"]["decision"]) == ("decide_payout", "olga", decision)
    await office.shop.proved()
    if decision == "paid":
        await office.work()
        assert await office.listed(review=True) == []


async def test_a_review_of_what_is_over_is_dismissed(office: Office) -> None:
    """Nothing moves, and it comes back only with other words."""
    id = await office.sent()
    await office.settle(id, "paid")
    await office.until(id, "paid")
    database = office.shop.web.engines.database
    await flag(database, id, "something is wrong")
    for decision in ("paid", "failed"):
        assert_refused(await office.decide(id, decision), 409, "review_refused")
    done = (await office.decide(id, "dismiss")).json()
    assert (done["state"], done["review"]) == ("paid", None)
    await flag(database, id, "something is wrong")
    assert await office.listed(review=True) == []
    await flag(database, id, "something else is wrong")
    assert len(await office.listed(review=True)) == 1
    assert await office.balances() == (20_000, 0, 10_000)
    await office.shop.proved()


async def test_who_may_decide(office: Office) -> None:
    """Operators, nobody about themselves, and only where somebody has to look."""
    id = await in_review(office)
    assert "Somebody else" in assert_refused(await office.decide(id, "paid", by="mira"), 403, "forbidden")["message"]
    body = {"decision": "paid", "reason": "mine"}
    answer = await office.shop.web.http.post(f"/v1/ops/payouts/{id}/decide", json=body, headers=office.bearer())
    assert_refused(answer, 403, "forbidden")
    assert_refused(await office.decide("out_" + "0" * 32, "paid"), 404, "payout_not_found")
    waiting = await office.asked()
    for decision in ("paid", "failed", "dismiss"):
        assert_refused(await office.decide(waiting, decision), 409, "review_refused")
    assert await office.balances() == (10_000, 20_000, 0)


async def test_the_reference_of_the_first_wrong_answer_is_kept(office: Office) -> None:
    """Whoever looks for it at the provider needs it."""
    id = await in_review(office)
    headers = office.shop.web.bearer("olga", "admin")
    found = (await office.shop.web.http.get(f"/v1/ops/payouts/{id}", headers=headers)).json()
    (at_provider,) = await office.at_provider(id)
    assert found["steps"][-1]["detail"] == f"pending: {WRONG} (sandbox's {at_provider['id']})"


async def test_creators_read_nothing_of_a_review(office: Office) -> None:
    """Neither what the provider said otherwise nor what an operator wrote; why it failed they do."""
    id = await in_review(office)
    assert [step["detail"] for step in (await office.payout(id))["steps"]] == ["", "", ""]
    await office.decide(id, "failed", reason="mira is known to us")
    told = await office.payout(id)
    assert (told["state"], told["steps"][-1]["detail"]) == ("failed", "")
    assert "known to us" not in str(told)
    await office.shop.mischief(wrong_amount=False)
    other = await office.sent()
    await office.settle(other, "failed")
    assert (await office.until(other, "failed"))["steps"][-1]["detail"] == "account_closed"


async def test_nobody_looks_at_their_own_as_an_operator(office: Office) -> None:
    """What is about themselves is somebody else's to see."""
    id = await office.asked()
    headers = office.shop.web.bearer("mira", "admin")
    assert_refused(await office.shop.web.http.get(f"/v1/ops/payouts/{id}", headers=headers), 403, "forbidden")
