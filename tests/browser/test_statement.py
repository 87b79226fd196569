"""A month of the statement on screen, as a file and on paper, and prices in coins that say what they are in money."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.demo_site import DemoSite, holds, until
from tests.browser.test_recharge import STILL

Visit = Callable[..., Page]
# As printing begins, and does not end.
STOLEN_PRINTER = """() => {
    window.print = () => {
        dispatchEvent(new Event('beforeprint'));
        document.documentElement.dataset.printed = 'true';
    };
}"""
# What is on paper when the browser prints by itself: its own events tell.
PAPER = (
    "addEventListener('beforeprint', () => { window.paper = document.querySelector('.printed')?.textContent ?? ''; })"
)
YEN = {"price_version": 9, "price": {"currency": "JPY", "exponent": 0, "rate_minor": 215, "rate_coins": 100}}
DOLLARS = {"price_version": 8, "price": {"currency": "USD", "exponent": 2, "rate_minor": 143, "rate_coins": 100}}


def month_of(site: DemoSite, person: str) -> Any:
    """The newest month of somebody's statement, once every gift is in it."""
    until(lambda: site.ask("GET", "/v1/wallet", None, person)["unsettled_coins"] == 0)
    (month, *_) = site.ask("GET", "/v1/wallet/statements", None, person)["months"]
    return site.ask("GET", f"/v1/wallet/statements/{month['month']}?limit=200", None, person)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_month_on_screen_as_a_file_and_on_paper(
    visit: Visit, demo_site: DemoSite, artifacts: Path, tmp_path: Path, width: int
) -> None:
    """Its sums are the server's; the file has every entry; the paper has title, person and entries, and no buttons."""
    for gift, quantity in (("kite", 3), ("fountain", 1), ("paper-crane", 10)):
        demo_site.send("lena", "harbour", gift, quantity)
    known = month_of(demo_site, "lena")
    two = {"**/v1/wallet/statements/*limit=40*": lambda route: route.continue_(url=smaller(route))}
    page = visit("/wallet", "lena", width, routes=two, timezone_id="UTC")
    expect(page.locator("#month option")).to_have_count(2)
    page.get_by_role("combobox", name="Month").select_option(known["month"])
    sums = page.locator("#month-sums")
    expect(sums).to_contain_text("So far")
    expect(sums).to_contain_text(f"{known['closing_coins']:,} coins")
    expect(sums).to_contain_text(re.compile(rf"Gifts sent\s*{known['gifts_sent']} gifts"))
    expect(sums).to_contain_text("Mira")
    expect(page.locator(".entry").first).to_contain_text("Paper Crane ×10")
    expect(page.locator(".entry")).to_have_count(2)
    page.evaluate(STILL)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artifacts / f"statement-{width}.png", full_page=True)

    with page.expect_download() as coming:
        page.get_by_role("button", name="Download CSV").click()
    assert coming.value.suggested_filename == f"coins-{known['month']}.csv"
    file = tmp_path / "statement.csv"
    coming.value.save_as(file)
    with file.open(newline="") as text:
        entries = [row["transfer"] for row in csv.DictReader(text) if row["record"] == "entry"]
    assert entries == [entry["transfer"] for entry in known["entries"]][::-1]

    page.evaluate(STOLEN_PRINTER)
    page.get_by_role("button", name="Print").click()
    holds(page, "document.documentElement.dataset.printed === 'true'")
    page.emulate_media(media="print")
    paper = page.locator(".printed")
    expect(paper.get_by_role("heading", level=1)).to_contain_text("Statement of coins")
    expect(paper).to_contain_text("Lena (lena)")
    expect(paper.locator("tbody tr")).to_have_count(len(entries))
    expect(page.locator("button:visible, input:visible, select:visible, nav:visible")).to_have_count(0)
    page.screenshot(path=artifacts / f"statement-print-{width}.png", full_page=True)
    page.emulate_media(media="screen")
    expect(paper).to_be_hidden()
    page.get_by_role("combobox", name="Month").select_option(label="All history")
    expect(sums).to_be_hidden()


def printed(page: Page, path: Path) -> str:
    """What the browser's own way to print, such as its menu, puts on paper."""
    page.evaluate(PAPER)
    page.pdf(path=path)
    expect(page.locator(".printed")).to_have_count(0)  # it is taken away after printing
    return str(page.evaluate("window.paper"))


def test_however_it_is_printed_the_paper_has_its_head(visit: Visit, demo_site: DemoSite, tmp_path: Path) -> None:
    """Name and month, or all history; Ctrl-P brings what has not come yet, the menu cannot wait and says so."""
    for _ in range(4):
        demo_site.send("ben", "harbour", "kite")
    known = month_of(demo_site, "ben")
    two = {"**/v1/wallet/**limit=40*": lambda route: route.continue_(url=smaller(route))}
    page = visit("/wallet", "ben", routes=two, timezone_id="UTC")
    expect(page.locator(".entry")).to_have_count(2)
    paper = printed(page, tmp_path / "all.pdf")
    assert "Statement of coins, all history" in paper
    assert "Ben (ben)" in paper
    assert "These are the last 2 entries. Choose a month to have all of it." in paper
    page.get_by_role("combobox", name="Month").select_option(known["month"])
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    assert "These are the last 2 entries of the month." in printed(page, tmp_path / "month.pdf")
    page.evaluate(STOLEN_PRINTER)
    page.locator("body").press("Control+p")
    holds(page, "document.documentElement.dataset.printed === 'true'")
    by_key = page.locator(".printed").evaluate("paper => paper.textContent")
    month = str(page.locator("#month option:checked").text_content())
    assert by_key.startswith(f"Statement of coins, {month.replace(' so far', ', so far')}")
    assert by_key.count("Kite") >= 4  # what ben sent as a bot is there, too
    assert "These are the last" not in by_key
    by_menu = printed(page, tmp_path / "whole.pdf")
    page.get_by_role("button", name="Print").click()
    by_button = page.locator(".printed").evaluate("paper => paper.textContent")
    without_time = [re.sub(r"at \d\d:\d\d:\d\d\.", "", paper) for paper in (by_key, by_menu, by_button)]
    assert without_time[0] == without_time[1] == without_time[2]


