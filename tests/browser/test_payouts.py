"""Being paid out in the studio: the sheet, each payout, and what is said when it cannot be."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.demo_site import DemoSite, Room, holds, until, uuid7
from tests.browser.old_gifts import earned_long_ago, stopped
from tests.browser.test_accessibility import moving, serious, small_targets
from tests.browser.test_recharge import STILL, refuse

Visit = Callable[..., Page]
WIDTHS = (390, 1440)
TERMS: dict[str, Any] = {
    "available_diamonds": 12_001, "pending_diamonds": 0, "held_diamonds": 0,
    "rate": {"diamonds": 2, "minor": 1, "currency": "USD", "exponent": 2, "version": 1},
    "min_minor": 5_000, "day_max_minor": 100_000, "day_left_minor": 100_000, "resets_at_ms": 4_102_444_800_000,
    "providers": [{"name": "sandbox", "title": "Sandbox", "label": "Sandbox address"}],
    "account": {"provider": "sandbox", "address_masked": "p…@sandbox", "usable_at_ms": 0},
    "too_young": False, "on_hold": False,
}  # fmt: skip


def desk(visit: Visit, room: Room, width: int = 1440, **options: Any) -> Page:
    """The creator's earnings, once it is known what can be withdrawn."""
    page = visit("/studio#earnings", room.creator, width, **options)
    expect(page.locator(".payouts__sum")).to_contain_text(re.compile(r"\d"))
    return page


def withdraw_button(page: Page) -> Locator:
    """The one that opens the sheet."""
    return page.locator(".payouts > .button--primary")


def panel(page: Page) -> Locator:
    """The sheet of a payout."""
    return page.get_by_role("dialog", name="Your payout")


def part(page: Page, name: str) -> Locator:
    """A line of the earnings."""
    return page.locator(f'.earnings__line[data-part="{name}"] .earnings__amount')


def goes_to(site: DemoSite, room: Room, address: str) -> None:
    """Set where the creator is paid out to."""
    site.ask("PUT", "/v1/payouts/account", {"provider": "sandbox", "address": address}, room.creator)


def asked(site: DemoSite, room: Room, diamonds: int = 12_000) -> str:
    """Ask for a payout as the page does; its id."""
    body = {"key": uuid7(), "diamonds": diamonds, "amount_minor": diamonds // 2, "currency": "USD"}
    return str(site.ask("POST", "/v1/payouts", body, room.creator)["id"])


def verified(site: DemoSite) -> subprocess.CompletedProcess[str]:
    """What `giftserver verify` says of the demo."""
    command = [sys.executable, "-m", "giftserver", "verify"]
    where = os.environ | {"GIFTSERVER_DATA_DIR": str(site.folder)}
    return subprocess.run(command, env=where, capture_output=True, text=True, check=False)


def seen(page: Page, path: Path) -> None:
    """A picture of what is on the screen, at rest; nothing is too wide."""
    page.evaluate(STILL)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=path)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_creator_is_paid_out(visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path, width: int) -> None:
    """Account, amount, one press: set aside at once, sent, paid, and seen to be, without a reload."""
    earned_long_ago(demo_site, room, 15_000)
    page = desk(visit, room, width)
    expect(page.locator(".payouts__sum")).to_have_text("USD 75.00")
    expect(page.locator(".payouts")).to_contain_text("15,000 diamonds; 100 diamonds are USD 0.50.")
    page.locator(".payouts").scroll_into_view_if_needed()
    seen(page, artifacts / f"payouts-desk-{width}.png")
    withdraw_button(page).click()
    sheet = page.get_by_role("dialog", name="Withdraw")
    address = sheet.get_by_label("Sandbox address, such as paid@sandbox")
    expect(address).to_be_focused()
    expect(sheet.get_by_label("Diamonds")).to_be_hidden()
    seen(page, artifacts / f"payouts-account-{width}.png")
    address.fill("nobody")
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.get_by_role("alert")).to_contain_text("This is no address that Sandbox pays out to.")
    address.fill("paid@sandbox")
    address.press("Enter")
    expect(sheet.locator(".goes__address")).to_have_text("p…@sandbox, Sandbox")
    diamonds, money = sheet.get_by_label("Diamonds"), sheet.get_by_label("USD", exact=True)
    expect(diamonds).to_be_focused()
    expect(diamonds).to_have_value("15000")
    expect(money).to_have_value("75.00")
    money.fill("60")
    expect(diamonds).to_have_value("12000")
    seen(page, artifacts / f"payouts-withdraw-{width}.png")
    sheet.get_by_role("button", name="Withdraw USD 60.00").click()
    expect(sheet).to_be_hidden()
    expect(panel(page)).to_contain_text("USD 60.00")
    expect(panel(page).locator(".payout__standing")).to_contain_text("USD 60.00 was paid to p…@sandbox.")
    expect(panel(page).locator(".timeline__step[data-standing=done]")).to_have_count(3)
    seen(page, artifacts / f"payouts-paid-{width}.png")
    page.keyboard.press("Escape")
    expect(withdraw_button(page)).to_be_focused()
    row = page.locator(".payout-row")
    expect(row).to_contain_text("Paid")
    expect(row).to_contain_text("12,000 diamonds")
    expect(part(page, "paid")).to_have_text("12,000")
    expect(part(page, "held")).to_have_text("0")
    expect(part(page, "available")).to_have_text("3,000")
    expect(page.locator(".payouts__why")).to_have_text(
        "From USD 50.00 on you can withdraw. 7,000 available diamonds are missing, USD 35.00."
    )
    expect(withdraw_button(page)).to_have_attribute("aria-disabled", "true")
    row.scroll_into_view_if_needed()
    seen(page, artifacts / f"payouts-list-{width}.png")
    books = verified(demo_site)
    assert books.returncode == 0, books.stdout


