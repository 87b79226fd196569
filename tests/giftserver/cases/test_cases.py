"""Cases: operators decide, one after the other, and a hold stops gifts through the real socket."""

import asyncio

import pytest

from giftserver.durable.audit_log import Actor
from giftserver.durable.cases import Subject, open_case
from tests.giftserver.cases.desk import Desk
from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import is_held
from tests.giftserver.shop import new_key
from tests.giftserver.web.sockets import joined


async def test_a_hold_stops_a_gift_on_an_open_socket(desk: Desk) -> None:
    """Held, the next gift is refused in words and nothing is charged; released, the same socket sends again."""
    id = await desk.reported()
    async with joined(desk.shop.web, "ana") as ana:
        assert (await ana.gift(1, new_key()))["type"] == "reply"
        case = await desk.took(id, "hold", 1)
        await desk.shop.claims.step()
        refused = await ana.gift(2, new_key())
        assert (refused["type"], refused["code"]) == ("error", "wallet_frozen")
        assert await desk.shop.web.services.ledger.balance("ana") == 769
        case = await desk.took(id, "release", case["version"])
        await desk.shop.claims.step()
        assert (await ana.gift(3, new_key()))["type"] == "reply"
    await desk.took(id, "hold", case["version"])  # a second time, under another reference
    await desk.shop.claims.step()
    assert await is_held(desk.shop)
    await desk.shop.web.settle()
    await desk.shop.proved()


async def test_a_case_ends_once_and_says_what_becomes_of_its_hold(desk: Desk) -> None:
    """With a hold somebody must say whether it ends; kept, it can be released later; the reporter sees the outcome."""
    id = await desk.reported()
    case = await desk.took(id, "note", 1)
    assert_refused(await desk.step(id, "close", 2, outcome="upheld", end_hold=True), 409, "case_changed")
    case = await desk.took(id, "hold", 2)
    assert_refused(await desk.step(id, "hold", case["version"]), 409, "case_changed")
    undecided = assert_refused(await desk.step(id, "close", case["version"], outcome="upheld"), 409, "case_changed")
    assert "say whether" in undecided["message"]
    case = await desk.took(id, "close", case["version"], outcome="upheld", end_hold=False)
    assert (case["state"], case["outcome"], case["closed_by"], case["on_hold"]) == ("closed", "upheld", "olga", True)
    await desk.shop.claims.step()
    assert await is_held(desk.shop)
    for verb, more in (("hold", {}), ("note", {}), ("close", {"outcome": "resolved", "end_hold": True})):
        assert_refused(await desk.step(id, verb, case["version"], **more), 409, "case_changed")
    (told,) = await desk.reports()
    assert (told["state"], told["outcome"]) == ("closed", "upheld")
    assert "as agreed" not in str(told)
    case = await desk.took(id, "release", case["version"])
    assert_refused(await desk.step(id, "release", case["version"]), 409, "case_changed")
    await desk.shop.claims.step()
    assert not await is_held(desk.shop)
    acts = (await desk.get(f"/v1/ops/cases/{id}"))["acts"]
    assert [act["action"] for act in acts[::-1]] == ["open_case", "note", "hold", "close_case", "release"]
    assert acts[1]["details"] == {"outcome": "upheld", "held": True, "banned": False}
    await desk.shop.proved()


async def test_of_two_operators_at_once_the_second_is_told(desk: Desk) -> None:
    """Of ten notes and of ten ends about the same version one is taken; the others change nothing."""
    id = await desk.reported()
    answers = await asyncio.gather(*(desk.step(id, "note", 1) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    steps = [desk.step(id, "close", 2, outcome=one) for one in ("upheld", "dismissed", "resolved")]
    answers = await asyncio.gather(*steps, *(desk.step(id, "hold", 2) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 6
    story = await desk.get(f"/v1/ops/cases/{id}")
    assert (story["case"]["version"], len(story["acts"])) == (3, 3)
    await desk.shop.proved()


async def test_closing_with_the_hold_ended_frees_the_wallet_but_for_other_reasons(desk: Desk) -> None:
    """A dispute's own hold stays when the case's ends."""
    id = await desk.reported(hold=True)
    dispute = await desk.shop.dispute(desk.payment)
    await desk.shop.until_claim(dispute, "frozen")
    version = (await desk.get(f"/v1/ops/cases/{id}"))["case"]["version"]
    await desk.took(id, "close", version, outcome="resolved", end_hold=True)
    await desk.shop.claims.step()
    assert await is_held(desk.shop)
    await desk.shop.decide(dispute, "won")
    await desk.shop.until_claim(dispute, "won")
    await desk.shop.proved()
    assert not await is_held(desk.shop)


async def test_cases_are_for_operators(desk: Desk) -> None:
    """Viewers and moderators read and change nothing; what is not there is not found."""
    id = await desk.reported()
    for role in ("viewer", "moderator", "creator"):
        headers = desk.shop.web.bearer("ana", role)
        for path in ("/v1/ops/cases", f"/v1/ops/cases/{id}", "/v1/ops/audit", "/v1/ops/adjustments"):
            assert_refused(await desk.shop.web.http.get(path, headers=headers), 403, "forbidden")
        for verb in ("hold", "release", "ban", "unban", "note"):
            path = f"/v1/ops/cases/{id}/{verb}"
            assert_refused(await desk.post(path, {"version": 1, "reason": "x"}, "ana", role), 403, "forbidden")
    assert_refused(await desk.step("case_0", "hold", 1), 404, "not_found")
    assert_refused(await desk.step(f"case_{'0' * 32}", "hold", 1), 404, "not_found")
    wrong = await desk.post(f"/v1/ops/cases/{id}/hold", {"version": 1, "reason": " "})
    assert_refused(wrong, 400, "bad_request")
    assert (await desk.get(f"/v1/ops/cases/{id}"))["case"]["version"] == 1


async def test_rules_open_cases_and_add_to_them(desk: Desk) -> None:
    """A rule's case holds the wallet when it asks; another finding joins the open case, whoever opened it."""
    database, ana = desk.shop.web.engines.database, Subject("user", "ana", "ana")
    rule = Actor("rule:velocity", "rule")
    async with database.begin() as connection:
        id = await open_case(connection, "rule", ana, rule, {"gifts": 90}, "90 gifts in a minute", hold=True)
    assert (await desk.report("ben", "user", "ana", "fraud")).status_code == 200
    async with database.begin() as connection:
        ring = Actor("rule:ring", "rule")
        assert await open_case(connection, "rule", ana, ring, {"with": 4}, "a ring", hold=True) == id
    with pytest.raises(ValueError, match="rule:<name>"):
        async with database.begin() as connection:
            await open_case(connection, "rule", ana, Actor("olga", "admin"), {}, "no rule")
    await desk.shop.claims.step()
    assert await is_held(desk.shop)
    story = await desk.get(f"/v1/ops/cases/{id}")
    assert [(found["by"], found["facts"]) for found in story["evidence"]] == [
        ("rule:velocity", {"gifts": 90}), ("rule:ring", {"with": 4}),
    ]  # fmt: skip
    assert [act["action"] for act in story["acts"][::-1]] == ["open_case", "hold", "add_evidence"]
    assert (await desk.get("/v1/ops/cases?kind=rule&state=open"))["cases"][0]["opened_by"] == "rule:velocity"
    assert (await desk.get("/v1/ops/cases?kind=report"))["cases"] == []
    await desk.shop.proved()
