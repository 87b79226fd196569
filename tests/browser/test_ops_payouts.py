"""Payouts on the operators' page: found, followed, stopped, and what of them needs a look."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.demo_site import DemoSite, Room, holds, uuid7
from tests.browser.old_gifts import earned_long_ago, stopped
from tests.browser.test_accessibility import serious, small_targets
from tests.browser.test_payouts import asked, desk, goes_to, panel, part, seen
from tests.browser.test_recharge import refuse

Visit = Callable[..., Page]
WIDTHS = (390, 1440)


def held(site: DemoSite, room: Room) -> None:
    """Put the creator's wallet on hold by a case."""
    report = {"key": uuid7(), "subject": {"kind": "user", "id": room.creator}, "reason": "other"}
    site.ask("POST", "/v1/reports", report, "ana")
    cases = site.ask("GET", "/v1/ops/cases?state=open", None, "operator")["cases"]
    case = next(one for one in cases if one["subject_id"] == room.creator)
    body = {"version": case["version"], "reason": "a test"}
    site.ask("POST", f"/v1/ops/cases/{case['id']}/hold", body, "operator")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_operator_stops_a_payout(visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path, width: int) -> None:
    """One that a case holds: found by person and state; a reason is needed, and the creator reads it at once."""
    earned_long_ago(demo_site, room, 12_000)
    goes_to(demo_site, room, "paid@sandbox")
    with stopped(demo_site, "worker"):
        id = asked(demo_site, room)
        held(demo_site, room)
    creator = desk(visit, room, width)
    expect(creator.locator(".payout-row")).to_contain_text("On hold")
    creator.locator(".payout-row").click()
    expect(panel(creator)).to_contain_text("It goes on by itself once that is over.")
    seen(creator, artifacts / f"payouts-held-{width}.png")

    page = visit("/ops", "operator", width)
    page.get_by_role("tab", name="Payouts").click()
    row = page.locator(f'.case-row[data-payout="{id}"]')
    person = page.locator("#panel-payouts").get_by_role("searchbox", name="Person")
    person.fill(room.creator)
    person.press("Enter")
    expect(page.locator("#panel-payouts .case-row")).to_have_count(1)
    page.locator("#payouts-state").select_option("On hold")
    expect(row).to_contain_text("USD 60.00")
    expect(row).to_contain_text("12,000 diamonds · p…@sandbox, Sandbox")
    seen(page, artifacts / f"ops-payouts-{width}.png")
    row.click()
    sheet = page.get_by_role("dialog", name="Payout", exact=True)
    expect(sheet.locator(".happening__title")).to_have_text(["Asked for", "On hold"])
    sheet.get_by_role("button", name="Stop the payout").click()
    expect(sheet.get_by_role("alert")).to_contain_text("Write why")
    expect(sheet.get_by_label("Why")).to_be_focused()
    seen(page, artifacts / f"ops-payout-{width}.png")
    assert serious(page) == []
    assert small_targets(page) == []
    sheet.get_by_label("Why").fill("the gifts came from a stolen card")
    sheet.get_by_role("button", name="Stop the payout").click()
    page.get_by_role("dialog").last.get_by_role("button", name="Let it be paid").click()
    sheet.get_by_role("button", name="Stop the payout").click()
    page.get_by_role("dialog").last.get_by_role("button", name="Stop the payout").click()
    expect(sheet.locator(".terms")).to_contain_text("Stopped by an operator")
    expect(sheet.get_by_role("button", name="Stop the payout")).to_be_hidden()
    expect(sheet.locator(".happening").last).to_contain_text("The gifts came from a stolen card.")
    seen(page, artifacts / f"ops-payout-stopped-{width}.png")
    page.keyboard.press("Escape")
    expect(row).to_have_count(0)  # the filter leaves what is on hold
    page.locator("#payouts-state").select_option("Every state")
    expect(row).to_contain_text("Stopped by an operator")
    expect(panel(creator).locator(".payout__standing")).to_contain_text("“the gifts came from a stolen card”")
    expect(part(creator, "available")).to_have_text("12,000")
    [act] = demo_site.ask("GET", f"/v1/ops/audit?action=void_payout&subject={id}", None, "operator")["acts"]
    assert act["reason"] == "the gifts came from a stolen card"