def test_what_fails_says_why_and_comes_back(visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path) -> None:
    """The reason in words with the way out; the diamonds are back, and the page follows by itself."""
    earned_long_ago(demo_site, room, 12_000)
    goes_to(demo_site, room, "failed@sandbox")
    page = desk(visit, room, 390)
    with stopped(demo_site, "worker"):
        asked(demo_site, room)
        page.reload()
        expect(page.locator(".payout-row")).to_contain_text("Asked for")
        expect(part(page, "held")).to_have_text("12,000")
        expect(page.locator('.bar__part[data-part="held"]')).to_have_count(1)
        page.locator(".payouts").scroll_into_view_if_needed()
        seen(page, artifacts / "payouts-under-way-390.png")
    expect(page.locator(".payout-row")).to_contain_text("Failed")
    expect(part(page, "held")).to_have_text("0")
    expect(part(page, "available")).to_have_text("12,000")
    page.locator(".payout-row").click()
    expect(panel(page)).to_contain_text("The account is closed, locked or limited.")
    expect(panel(page)).to_contain_text("Your 12,000 diamonds are back.")
    expect(panel(page).locator(".timeline__step[data-standing=ended]")).to_contain_text("Failed")
    seen(page, artifacts / "payouts-failed-390.png")


def test_what_comes_back_after_it_was_paid(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """A fourth dot, and what to do."""
    earned_long_ago(demo_site, room, 12_000)
    goes_to(demo_site, room, "returned@sandbox")
    path = f"/v1/payouts/{asked(demo_site, room)}"
    until(lambda: demo_site.ask("GET", path, None, room.creator)["state"] == "returned", 30)
    page = desk(visit, room)
    page.locator(".payout-row").click()
    expect(panel(page)).to_contain_text("The account sent the money back.")
    expect(panel(page).locator(".timeline__step")).to_contain_text(["Asked for", "Sent", "Paid", "Came back"])


def test_a_payout_is_cancelled(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """Asked once more, then the diamonds are back; with the keyboard alone; what was sent cannot be."""
    earned_long_ago(demo_site, room, 24_000)
    goes_to(demo_site, room, "slow@sandbox")
    page = desk(visit, room)
    with stopped(demo_site, "worker"):
        withdraw_button(page).press("Enter")
        page.get_by_label("Diamonds").fill("12000")
        page.get_by_label("Diamonds").press("Enter")
        cancel = panel(page).get_by_role("button", name="Cancel the payout")
        cancel.press("Enter")
        page.get_by_role("dialog").last.get_by_role("button", name="Let it be paid").press("Enter")
        expect(panel(page).locator(".payout__standing")).to_contain_text("Asked for")
        expect(cancel).to_be_focused()
        cancel.press("Enter")
        page.get_by_role("dialog").last.get_by_role("button", name="Cancel the payout").press("Enter")
        expect(panel(page).locator(".payout__standing")).to_contain_text("Your 12,000 diamonds are back.")
        expect(cancel).to_be_hidden()
        expect(panel(page).locator(".payout__standing")).to_be_focused()
        page.keyboard.press("Escape")
        expect(part(page, "available")).to_have_text("24,000")
        expect(page.locator(".payout-row")).to_contain_text("Cancelled")
        asked(demo_site, room)
    page.reload()
    page.locator(".payout-row").first.click()
    expect(panel(page).locator(".payout__standing")).to_contain_text("It cannot be stopped any more.")
    expect(cancel).to_be_hidden()


def test_a_lost_answer_makes_no_second_payout(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """The server heard it, the page did not: the same key goes out until there is an answer, over a reload too."""
    earned_long_ago(demo_site, room, 24_000)
    goes_to(demo_site, room, "paid@sandbox")
    bodies: list[Any] = []
    page = desk(visit, room)

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        bodies.append(route.request.post_data_json)
        if len(bodies) == 3:  # says nothing of the tries before it
            return refuse(route, 429, "rate_limited")
        route.fetch()
        return refuse(route, 503, "unavailable")

    page.route("**/v1/payouts", lose)
    withdraw_button(page).click()
    sheet = page.get_by_role("dialog", name="Withdraw")
    sheet.get_by_label("USD", exact=True).fill("50.00")
    sheet.get_by_role("button", name="Withdraw USD 50.00").dblclick()
    expect(sheet.get_by_role("alert").last).to_contain_text("It is not known whether this was asked for.")
    expect(sheet.get_by_label("Diamonds")).to_have_attribute("readonly", "")
    sheet.get_by_role("button", name="Ask again for USD 50.00").click()
    expect(sheet.get_by_role("button", name="Ask again for USD 50.00")).to_be_visible()
    page.reload()
    again = page.get_by_role("button", name="Ask again for USD 50.00")
    expect(page.locator(".payouts__why")).to_contain_text("it stays one payout")
    again.click()
    expect(page.locator(".payouts__why")).to_contain_text("Ask again")
    page.unroute("**/v1/payouts")
    with page.expect_request(lambda one: one.method == "POST" and one.url.endswith("/v1/payouts")) as sent:
        again.click()
    assert len(bodies) == 3
    assert all(body == sent.value.post_data_json for body in bodies)
    expect(panel(page)).to_contain_text("USD 50.00")
    page.keyboard.press("Escape")
    expect(page.locator(".payout-row")).to_have_count(1)
    expect(withdraw_button(page)).to_have_text("Withdraw")
    assert len(demo_site.ask("GET", "/v1/payouts", None, room.creator)["payouts"]) == 1


BARRED = {
    "young": ({"too_young": True}, "Only adults are paid out."),
    "nobody": ({"providers": [], "account": None}, "Nobody is paid out on this server yet."),
    "hold": ({"on_hold": True}, "Your wallet is on hold while a report is looked at."),
    "little": ({"available_diamonds": 9_999}, "1 available diamond is missing, USD 0.01."),
    "spent": ({"day_left_minor": 0}, "You have withdrawn today’s USD 1,000.00. A new day begins on"),
    "nearly": ({"day_left_minor": 4_999}, "Of today’s USD 1,000.00 only USD 49.99 is left"),
}


@pytest.mark.parametrize("why", BARRED)
def test_why_nothing_can_be_withdrawn(visit: Visit, room: Room, why: str) -> None:
    """In words beside the button, which says so too; pressing it opens nothing."""
    changes, words = BARRED[why]
    page = desk(visit, room, routes={"**/v1/payouts/terms": lambda route: route.fulfill(json=TERMS | changes)})
    expect(page.locator(".payouts__why")).to_contain_text(words)
    expect(withdraw_button(page)).to_have_attribute("aria-disabled", "true")
    expect(withdraw_button(page)).to_have_attribute("aria-describedby", "withdraw-why")
    withdraw_button(page).press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_amounts_are_whole_steps(visit: Visit, room: Room) -> None:
    """All that is available and allowed stands there; whichever is typed the other follows; wrong ones are told."""
    terms = TERMS | {"day_left_minor": 5_500}
    routes = {"**/v1/payouts/terms": lambda route: route.fulfill(json=terms)}
    page = desk(visit, room, routes=routes)
    posts: list[Any] = []
    page.on("request", lambda one: posts.append(one) if one.method == "POST" and "payouts" in one.url else None)
    withdraw_button(page).click()
    sheet = page.get_by_role("dialog", name="Withdraw")
    diamonds, money = sheet.get_by_label("Diamonds"), sheet.get_by_label("USD", exact=True)
    send, problem = sheet.get_by_role("button", name=re.compile("^Withdraw")), sheet.locator(".amount [role=alert]")
    expect(diamonds).to_have_value("11000")
    expect(sheet).to_contain_text("At most USD 1,000.00 a day; USD 55.00 is left.")
    for field, text, other, told in (
        (diamonds, "10001", "", "in steps of 2"), (diamonds, "9998", "49.99", "The least that is paid out is USD 50"),
        (diamonds, "11002", "55.01", "At most USD 55.00"), (diamonds, "12,000", "", "Write how much"),
        (money, "50.005", "", "USD has 2 digits after the point"), (money, "50,00", "", "Write a plain number"),
        (money, "55.01", "11002", "At most USD 55.00"),
    ):  # fmt: skip
        field.fill(text)
        expect(money if field == diamonds else diamonds).to_have_value(other)
        send.click()
        expect(problem).to_contain_text(told)
        expect(diamonds).to_have_attribute("aria-invalid", "true")
    money.fill("50")
    expect(diamonds).to_have_value("10000")
    expect(send).to_have_text("Withdraw USD 50.00")
    sheet.get_by_role("button", name="All of it").click()
    expect(money).to_have_value("55.00")
    assert posts == []


REFUSED = {
    "payout_day_full": (
        {"day_max_minor": 100_000, "left_minor": 200, "currency": "USD", "resets_at_ms": 4_102_444_800_000},
        "USD 2.00 is left. A new day begins on",
    ),
    "payout_account_new": ({"usable_at_ms": 4_102_444_800_000}, "For your safety it can be used on"),
    "price_changed": ({"amount_minor": 5_999, "currency": "USD"}, "Not right now."),
    "wallet_frozen": ({}, "Not right now."),
    "rate_limited": ({}, "Not right now."),
    "payouts_off": ({}, "Not right now."),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_refusal_is_told_and_forgotten(visit: Visit, room: Room, code: str) -> None:
    """In words; the next press is another payout, for this one was not made."""
    details, words = REFUSED[code]
    keys: list[str] = []

    def answer(route: Route) -> None:
        keys.append(route.request.post_data_json["key"])
        refuse(route, 429 if code == "rate_limited" else 409, code, **details)

    routes = {"**/v1/payouts/terms": lambda route: route.fulfill(json=TERMS)}
    page = desk(visit, room, routes=routes)
    page.route("**/v1/payouts", answer)
    withdraw_button(page).click()
    sheet = page.get_by_role("dialog", name="Withdraw")
    for times in (1, 2):
        sheet.get_by_role("button", name="Withdraw USD 60.00").click()
        expect(sheet.locator("#withdraw-problem")).to_contain_text(words)
        holds(page, "document.querySelector('.withdraw__form button[type=submit]').textContent.startsWith('Withdraw')")
        assert len(set(keys)) == times


def test_a_changed_account_waits(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """From when on it can be used stands there, and nothing can be withdrawn before; the address is never shown."""
    earned_long_ago(demo_site, room, 12_000)
    goes_to(demo_site, room, "paid@sandbox")
    page = desk(visit, room, 390)
    page.get_by_role("button", name="Change your account").click()
    sheet = page.get_by_role("dialog", name="Your account")
    expect(sheet).to_contain_text("p…@sandbox, Sandbox")
    sheet.get_by_role("button", name="Change where it goes").click()
    expect(sheet).to_contain_text("another account can be used a day after you set it")
    sheet.get_by_label("Sandbox address").fill("other@sandbox")
    sheet.get_by_role("button", name="Save").click()
    expect(sheet).to_contain_text("For your safety it can be used a day later: tomorrow at")
    page.keyboard.press("Escape")
    expect(page.locator(".payouts__account")).to_have_text("Goes to o…@sandbox, Sandbox.Change")
    expect(withdraw_button(page)).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#withdraw-why")).to_contain_text("it can be used a day later: tomorrow at")
    assert "other@sandbox" not in page.content()


def test_only_the_creator_is_paid_out_there(visit: Visit, room: Room) -> None:
    """An operator who looks at somebody's studio sees what was earned, and nothing to withdraw."""
    page = visit(f"/studio?room={room.id}#earnings", "operator")
    expect(page.locator(".earnings__line")).to_have_count(4)
    expect(page.locator(".payouts")).to_have_count(0)


def test_every_reason_has_words(visit: Visit) -> None:
    """Whatever a provider calls it, and where it says nothing."""
    page = visit("/studio")
    words = page.evaluate(
        """(reasons) => import('/static/js/payouts/reasons.js').then((it) => reasons.map(it.reasonWords))""",
        ["account_closed", "sent_back", "RECEIVER_UNREGISTERED", "HTTP 400 VALIDATION_ERROR", "HTTP 422", "RETURNED",
         "this is no email address", "A_WORD_OF_TOMORROW", None],
    )  # fmt: skip
    starts = ("The account is closed", "The account sent", "Nobody has an account", "It failed on our side",
              "It failed on our side", "Nobody took the money", "The provider does not take",
              "The provider did not say", "The provider did not say")  # fmt: skip
    assert [text.startswith(start) for text, start in zip(words, starts, strict=True)] == [True] * len(starts), words


@pytest.mark.parametrize("width", WIDTHS)
def test_payouts_are_for_everybody(visit: Visit, room: Room, width: int) -> None:
    """Desk, both halves of the sheet and a payout that waits: axe, targets, and a pulse that is still."""
    waits = {
        "id": "out_" + "0" * 32, "state": "held", "diamonds": 12_000, "amount_minor": 6_000, "currency": "USD",
        "exponent": 2, "provider": "sandbox", "address_masked": "p…@sandbox", "reason": None,
        "created_at_ms": 1_780_000_000_000, "cancellable": True, "steps": [],
    }  # fmt: skip
    routes = {
        "**/v1/payouts/terms": lambda route: route.fulfill(json=TERMS),
        "**/v1/payouts?*": lambda route: route.fulfill(json={"payouts": [waits], "next": None}),
        "**/v1/payouts/out_*": lambda route: route.fulfill(json=waits),
    }
    page = desk(visit, room, width, routes=routes, reduced_motion="reduce")

    def check() -> None:
        assert serious(page) == []
        assert small_targets(page) == []
        assert moving(page) == []

    expect(page.locator(".payout-row")).to_be_visible()
    check()
    withdraw_button(page).click()
    check()
    page.get_by_role("button", name="Change where it goes").click()
    check()
    page.keyboard.press("Escape")
    page.locator(".payout-row").click()
    expect(panel(page)).to_contain_text("On hold while a report is looked at")
    check()
