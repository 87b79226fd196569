"""The wallet page, in a real browser against the real demo."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.demo_site import DemoSite

Visit = Callable[..., Page]
WIDTHS = (390, 768, 1440)


def state(page: Page, wanted: str) -> None:
    """The page says it is in this state."""
    expect(page.locator("html")).to_have_attribute("data-state", wanted)


def unavailable(route: Route) -> None:
    """The server as it answers while an engine is away."""
    error = {"code": "unavailable", "message": "Not right now.", "temporary": True}
    route.fulfill(status=503, content_type="application/json", body=json.dumps({"error": error}))


def two_at_a_time(route: Route) -> None:
    """The same question for a page of two."""
    route.continue_(url=re.sub(r"limit=\d+", "limit=2", route.request.url))


def test_without_a_session_it_says_how_to_get_in(visit: Visit) -> None:
    """Nobody signed in: the page offers the demo's people, and being one opens the wallet."""
    page = visit("/wallet")
    state(page, "signed-out")
    page.get_by_role("button", name=re.compile("^Ana")).click()
    state(page, "ready")
    expect(page.get_by_role("heading", name="Your coins")).to_be_visible()
    expect(page.get_by_role("button", name="You are Ana")).to_be_visible()


def test_outside_the_demo_there_is_no_switch(visit: Visit) -> None:
    """Where GET /demo/people is not there, nobody may be chosen and the words say where a sign-in happens."""
    page = visit("/wallet", routes={"**/demo/people": lambda route: route.fulfill(status=404, body="{}")})
    state(page, "signed-out")
    expect(page.locator(".person")).to_have_count(0)
    expect(page.locator("#gate")).to_contain_text("the site that brought you here")


def test_an_unknown_balance_is_never_shown_as_zero(visit: Visit) -> None:
    """Until the server has answered the page says that it is checking, whatever goes wrong."""
    page = visit("/wallet", "ben", routes={"**/v1/wallet": unavailable})
    expect(page.locator("#balance-unknown")).to_have_text("Still checking…")
    expect(page.locator("#balance")).to_be_hidden()
    expect(page.locator("#balance-note")).to_contain_text("Not right now.")
    page.context.unroute("**/v1/wallet")
    page.get_by_role("button", name="Check again").click()
    expect(page.locator("#balance")).to_have_attribute("data-value", re.compile(r"^\d+$"))
    expect(page.locator("#balance-unknown")).to_be_hidden()


def test_a_balance_without_the_books_is_shown_as_exact(visit: Visit) -> None:
    """While the durable ledger cannot be read the coins stand, and the page says what is missing."""
    answer = json.dumps({"coins": 77, "settled_coins": None, "unsettled_coins": None})
    routes = {"**/v1/wallet": lambda route: route.fulfill(status=200, content_type="application/json", body=answer)}
    page = visit("/wallet", "ben", routes=routes)
    expect(page.locator("#balance")).to_have_attribute("data-value", "77")
    expect(page.locator("#balance-note")).to_contain_text("Your balance is exact.")


def test_a_demo_top_up_reaches_balance_and_statement(visit: Visit) -> None:
    """Choosing a pack and pressing the one action adds exactly that, and says that it is not money."""
    page = visit("/wallet", "ben")
    expect(page.locator("#balance")).to_be_visible()
    before = int(page.locator("#balance").get_attribute("data-value") or "")
    expect(page.locator("#topup")).to_contain_text("not money")
    page.locator("#topup").get_by_role("radio", name=re.compile("^350")).check()
    page.get_by_role("button", name="Add 350 demo coins").click()
    expect(page.locator("#balance")).to_have_attribute("data-value", str(before + 350))
    row = page.locator(".entry").first
    expect(row).to_contain_text("Coins added")
    expect(row.locator(".entry__amount")).to_contain_text("+350")


def test_a_gift_sent_elsewhere_moves_the_page(visit: Visit, demo_site: DemoSite) -> None:
    """Balance and statement follow without a reload; the running balance of the newest row is the balance."""
    page = visit("/wallet", "chloe")
    state(page, "ready")
    receipt = demo_site.send("chloe", "attic", "kite", 3)
    expect(page.locator("#balance")).to_have_attribute("data-value", str(receipt["balance_coins"]))
    row = page.locator(f'.entry[data-transfer="{receipt["transfer"]}"]')
    expect(row).to_contain_text("Kite ×3")
    expect(row).to_contain_text(f"{receipt['balance_coins']:,} left")


def test_filters_search_and_receipt(visit: Visit, demo_site: DemoSite) -> None:
    """Gifts and credits part, the search finds by gift, and Escape on a receipt gives the focus back to its row."""
    receipt = demo_site.send("dmitri", "harbour", "campfire")
    page = visit("/wallet", "dmitri")
    row = page.locator(f'.entry[data-transfer="{receipt["transfer"]}"]')
    expect(row).to_be_visible()
    page.get_by_role("button", name="Credits").click()
    expect(row).to_have_count(0)
    expect(page.locator('.entry[data-kind="gift"]')).to_have_count(0)
    page.get_by_role("button", name="Gifts").click()
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.locator("#statement-words")).to_contain_text("Nothing matches")
    page.get_by_role("searchbox").fill("campf")
    row.focus()
    with page.expect_response(f"**/v1/gifts/{receipt['key']}") as asked:
        page.keyboard.press("Enter")
    assert asked.value.json()["state"] == "settled"
    dialog = page.get_by_role("dialog", name="Receipt")
    expect(dialog).to_contain_text(receipt["key"])
    expect(dialog).to_contain_text("Campfire to Mira")
    expect(dialog).to_contain_text(receipt["transfer"])
    expect(dialog).to_contain_text("Settled.")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(row).to_be_focused()