def test_a_payout_that_needs_a_look_is_marked(visit: Visit) -> None:
    """In the list and over it, in whole money; what cannot be stopped is said in words, as is one's own affair."""
    payout = {
        "id": "out_" + "1" * 32, "user": "mira", "state": "requested", "diamonds": 12_000, "amount_minor": 6_000,
        "currency": "USD", "exponent": 2, "rate_version": 1, "provider": "sandbox", "provider_ref": "po_1",
        "address_masked": "p…@sandbox", "reason": None, "review": "paid: 6001 USD, asked for 6000 USD in minor units",
        "voidable": True, "created_at_ms": 1_780_000_000_000, "updated_at_ms": 1_780_000_000_000,
        "steps": [{"state": "requested", "source": "creator", "detail": "", "at_ms": 1_780_000_000_000}],
    }  # fmt: skip
    asked_for: list[str] = []
    answers = [(403, "forbidden", "This is about yourself."), (409, "payout_under_way", "It is on its way.")]

    def listed(route: Route) -> None:
        asked_for.append(route.request.url)
        route.fulfill(json={"payouts": [payout], "next": None, "stop": None})

    def no(route: Route) -> None:
        status, code, message = answers.pop(0)
        refuse(route, status, code, message=message)

    routes = {
        "**/v1/ops/payouts?*": listed, "**/v1/ops/payouts/out_*": lambda route: route.fulfill(json=payout),
        "**/v1/ops/payouts/*/void": no,
    }  # fmt: skip
    page = visit("/ops#payouts", "operator", routes=routes)
    page.locator("#panel-payouts").get_by_role("button", name="Needs a look", exact=True).click()
    expect(page.locator("#panel-payouts .case-row")).to_contain_text("Needs a look")
    page.locator("#panel-payouts .case-row").click()
    assert "review=true" in asked_for[-1]
    holds(page, f"location.search === '?payout={payout['id']}'")
    sheet = page.get_by_role("dialog", name="Payout", exact=True)
    expect(sheet.locator(".review")).to_contain_text("The provider says paid: USD 60.01, asked for USD 60.00.")
    sheet.get_by_label("Why").fill("not ours")
    for words in ("This is about yourself.", "It is on its way."):
        sheet.get_by_role("button", name="Stop the payout").click()
        page.get_by_role("dialog").last.get_by_role("button", name="Stop the payout").click()
        expect(sheet.get_by_role("alert")).to_have_text(words)


def test_all_payouts_are_stopped_and_go_on(visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path) -> None:
    """A reason and a question each time; why they are stopped stands over the list, and creators read it in words."""
    earned_long_ago(demo_site, room, 12_000)
    goes_to(demo_site, room, "paid@sandbox")
    page = visit("/ops#payouts", "operator", 390)
    halt = page.locator("#panel-payouts .decide")
    expect(page.locator("#panel-payouts > :last-child")).to_contain_text("Payouts go on")
    halt.get_by_role("button", name="Stop all payouts").click()
    expect(halt.get_by_role("alert")).to_contain_text("Write why")
    try:
        halt.get_by_label("Why").fill("restored yesterday's backup")
        halt.get_by_role("button", name="Stop all payouts").click()
        page.get_by_role("dialog").get_by_role("button", name="Stop all payouts").click()
        expect(page.locator("#panel-payouts > :first-child")).to_contain_text("All payouts are stopped")
        expect(halt.get_by_role("status")).to_contain_text("restored yesterday's backup. ")
        assert serious(page) == []
        seen(page, artifacts / "ops-payouts-stopped-390.png")
        creator = desk(visit, room)
        creator.get_by_role("button", name="Withdraw", exact=True).click()
        sheet = creator.get_by_role("dialog", name="Withdraw")
        sheet.get_by_role("button", name="Withdraw USD 60.00").click()
        expect(sheet.get_by_role("alert").last).to_contain_text("Payouts are stopped while the books are checked.")
    finally:
        halt.get_by_label("Why").fill("compared")
        halt.get_by_role("button", name="Let payouts go on").click()
        page.get_by_role("dialog").get_by_role("button", name="Let payouts go on").click()
        expect(halt).to_contain_text("Payouts go on")


