"""A report all the way: told in the wallet, decided by an operator, felt in the room, and answered in the wallet."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.demo_site import DemoSite, Room, holds, until, uuid7
from tests.browser.test_accessibility import serious, small_targets
from tests.browser.test_ops import agree, bought
from tests.browser.test_recharge import STILL, refuse

Visit = Callable[..., Page]
PHONE, DESK = 390, 1440
VIEWER = "lena"


def pictured(page: Page, artifacts: Path, name: str) -> None:
    """Pictures on the desk and on a phone: nothing is too wide, small, or hidden from who cannot see it."""
    for width in (DESK, PHONE):
        page.set_viewport_size({"width": width, "height": 844 if width == PHONE else 900})
        page.evaluate(STILL)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert small_targets(page) == []
        page.screenshot(path=artifacts / f"{name}-{width}.png")
    assert serious(page) == []
    page.set_viewport_size({"width": DESK, "height": 900})


def decided(case: Locator, reason: str, button: str, page: Page, answer: str) -> None:
    """Write a reason, press, and say yes to the question."""
    case.get_by_label("Note or reason").fill(reason)
    case.get_by_role("button", name=button).click()
    agree(page, answer)


def tap(page: Page) -> None:
    """Send a one-coin gift in the room."""
    page.locator(".open-panel").click()
    page.locator("#tab-tray").click()
    page.locator(".gift[data-gift=clover]").click()
    page.locator(".send").click()


def test_a_report_all_the_way(visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path) -> None:
    """A viewer reports a payment; held, a gift is refused in words; released and closed, the outcome stands there."""
    payment, _ = bought(visit, demo_site, VIEWER)
    wallet = visit(f"/wallet?payment={payment}", VIEWER)
    wallet.get_by_role("button", name="Report a problem").click()
    sheet = wallet.get_by_role("dialog", name="Report this order")
    sheet.get_by_role("button", name="Send the report").click()
    expect(sheet.get_by_role("alert")).to_have_text("Choose what it is.")
    sheet.get_by_label("What is wrong?").select_option("I did not make this payment")
    sheet.get_by_label("What should we know?").fill("I was asleep.\nMy phone was not.")
    expect(sheet.get_by_label("Somebody else may be using your wallet")).to_be_visible()
    pictured(wallet, artifacts, "report")
    sheet.get_by_role("button", name="Send the report").click()
    expect(sheet).to_be_hidden()
    wallet.keyboard.press("Escape")
    mine = wallet.locator(".reported")
    expect(mine).to_contain_text("I did not make this payment")
    expect(mine).to_contain_text("Being looked at")

    ops = visit("/ops#cases", "operator")
    ops.locator(".case-row", has_text=VIEWER).click()
    case = ops.get_by_role("dialog", name="Case")
    expect(case).to_contain_text("Says that it was not them")
    expect(case).to_contain_text("“I was asleep. My phone was not.”")
    expect(case).to_contain_text("USD 0.99")
    case.get_by_role("button", name="Put the wallet on hold").click()
    expect(case.get_by_role("alert")).to_contain_text("Write why")
    decided(case, "the card's owner called", "Put the wallet on hold", ops, "Put it on hold")
    expect(case.locator(".terms")).to_contain_text("wallet on hold")
    pictured(ops, artifacts, "ops-case")

    until(lambda: demo_site.ask("GET", "/v1/wallet", None, VIEWER)["on_hold"])
    until(lambda: is_refused(demo_site, room))
    expect(wallet.locator(".hold")).to_contain_text("Your wallet is on hold")
    live = visit(f"/rooms/{room.id}", VIEWER, PHONE)
    expect(live.locator("html")).to_have_attribute("data-state", "open")
    holds(live, "giftserver.client.balance.coins !== null")
    tap(live)
    expect(live.get_by_text("Your wallet is on hold while something is looked at.")).to_be_visible()
    live.screenshot(path=artifacts / "case-refused-390.png")

    decided(case, "it was a mistake", "End the hold", ops, "End the hold")
    expect(case.locator(".terms")).not_to_contain_text("on hold")
    until(lambda: not is_refused(demo_site, room))
    case.get_by_label("Outcome").select_option("It is so, and was acted on")
    decided(case, "password changed", "Close the case", ops, "Close the case")
    expect(case.locator(".terms")).to_contain_text("It is so, and was acted on")
    steps = ["Case closed", "Hold ended", "Wallet put on hold", "Case opened"]
    expect(case.locator(".happening__title")).to_have_text(steps)
    expect(case.get_by_role("button", name="Close the case")).to_be_hidden()

    wallet.reload()
    expect(mine).to_contain_text("You were right: we acted on it")
    expect(wallet.locator("body")).not_to_contain_text("password changed")
    expect(wallet.locator(".hold")).to_be_hidden()
    mine.scroll_into_view_if_needed()
    pictured(wallet, artifacts, "reports")


def is_refused(site: DemoSite, room: Room) -> bool:
    """Whether a gift of the viewer is refused because of the hold."""
    with suppress(AssertionError):
        site.send(VIEWER, room.id, "dewdrop")
        return False
    return True


def test_a_case_that_changed_meanwhile_is_shown_anew(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """What somebody else did stands there, what was written stays, and the next press is about the case as it is."""
    body = {"key": uuid7(), "subject": {"kind": "user", "id": "mira"}, "reason": "abuse", "note": "<b>rude</b>"}
    demo_site.ask("POST", "/v1/reports", body, "noor")
    [found] = [one for one in demo_site.ask("GET", "/v1/ops/cases?state=open", None, "operator")["cases"]
               if one["subject_id"] == "mira"]  # fmt: skip
    page = visit(f"/ops?case={found['id']}#cases", "operator")
    case = page.get_by_role("dialog", name="Case")
    expect(case).to_contain_text("“<b>rude</b>”")
    theirs = {"version": found["version"], "reason": "I am on it"}
    demo_site.ask("POST", f"/v1/ops/cases/{found['id']}/note", theirs, "operator")
    case.get_by_label("Note or reason").fill("mine")
    case.get_by_role("button", name="Keep as a note").click()
    expect(case.get_by_role("alert")).to_contain_text("Somebody changed this case meanwhile.")
    expect(case.locator(".happening").first).to_contain_text("I am on it")
    expect(case.get_by_label("Note or reason")).to_have_value("mine")
    case.get_by_role("button", name="Keep as a note").click()
    expect(case.locator(".happening").first).to_contain_text("mine")
    page.keyboard.press("Escape")
    expect(case).to_be_hidden()
    expect(page).not_to_have_url(re.compile("case="))
    pictured(page, artifacts, "ops-cases")
    page.get_by_role("tab", name="Audit log").click()
    expect(page.locator(".act").first).to_contain_text("mine")
    page.get_by_role("searchbox", name="About").fill(found["id"])
    page.get_by_role("combobox", name="Action").select_option("Case opened")
    expect(page.locator(".act")).to_have_count(1)
    expect(page.locator(".act")).to_contain_text("noor, viewer")
    pictured(page, artifacts, "ops-audit")


def test_a_creator_is_banned_from_live(visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path) -> None:
    """The room closes for who watches and who streams, going live says why not; the ban over, it opens again."""
    body = {"key": uuid7(), "subject": {"kind": "user", "id": room.creator}, "reason": "abuse"}
    demo_site.ask("POST", "/v1/reports", body, "noor")
    live = visit(f"/rooms/{room.id}", VIEWER, PHONE)
    studio = visit("/studio", room.creator, PHONE)
    switch = studio.get_by_role("switch")
    expect(switch).to_have_attribute("aria-checked", "true")
    ops = visit("/ops#cases", "operator")
    ops.locator(".case-row", has_text=room.creator).click()
    case = ops.get_by_role("dialog", name="Case")
    expect(case.get_by_role("button", name="End the ban")).to_be_hidden()
    decided(case, "shows what is not allowed", "Ban from live", ops, "Ban them")
    expect(case.locator(".terms")).to_contain_text("Open, banned from live")
    expect(case.locator(".happening").first).to_contain_text("Rooms closed: 1")
    expect(case.get_by_role("button", name="Ban from live")).to_be_hidden()
    expect(case.get_by_role("button", name="End the ban")).to_be_visible()
    pictured(ops, artifacts, "ops-case-banned")

    expect(switch).to_have_attribute("aria-checked", "false")
    expect(live.locator(".viewer")).to_have_attribute("data-live", "false")
    switch.click()
    toast = studio.locator(".toast")
    expect(toast).to_contain_text("You are banned from live, so your room stays closed.")
    expect(toast).to_contain_text("write to support")
    expect(toast.get_by_role("button", name="Try again")).to_have_count(0)
    expect(switch).to_have_attribute("aria-checked", "false")
    studio.screenshot(path=artifacts / "studio-banned-390.png")

    case.get_by_label("Outcome").select_option("It was settled in another way")
    case.get_by_label("Note or reason").fill("agreed with them")
    case.get_by_role("button", name="Close the case").click()
    expect(case.get_by_role("alert")).to_contain_text("Say whether the ban ends or stays.")
    case.get_by_label("The ban from live").select_option("The ban stays")
    decided(case, "agreed with them", "Close the case", ops, "Close the case")
    expect(case.locator(".terms")).to_contain_text("the ban stays")
    decided(case, "four weeks are over", "End the ban", ops, "End the ban")
    expect(case.locator(".terms")).not_to_contain_text("ban")
    steps = ["Ban from live ended", "Case closed", "Banned from live", "Case opened"]
    expect(case.locator(".happening__title")).to_have_text(steps)
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(live.locator(".viewer")).to_have_attribute("data-live", "true")


def test_a_second_person_decides_about_coins(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """Wrong numbers are told; one's own proposal cannot be decided; another's is, after a reason and a question."""
    page = visit("/ops#adjustments", "operator")
    send = page.get_by_role("button", name="Propose", exact=True)
    page.get_by_role("textbox", name="Person").fill("ben")
    page.get_by_label("Reason, kept with it").fill("lost in an outage")
    for wrong, told in (("1.5", "whole number"), ("0", "more than nothing"), ("2000000", "At most 1,000,000 coins")):
        page.get_by_label("Coins").fill(wrong)
        send.click()
        expect(page.locator("#adjust-words")).to_contain_text(told)
    page.get_by_label("Coins").fill("30")
    send.click()
    expect(page.locator("#adjust-words")).to_contain_text("Give 30 coins to ben: proposed.")
    mine = page.locator(".act[data-adjustment]").first
    expect(mine).to_contain_text("You proposed it: a second person must decide.")
    expect(mine.get_by_role("button", name="Approve")).to_have_attribute("aria-disabled", "true")

    [known] = demo_site.ask("GET", "/v1/ops/adjustments?limit=1", None, "operator")["adjustments"]
    theirs = known | {"proposed_by": "olga", "id": "adj_theirs"}
    posts: list[Any] = []

    def approve(route: Route) -> None:
        posts.append(route.request.post_data_json)
        if len(posts) == 1:
            refuse(route, 409, "wallet_not_still")
            return
        theirs.update(state="approved", decided_by="operator", decided_at_ms=known["proposed_at_ms"], transfer="9")
        route.fulfill(json=theirs)

    def answer(route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps({"adjustments": [theirs], "next": None}))

    routes = {"**/v1/ops/adjustments?*": answer, "**/v1/ops/adjustments/adj_theirs/approve": approve}
    page = visit("/ops#adjustments", "operator", routes=routes)
    row = page.locator(".act[data-adjustment=adj_theirs]")
    row.get_by_role("button", name="Approve").click()
    expect(row).to_contain_text("Write why")
    row.get_by_label("Why it is approved").fill("checked with support")
    pictured(page, artifacts, "ops-adjustments")
    for told in ("Not right now.", "Booked"):
        row.get_by_role("button", name="Approve").click()
        agree(page, "Approve and book it")
        expect(row).to_contain_text(told)
    assert posts == [{"reason": "checked with support"}] * 2
    expect(row.get_by_role("button", name="Approve")).to_have_count(0)


@pytest.mark.parametrize("width", [PHONE])
def test_a_gift_is_reported_from_its_receipt(visit: Visit, demo_site: DemoSite, room: Room, width: int) -> None:
    """On a phone, with the wallet on hold at once; what the server refuses is said in words and can be sent again."""
    sent = demo_site.send("ivo", room.id, "kite")
    until(lambda: demo_site.ask("GET", "/v1/wallet", None, "ivo")["unsettled_coins"] == 0)
    page = visit("/wallet", "ivo", width)
    page.locator(f".entry[data-transfer='{sent['transfer']}']").click()
    page.get_by_role("button", name="Report a problem").click()
    sheet = page.get_by_role("dialog", name="Report this gift")
    sheet.get_by_label("What is wrong?").select_option("I did not send this gift")
    sheet.get_by_label("Somebody else may be using your wallet").select_option("Put my wallet on hold now")
    bodies: list[Any] = []

    def away(route: Route) -> None:
        bodies.append(route.request.post_data_json)
        refuse(route, 503, "unavailable")

    page.route("**/v1/reports", away)
    sheet.get_by_role("button", name="Send the report").click()
    expect(sheet.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/v1/reports")
    with page.expect_request(lambda one: one.url.endswith("/v1/reports") and one.method == "POST") as again:
        sheet.get_by_role("button", name="Send the report").click()
    assert again.value.post_data_json == bodies[0]
    page.keyboard.press("Escape")
    expect(page.locator(".reported")).to_contain_text(f"Gift {sent['transfer']}")
    expect(page.locator(".hold")).to_contain_text("Your wallet is on hold")
    [found] = demo_site.ask("GET", "/v1/ops/audit?action=hold&actor=ivo", None, "operator")["acts"]
    version = demo_site.ask("GET", f"/v1/ops/cases/{found['subject_id']}", None, "operator")["case"]["version"]
    ended = {"version": version, "reason": "a test", "outcome": "dismissed", "end_hold": True}
    demo_site.ask("POST", f"/v1/ops/cases/{found['subject_id']}/close", ended, "operator")
    expect(page.locator(".hold")).to_be_hidden()
