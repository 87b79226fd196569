"""Reports: of one's own payments and gifts, and of people; what comes of them, and nothing of what others told."""

import asyncio

import pytest

from giftserver.durable import reports as stored
from tests.giftserver.cases.desk import Desk
from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import is_held
from tests.giftserver.shop import new_key


async def test_a_reported_payment_becomes_a_case_with_its_story(desk: Desk) -> None:
    """The case has the payment, the gifts that its coins went into, and what was told; nobody is held unasked."""
    transfer = await desk.gift(3)
    id = await desk.reported(note="I was asleep")
    story = await desk.get(f"/v1/ops/cases/{id}")
    case, (finding,), (told,) = story["case"], story["evidence"], story["reports"]
    assert (case["subject_kind"], case["subject_id"]) == ("payment", desk.payment["id"])
    assert (case["person"], case["state"], case["on_hold"]) == ("ana", "open", False)
    facts = finding["facts"]
    assert (facts["state"], facts["coins"], facts["bonus_coins"], facts["unspent_coins"]) == ("credited", 700, 70, 470)
    assert [(gift["transfer"], gift["coins_of_it"]) for gift in facts["gifts"]] == [(transfer, 300)]
    assert facts["steps"][-1]["state"] == "credited"
    assert (told["reporter"], told["reason"], told["note"]) == ("ana", "unauthorised", "I was asleep")
    assert [act["action"] for act in story["acts"]] == ["open_case"]
    assert not await is_held(desk.shop)
    await desk.shop.proved()


async def test_one_key_is_one_report_and_one_subject_one_case(desk: Desk) -> None:
    """Sent five times at once it is one report; others of the same gift join its case, and see only their own."""
    transfer, key = await desk.gift(), new_key()
    answers = await asyncio.gather(
        *(desk.report("ana", "gift", transfer, "unauthorised", key=key) for _ in range(5)),
        desk.report("mira", "gift", transfer, "abusive_note", note="the note is vile"),
    )
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["id"] for answer in answers}) == 2
    (case,) = (await desk.get("/v1/ops/cases"))["cases"]
    assert case["person"] == "ana"
    assert sorted(told["reporter"] for told in (await desk.get(f"/v1/ops/cases/{case['id']}"))["reports"]) == [
        "ana", "mira",
    ]  # fmt: skip
    assert [told["reason"] for told in await desk.reports("ana")] == ["unauthorised"]
    assert "mira" not in str(await desk.reports("ana"))
    assert_refused(await desk.report("ana", "gift", transfer, "other", key=key), 409, "key_reused")
    await desk.took(case["id"], "close", case["version"], outcome="dismissed")
    assert {told["outcome"] for told in [*await desk.reports("ana"), *await desk.reports("mira")]} == {"dismissed"}
    assert (await desk.report("ana", "gift", transfer, "unauthorised")).json()["state"] == "open"
    assert len((await desk.get("/v1/ops/cases"))["cases"]) == 2


async def test_only_what_is_ones_own_is_reported(desk: Desk) -> None:
    """Somebody else's payment or gift is not found, nobody reports for a reason that does not fit, or themselves."""
    transfer = await desk.gift()
    for user, kind, id, reason, status, code in (
        ("ben", "payment", desk.payment["id"], "unauthorised", 404, "payment_not_found"),
        ("ana", "payment", "pay_nothing", "unauthorised", 404, "payment_not_found"),
        ("ben", "gift", transfer, "abusive_note", 404, "not_found"),
        ("ana", "gift", "07-1-99999", "unauthorised", 404, "not_found"),
        ("ana", "gift", "99-99999-9999999999999", "unauthorised", 404, "not_found"),
        ("ana", "gift", transfer, "abusive_note", 400, "bad_request"),
        ("mira", "gift", transfer, "unauthorised", 400, "bad_request"),
        ("ana", "user", "ana", "abuse", 400, "bad_request"),
        ("ana", "user", "nobody", "abuse", 404, "not_found"),
        ("ana", "user", "mira", "unauthorised", 400, "bad_request"),
        ("ana", "payment", desk.payment["id"], "because", 400, "bad_request"),
        ("ana", "payment", desk.payment["id"], "fraud", 400, "bad_request"),
    ):
        assert_refused(await desk.report(user, kind, id, reason), status, code)
    for user, kind, id, reason in (("mira", "gift", transfer, "abusive_note"), ("ben", "user", "ana", "abuse")):
        assert_refused(await desk.report(user, kind, id, reason, hold=True), 400, "bad_request")
    assert (await desk.get("/v1/ops/cases"))["cases"] == []
    nobody = await desk.shop.web.http.post("/v1/reports", json={})
    assert_refused(nobody, 401, "unauthorized")


async def test_who_asks_for_it_is_on_hold_at_once(desk: Desk) -> None:
    """Gifts and orders are refused until an operator releases the wallet; the audit log says who asked."""
    id = await desk.reported(hold=True)
    await desk.shop.claims.step()
    assert await is_held(desk.shop)
    assert "report" in assert_refused(await desk.shop.order(bonus_coins=0), 403, "wallet_frozen")["message"]
    case = (await desk.get(f"/v1/ops/cases/{id}"))["case"]
    assert case["on_hold"]
    (act,) = (await desk.get("/v1/ops/audit?action=hold"))["acts"]
    assert (act["actor"], act["role"], act["subject_id"]) == ("ana", "viewer", id)
    await desk.shop.proved()
    await desk.took(id, "release", case["version"])
    await desk.shop.claims.step()
    assert not await is_held(desk.shop)
    assert (await desk.shop.order(bonus_coins=0)).status_code == 200
    await desk.shop.proved()


async def test_reports_of_one_person_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many at once only so many are taken, with the time to wait in words; the same key is answered still."""
    monkeypatch.setattr(stored, "REPORTS_MAX", 3)
    key = new_key()
    assert (await desk.report("ana", "user", "mira", "abuse", key=key)).status_code == 200
    answers = await asyncio.gather(*(desk.report("ana", "user", "mira", "fraud") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429, 429]
    refused = assert_refused(await desk.report("ana", "user", "mira", "other"), 429, "rate_limited")
    assert 86_000_000 < refused["retry_after_ms"] <= 86_400_000
    assert (await desk.report("ana", "user", "mira", "abuse", key=key)).status_code == 200
    assert len(await desk.reports()) == 3
    assert (await desk.report("ben", "user", "mira", "abuse")).status_code == 200
    (case,) = (await desk.get("/v1/ops/cases"))["cases"]
    facts = (await desk.get(f"/v1/ops/cases/{case['id']}"))["evidence"][0]["facts"]
    assert (facts["gifts_sent"], facts["gifts_got"], facts["holds"]) == (0, 0, [])
