"""Limits on the wallet page and in the gift panel, and the page of guardians, against the real demo."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from giftserver.ledger.limits import UTC_ZONE, windows
from tests.browser.demo_site import DemoSite, until, uuid7
from tests.browser.test_accessibility import SETTLE, serious, small_targets

Visit = Callable[..., Page]
WIDTHS = (390, 1440)
# Where no day ends while a test looks.
ZONE = "Europe/Berlin" if 5 <= datetime.now(UTC).hour < 19 else "Pacific/Auckland"
EVERYBODYS = "1,000,000 coins as for everybody"


def person(demo_site: DemoSite, name: str, coins: int = 1_000) -> str:
    """Somebody nobody else knows of, with coins: what is decided on their limits stays theirs."""
    made = demo_site.room(creator_name=name).creator
    demo_site.ask("POST", "/demo/topup", {"coins": coins, "key": uuid7()}, made)
    until(lambda: demo_site.ask("GET", "/v1/wallet", None, made)["coins"] == coins)
    return made


def picture(page: Page, path: Path) -> None:
    """A picture of what stands still; nothing is wider than the screen."""
    page.evaluate(SETTLE)
    page.evaluate("scrollTo(0, 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=path, full_page=True)


def limits_of(page: Page) -> Locator:
    """The section of the wallet, opened by its address and shown from its title on."""
    expect(page.locator("#limits .meter").first).to_be_visible()
    expect(page.locator("#limits-title")).to_be_focused()
    expect(page.locator("#limits-title")).to_be_in_viewport()
    return page.locator("#limits")


def opened(section: Locator, name: str) -> Locator:
    """A part of the section that opens on demand."""
    fold = section.locator(".fold", has=section.page.get_by_text(name, exact=True))
    if fold.get_attribute("open") is None:
        fold.locator("summary").click()
    return fold


def room(visit: Visit, who: str, width: int) -> Page:
    """The harbour with the gift panel in sight."""
    page = visit("/rooms/harbour", who, width, timezone_id=ZONE)
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    if width < 1000:
        page.locator(".open-panel").click()
    expect(page.locator(".panel")).to_be_visible()
    return page


def change(section: Locator, **coins: str) -> Locator:
    """Type limits and save none yet; what is said of when they begin."""
    fold = opened(section, "Change my limits")
    for kind, text in coins.items():
        fold.get_by_label(f"Coins a {kind}").fill(text)
    return fold.locator(".editor__begins")


def save(section: Locator) -> None:
    """Save what was typed."""
    section.get_by_role("button", name="Save limits").click()


def sure(page: Page, title: str, yes: str) -> None:
    """Answer the question that is asked before what cannot be undone."""
    dialog = page.get_by_role("dialog", name=title)
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name=yes, exact=True).click()


def day_ends() -> str:
    """When the day is over for who chose ZONE just now, as "today at 13:00": UTC, which held before, counts too."""
    ends = datetime.fromtimestamp(windows(f"{ZONE} {UTC_ZONE}", time.time()).day_until_s, ZoneInfo(ZONE))
    today = ends.date() == datetime.now(ZoneInfo(ZONE)).date()
    return f"{'today' if today else 'tomorrow'} at {ends:%H:%M}"


@pytest.mark.parametrize("width", WIDTHS)
def test_limits_from_the_first_to_a_break(visit: Visit, demo_site: DemoSite, artifacts: Path, width: int) -> None:
    """Set, kept by the gift panel, raised a day later, lowered at once, a budget, a break that says when it ends."""
    who = person(demo_site, "Nadia")
    page = visit("/wallet#limits", who, width, timezone_id=ZONE)
    section = limits_of(page)
    expect(section).to_contain_text("days begin at midnight UTC")
    opened(section, "Time zone").get_by_role("button", name=f"Use {ZONE}").click()
    expect(section).to_contain_text(f"Your days begin at midnight in {ZONE}.")
    expect(section).not_to_contain_text("UTC")

    begins = change(section, gift="fifty", day="25")
    expect(section.get_by_label("Coins a gift")).to_have_attribute("aria-invalid", "true")
    save(section)
    expect(section.get_by_label("Coins a gift")).to_be_focused()
    begins = change(section, gift="50")
    expect(begins).to_contain_text("One gift: no limit → 50 coins, at once.")
    expect(begins).to_contain_text(f"A day: {EVERYBODYS} → 25 coins, at once.")
    day = section.locator(".meter[data-kind=day]")
    sent = day.get_by_role("meter", name="Gifts sent today")
    demo_site.send(who, "harbour", "kite", 2)
    expect(sent).to_have_attribute("aria-valuetext", "20 of 1,000,000 coins")
    expect(section.get_by_label("Coins a day")).to_have_value("25")  # what is typed stays
    save(section)
    expect(day).to_contain_text("set by you")
    expect(day).to_contain_text(f"Begins again {day_ends()}.")
    expect(sent).to_have_attribute("aria-valuetext", "20 of 25 coins")
    expect(day.get_by_role("meter", name="Coins bought or ordered today")).to_have_attribute("aria-valuenow", "0")
    assert serious(page) == []
    assert small_targets(page) == []

    refused_in_the_room(visit, who, width, artifacts)
    later = change(section, day="200")
    expect(later).to_contain_text(re.compile(r"A day: 25 coins → 200 coins, in 24 hours: tomorrow at \d\d:\d\d\."))
    picture(page, artifacts / f"limits-{width}.png")
    save(section)
    waiting = section.locator(".waiting")
    expect(waiting).to_contain_text(re.compile(r"A day: 200 coins, from tomorrow at \d\d:\d\d\."))
    expect(day).to_contain_text("25 coins")
    assert serious(page) == []
    picture(page, artifacts / f"limits-waiting-{width}.png")
    waiting.get_by_role("button", name="Keep 25 coins").click()
    expect(waiting).to_be_hidden()
    change(section, day="")
    save(section)
    expect(waiting).to_contain_text(f"A day: {EVERYBODYS}")
    change(section, day="22")
    save(section)
    expect(waiting).to_be_hidden()
    expect(day).to_contain_text("21 of 22")

    budget_and_break(page, section)
    picture(page, artifacts / f"limits-break-{width}.png")
    there = room(visit, who, width)
    there.locator("#tab-tray").click()
    there.locator(".gift[data-gift=clover]").click()
    expect(there.locator(".panel__rest")).to_contain_text("You are taking a break until tomorrow at")
    expect(there.locator(".send")).to_be_hidden()
    there.screenshot(path=artifacts / f"limits-panel-break-{width}.png")


def refused_in_the_room(visit: Visit, who: str, width: int, artifacts: Path) -> None:
    """With 5 of 25 coins left: what is too dear says so before a tap, what comes to too much afterwards."""
    page = room(visit, who, width)
    expect(page.locator(".panel__budget")).to_have_text(f"5 of 25 coins left today · until {day_ends()[-5:]}")
    page.locator("#tab-burst").click()
    barred = page.locator(".gift[aria-disabled=true][data-why='Over your limit today']").first
    expect(barred).to_contain_text("Over your limit today")
    assert serious(page) == []
    barred.click(force=True)
    expect(page.get_by_role("alert")).to_contain_text("Your limit is 25 coins a day; 5 are left today.")
    page.locator("#tab-tray").click()
    page.locator(".gift[data-gift=clover]").click()
    page.locator(".send").click()
    expect(page.locator(".panel__budget")).to_have_text(f"4 of 25 coins left today · until {day_ends()[-5:]}")
    page.locator(".chip[data-quantity='10']").click()
    page.locator(".send").click()
    expect(page.get_by_role("alert")).to_contain_text(
        f"Your limit is 25 coins a day; 4 are left today. This gift is 10. A new day begins {day_ends()}."
    )
    page.screenshot(path=artifacts / f"limits-panel-{width}.png")
    page.get_by_role("alert").get_by_role("button", name="See my limits").click()
    page.wait_for_url("**/wallet#limits")
    expect(limits_of(page).locator(".meter[data-kind=day]")).to_contain_text("21 of 25")
    page.close()


def budget_and_break(page: Page, section: Locator) -> None:
    """A budget that can only be lowered, and a break that can only be made longer."""
    budget = opened(section, "A budget for now")
    budget.get_by_label("Coins").fill("40")
    budget.get_by_label("For").select_option("2")
    budget.get_by_role("button", name="Begin").click()
    expect(section.locator(".meter[data-kind=session]")).to_contain_text("0 of 40")
    budget.get_by_label("Coins").fill("41")
    budget.get_by_role("button", name="Lower it").click()
    expect(budget).to_contain_text("Whole coins, fewer than 40.")
    budget.get_by_label("Coins").fill("30")
    budget.get_by_role("button", name="Lower it").click()
    expect(section.locator(".meter[data-kind=session]")).to_contain_text("0 of 30")
    pause = opened(section, "Take a break")
    pause.get_by_role("button", name="24 hours").click()
    sure(page, "Take a break of 24 hours?", "Not now")
    expect(section.locator(".limits__break")).to_be_hidden()
    pause.get_by_role("button", name="24 hours").click()
    sure(page, "Take a break of 24 hours?", "Take the break")
    expect(section.locator(".limits__break")).to_contain_text("You are taking a break until tomorrow at")
    expect(pause.get_by_role("button")).to_have_text(["7 days", "30 days"])
    page.locator("#store-pay").click()
    expect(page.locator("#store-problem")).to_contain_text("You are taking a break from sending and buying")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_guardian_looks_after_somebody(visit: Visit, demo_site: DemoSite, artifacts: Path, width: int) -> None:
    """The code is handed over, a lower limit reaches the ward's gift panel; a break, and either of them ends it."""
    ward, guardian = person(demo_site, "Nadia"), person(demo_site, "Philippa")
    demo_site.ask("PUT", "/v1/limits/zone", {"zone": ZONE}, ward)
    wallet = visit("/wallet#limits", ward, width, timezone_id=ZONE)
    section = limits_of(wallet)
    part = opened(section, "Guardian")
    part.get_by_role("button", name="Ask somebody to look after your spending").click()
    code = part.locator("code").inner_text()
    picture(wallet, artifacts / f"limits-code-{width}.png")

    page = visit("/guardian", guardian, width, timezone_id="Asia/Kathmandu")
    expect(page.locator("#wards-words")).to_contain_text("Nobody yet.")
    enter = page.get_by_label("Code from their wallet")
    enter.fill("AAAAA-AAAAA")
    enter.press("Enter")
    expect(page.locator("#enter-words")).to_contain_text("ask for a new one")
    expect(enter).to_be_focused()
    enter.fill(code.lower())
    page.get_by_role("button", name="Look after them").click()
    card = page.locator(f".wards [data-ward='{ward}']")
    expect(card.get_by_role("heading", name="Nadia")).to_be_focused()
    expect(part).to_contain_text("Philippa looks after your spending.")

    fold = opened(card, "Change their limits")
    fold.get_by_label("Coins a day").fill("30")
    expect(fold.locator(".editor__begins")).to_contain_text(f"A day: {EVERYBODYS} → 30 coins, at once.")
    save(fold)
    expect(card).to_contain_text(f"Times are told by the clock of {ZONE}.")
    expect(card.locator(".meter[data-kind=day]")).to_contain_text("set by you")
    demo_site.send(ward, "harbour", "kite")
    there = room(visit, ward, width)
    expect(there.locator(".panel__budget")).to_contain_text("20 of 30 coins left today")
    wallet.reload()
    expect(section.locator(".meter[data-kind=day]")).to_contain_text("set by Philippa")
    page.reload()
    expect(card.locator(".meter[data-kind=day]")).to_contain_text("10 of 30")
    assert serious(page) == []
    assert small_targets(page) == []

    opened(card, "Have them take a break").get_by_role("button", name="7 days").click()
    sure(page, "Have Nadia take a break of 7 days?", "Begin the break")
    expect(card.locator(".limits__break")).to_contain_text("Nadia is taking a break until")
    picture(page, artifacts / f"guardian-{width}.png")
    if width == WIDTHS[0]:
        opened(card, "Stop looking after").get_by_role("button", name="Stop looking after").click()
        sure(page, "Stop looking after Nadia?", "Stop")
    else:
        opened(section, "Guardian").get_by_role("button", name="Leave").click()
        sure(wallet, "Leave Philippa?", "Leave")
        expect(section.locator(".waiting")).to_contain_text(f"A day: {EVERYBODYS}")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(card).to_have_count(0)
    expect(page.locator("#wards-words")).to_contain_text("Nobody yet.")