def smaller(route: Route) -> str:
    """The same question for a page of two."""
    return route.request.url.replace("limit=40", "limit=2")


def test_a_zone_that_the_server_does_not_know_is_no_hindrance(visit: Visit, demo_site: DemoSite) -> None:
    """The months are those of UTC then."""
    refused = {"error": {"code": "bad_request", "message": "There is no such time zone.", "temporary": False}}
    strange = {"**/v1/wallet/statements?zone=Europe*": lambda route: route.fulfill(status=400, json=refused)}
    page = visit("/wallet", "lena", routes=strange, timezone_id="Europe/Berlin")
    expect(page.locator("#month option")).to_have_count(2)


@pytest.mark.parametrize("width", [1440, 390])
def test_prices_in_coins_say_what_they_are_in_money(
    visit: Visit, demo_site: DemoSite, artifacts: Path, width: int
) -> None:
    """Gift, ×n, balance and question, rounded up; a new list changes them, and where nothing is sold there are none."""
    answers = [DOLLARS]
    routes = {"**/v1/store/coin": lambda route: route.fulfill(json=answers[-1])}
    page = visit("/rooms/harbour", "ana", width, routes=routes)
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    holds(page, "giftserver.client.balance.coins !== null")
    if width < 1000:
        expect(page.locator(".wallet__money")).to_have_text(re.compile(r"^≈ USD\s[\d,]+\.\d\d$"))
        page.screenshot(path=artifacts / "money-bar.png")
        page.locator(".open-panel").click()
    page.locator('.gift[data-gift="dewdrop"]').click()
    expect(page.locator('.gift[data-gift="dewdrop"] .in-money')).to_have_text("≈ USD 0.02")
    page.locator('.chip[data-quantity="66"]').click()
    expect(page.locator(".send .in-money")).to_have_text("≈ USD 0.95")
    expect(page.get_by_role("button", name="for 66 coins, ≈ USD 0.95")).to_be_visible()
    expect(page.locator(".quick__gift").first).to_have_attribute("title", re.compile(r"coins?, ≈ USD"))
    box = page.locator(".send").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width
    page.screenshot(path=artifacts / f"money-panel-{width}.png")
    answers.append(YEN)
    page.evaluate("giftserver.money.refresh({ now: true })")
    expect(page.locator(".send .in-money")).to_have_text("≈ JPY 142")
    coins = page.evaluate("giftserver.client.balance.coins")
    page.locator("#tab-full").click()
    page.locator('.gift[data-gift="sky-harbour"]').click()
    assert coins >= 1_999
    page.locator(".send").click()
    expect(page.locator(".confirm__yes")).to_contain_text("≈ JPY 4,298")
    page.evaluate(STILL)
    page.screenshot(path=artifacts / f"money-confirm-{width}.png")
    page.get_by_role("button", name="Not now").click()
    answers.append({"price_version": 9, "price": None})
    page.evaluate("giftserver.money.refresh({ now: true })")
    expect(page.locator(".in-money:visible")).to_have_count(0)
    expect(page.locator(".send")).to_have_attribute("aria-label", re.compile("coins$"))

    answers.append(DOLLARS)
    wallet = visit("/wallet", "ana", width, routes=routes)
    expect(wallet.locator("#balance-money")).to_have_text(re.compile(r"^≈ USD\s[\d,]+\.\d\d$"))


def test_money_is_counted_in_whole_numbers(visit: Visit) -> None:
    """Rounded up to a whole minor unit of any currency, exactly, however many coins there are."""
    page = visit("/wallet", "ana")
    script = """async (cases) => {
        const { inMoney } = await import('/static/js/ui/coin_price.js');
        return cases.map(([coins, rate]) => inMoney(coins, rate));
    }"""
    dinars = {"currency": "KWD", "exponent": 3, "rate_minor": 444, "rate_coins": 100}
    third = {"currency": "USD", "exponent": 2, "rate_minor": 100, "rate_coins": 3}
    cases = [
        [1, DOLLARS["price"]], [100, DOLLARS["price"]], [0, DOLLARS["price"]], [1, YEN["price"]], [1, dinars],
        [3, third], [4, third], [999_999_999_999, third],
    ]  # fmt: skip
    found = [text.replace("\u00a0", " ") for text in page.evaluate(script, cases)]
    assert found == [
        "USD 0.02", "USD 1.43", "USD 0.00", "JPY 3", "KWD 0.005", "USD 1.00", "USD 1.34", "USD 333,333,333,333.00",
    ]  # fmt: skip