def test_older_entries_come_page_by_page(visit: Visit, demo_site: DemoSite) -> None:
    """Each page begins after the one before: no row is missing and none is there twice."""
    sent = [demo_site.send("dmitri", "meadow", "clover")["transfer"] for _ in range(5)]
    page = visit("/wallet", "dmitri", routes={"**/v1/wallet/history?*": two_at_a_time})
    expect(page.locator(".entry")).to_have_count(2)
    older = page.get_by_role("button", name="Show older")
    older.click()
    expect(page.locator(".entry")).to_have_count(4)
    older.click()
    expect(page.locator(f'.entry[data-transfer="{sent[0]}"]')).to_be_visible()
    shown = page.locator(".entry").evaluate_all("rows => rows.map(row => row.dataset.transfer)")
    assert shown[:5] == sent[::-1]
    assert len(set(shown)) == len(shown)


def test_a_refused_statement_says_so_and_loads_again(visit: Visit) -> None:
    """A sentence and a button stand where the rows would be; the balance stays known."""
    page = visit("/wallet", "ben", routes={"**/v1/wallet/history?*": unavailable})
    state(page, "refused")
    expect(page.get_by_role("alert")).to_contain_text("Your statement did not come.")
    expect(page.locator("#balance")).to_be_visible()
    page.context.unroute("**/v1/wallet/history?*")
    page.get_by_role("button", name="Load the statement again").click()
    state(page, "ready")
    expect(page.locator(".entry").first).to_be_visible()


def test_a_refused_top_up_adds_nothing_and_offers_another_try(visit: Visit) -> None:
    """The refusal is said in words, with the button that sends it again."""
    page = visit("/wallet", "ben")
    expect(page.locator("#balance")).to_be_visible()
    before = page.locator("#balance").get_attribute("data-value")
    page.route("**/demo/topup", unavailable)
    page.get_by_role("button", name="Add 1,000 demo coins").click()
    expect(page.locator(".toast")).to_contain_text("No coins were added.")
    expect(page.locator("#balance")).to_have_attribute("data-value", before or "")
    expect(page.locator(".toast").get_by_role("button", name="Try again")).to_be_visible()


def test_a_credit_is_settled_without_asking(visit: Visit) -> None:
    """Credits have no key: their receipt says settled, and asks nobody."""
    page = visit("/wallet", "ben")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/gifts/" in request.url else None)
    page.locator(".entry[data-kind=top_up]").first.click()
    expect(page.get_by_role("dialog", name="Receipt")).to_contain_text("Settled.")
    assert asked == []


def test_try_again_cannot_credit_twice(visit: Visit, demo_site: DemoSite) -> None:
    """The coins came, their answer did not: the same key goes out again and the balance has grown once."""
    page = visit("/wallet", "ben")
    before = demo_site.ask("GET", "/v1/wallet", None, "ben")["coins"]
    keys: list[str] = []

    def swallow_the_first(route: Route) -> None:
        keys.append(route.request.post_data_json["key"])
        if len(keys) == 1:
            assert route.fetch().ok
            route.abort()
        else:
            route.continue_()

    page.route("**/demo/topup", swallow_the_first)
    page.get_by_role("button", name="Add 1,000 demo coins").click()
    page.locator(".toast").get_by_role("button", name="Try again").click()
    expect(page.locator(".toast")).to_contain_text("1,000 demo coins added.")
    expect(page.locator("#balance")).to_have_attribute("data-value", str(before + 1_000))
    page.get_by_role("button", name="Add 1,000 demo coins").click()
    expect(page.locator("#balance")).to_have_attribute("data-value", str(before + 2_000))
    assert (keys[0] == keys[1], keys[1] == keys[2], len(keys)) == (True, False, 3)


def test_prices_that_do_not_come_are_asked_again(visit: Visit) -> None:
    """A sentence and a button stand where the store would be; the free coins stay."""
    page = visit("/wallet", "ben", routes={"**/v1/store": unavailable})
    expect(page.locator("#store").get_by_role("alert")).to_contain_text("The prices did not come.")
    expect(page.locator("#topup")).to_be_visible()
    page.context.unroute("**/v1/store")
    page.get_by_role("button", name="Load the prices again").click()
    expect(page.locator("#store-pay")).to_have_text(re.compile("^Pay USD"))


def test_without_a_provider_nothing_is_sold(visit: Visit) -> None:
    """Outside the demo a sentence says so; there is neither a store nor a list of orders."""
    routes: dict[str, Callable[[Route], object]] = {
        "**/demo/people": lambda route: route.fulfill(status=404, body="{}"),
        "**/v1/store": lambda route: route.fulfill(json=route.fetch().json() | {"providers": []}),
    }
    page = visit("/wallet", "gui", routes=routes)
    expect(page.locator("#topup-closed")).to_be_visible()
    expect(page.locator("#store")).to_be_hidden()
    expect(page.locator("#orders")).to_be_hidden()


@pytest.mark.parametrize("width", WIDTHS)
def test_pictures(visit: Visit, demo_site: DemoSite, artifacts: Path, width: int) -> None:
    """What a designer looks at; nothing is wider than the screen."""
    for gift in ("lantern-fly", "kite", "koi-pond", "paper-crane"):
        demo_site.send("ana", "harbour", gift)
    page = visit("/wallet", "ana", width)
    state(page, "ready")
    expect(page.locator(".entry").first).to_contain_text("Paper Crane")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artifacts / f"wallet-{width}.png")
    page.locator(".entry").nth(1).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))")
    page.screenshot(path=artifacts / f"wallet-receipt-{width}.png")