def test_every_limit_has_its_words(visit: Visit) -> None:
    """Of a gift or an order, whichever limit, and of a guardian: a sentence with the numbers and no code, a way out."""
    page = visit("/guardian", None, 390, timezone_id=ZONE)
    said = page.evaluate(
        """async () => {
          const { sentenceOf, wayOutOf } = await import('/static/js/refusals.js');
          const at = new Date(2031, 10, 27).getTime();
          const reached = ['gift', 'day', 'month', 'session', 'new', 'locked', 'a_limit_of_tomorrow'].map((limit) =>
            ({ code: 'limit_reached', limit, limit_coins: 150, left_coins: 1, resets_at_ms: at }));
          const others = ['limit_stays', 'age_restricted', 'guardian_refused', 'not_your_ward'];
          return [...reached, ...others.map((code) => ({ code }))].map((error) =>
            [sentenceOf(error, { priceCoins: 199 }), wayOutOf(error).label]);
        }"""
    )
    sentences = [sentence for sentence, _ in said]
    assert sentences[:6] == [
        "Your limit is 150 coins a gift. This gift is 199.",
        "Your limit is 150 coins a day; 1 is left today. This gift is 199."
        " A new day begins on Thu 27 November 2031 at 00:00.",
        "Your limit is 150 coins a month; 1 is left this month. This gift is 199."
        " A new month begins on Thu 27 November 2031 at 00:00.",
        "Your budget for now is 150 coins; 1 is left of it. This gift is 199."
        " It ends on Thu 27 November 2031 at 00:00.",
        "Until a day after the first purchase you can buy 150 coins; 1 is left. This gift is 199."
        " That ends on Thu 27 November 2031 at 00:00.",
        "You are taking a break from sending and buying until Thu 27 November 2031 at 00:00. Nothing was charged.",
    ]
    assert all("_" not in sentence for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
    assert "Try again" not in {label for _, label in said}


@pytest.mark.parametrize(("limit", "chosen"), [(500, "350"), (69, None), (0, None)])
def test_the_store_chooses_what_a_limit_leaves(
    visit: Visit, demo_site: DemoSite, limit: int, chosen: str | None
) -> None:
    """The modest pack, or a smaller one that may be bought, or none; what is left is said, and follows a new limit."""
    who = person(demo_site, "Petra")
    page = visit("/wallet", who, 390, timezone_id=ZONE)
    expect(page.locator("#store-sum")).to_contain_text("You get 7")  # 700 and what comes on top
    expect(page.locator("#store-left")).to_be_hidden()
    demo_site.ask("PUT", "/v1/limits", {"day_coins": limit}, who)
    page.reload()
    expect(page.locator("#store-left")).to_contain_text(f"You can buy {limit} coins" if limit else "nothing to buy")
    if chosen is None:
        expect(page.locator("#store .pack__radio:checked")).to_have_count(0)
        expect(page.locator("#store-pay")).to_have_text("Choose how many coins")
    else:
        expect(page.locator("#store").get_by_role("radio", name=re.compile(f"^{chosen} coins"))).to_be_checked()
    section = page.locator("#limits")
    change(section, day="20")
    save(section)
    words = "You can buy 20 coins at most for now." if limit else "nothing to buy"  # a raise begins tomorrow
    expect(page.locator("#store-left")).to_contain_text(words)


def test_gifts_one_tap_away_are_dimmed_by_a_limit(visit: Visit, demo_site: DemoSite) -> None:
    """Without the panel having been opened: what passes the limit says why, and says it in full when it is tapped."""
    who = person(demo_site, "Quinn")
    demo_site.ask("PUT", "/v1/limits", {"day_coins": 5}, who)
    page = visit("/rooms/harbour", who, 390, timezone_id=ZONE)
    quick = page.locator(".quick__gift")
    expect(quick.nth(2)).to_have_attribute("aria-disabled", "true")
    expect(quick.nth(2)).to_have_attribute("title", re.compile("for 10 coins.*: Over your limit today"))
    expect(quick.nth(0)).to_have_attribute("aria-disabled", "false")
    quick.nth(2).click(force=True)
    expect(page.get_by_role("alert")).to_contain_text("Your limit is 5 coins a day")
    assert demo_site.ask("GET", "/v1/wallet", None, who)["coins"] == 1_000