@pytest.mark.parametrize(
    ("state", "buttons"), [("sending", ["It was paid", "It was not paid"]), ("paid", ["Nothing to do"])]
)
def test_a_payout_in_review_is_decided(visit: Visit, state: str, buttons: list[str]) -> None:
    """With what can be decided as it stands; afterwards the review is over, and who decided stands in the steps."""
    wrong = "paid: 6001 USD, asked for 6000 USD in minor units"
    steps = [
        {"state": "requested", "source": "creator", "detail": "", "at_ms": 1_780_000_000_000},
        {"state": state, "source": "keeper", "detail": "", "at_ms": 1_780_000_000_000},
        {"state": state, "source": "provider", "detail": f"{wrong} (sandbox's po_1)", "at_ms": 1_780_000_000_000},
    ]
    payout = {
        "id": "out_" + "1" * 32, "user": "mira", "state": state, "diamonds": 12_000, "amount_minor": 6_000,
        "currency": "USD", "exponent": 2, "rate_version": 1, "provider": "sandbox", "provider_ref": None,
        "address_masked": "p…@sandbox", "reason": None, "review": wrong, "voidable": False,
        "created_at_ms": 1_780_000_000_000, "updated_at_ms": 1_780_000_000_000, "steps": steps,
    }  # fmt: skip
    sent: list[str] = []
    decided = {"state": state, "source": "operator", "detail": "seen there", "at_ms": 1_780_000_000_000}
    over = payout | {"review": None, "steps": [*steps, decided]}

    def decide(route: Route) -> None:
        sent.append(str(route.request.post_data))
        route.fulfill(json=over)

    routes = {
        "**/v1/ops/payouts/out_*": lambda route: route.fulfill(json=over if sent else payout),
        "**/v1/ops/payouts/*/decide": decide,
    }  # fmt: skip
    page = visit(f"/ops?payout={payout['id']}#payouts", "operator", 390, routes=routes)
    sheet = page.get_by_role("dialog", name="Payout", exact=True)
    expect(sheet.locator(".happening").last).to_contain_text("USD 60.01, asked for USD 60.00 (sandbox's po_1)")
    decisions = sheet.locator("section.decide button:visible")
    expect(decisions).to_have_text(buttons)
    decisions.last.click()
    expect(sheet.get_by_role("alert")).to_contain_text("Write how that is known")
    sheet.get_by_label("How that is known").fill("seen there")
    decisions.last.click()
    page.get_by_role("dialog").last.get_by_role("button", name=buttons[-1]).click()
    expect(sheet.locator(".happening__title").last).to_have_text("The review is over")
    expect(decisions).to_have_count(0)
    assert '"reason":"seen there"' in sent[0].replace(": ", ":")


def test_payouts_that_differ_are_linked(visit: Visit, demo_site: DemoSite) -> None:
    """Their numbers are short, as those of payments, and open the payout."""
    told = demo_site.ask("GET", "/v1/ops/balances", None, "operator")
    id = "out_" + "0123456789abcdef" * 2
    difference = {
        "payment": id, "ours_minor": 0, "theirs_minor": -5_000, "what": "at the provider, not in our book",
        "on_its_way": False,
    }  # fmt: skip
    [sandbox] = told["providers"]
    balance = {
        "currency": "USD", "clearing_minor": 0, "ours_minor": 0, "theirs_minor": -5_000, "fees_minor": 0,
        "payouts_minor": 0, "other_minor": 0, "differences": [difference], "more": False,
    }  # fmt: skip
    answer = told | {"providers": [sandbox | {"agrees": False, "balances": [balance]}]}
    page = visit("/ops#balances", "operator", routes={"**/v1/ops/balances*": lambda route: route.fulfill(json=answer)})
    link = page.locator(".balance__payment")
    expect(link).to_contain_text("…456789abcdef")
    link.click()
    holds(page, f"location.search === '?payout={id}'")
