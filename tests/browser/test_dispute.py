"""A dispute as its buyer sees it: the wallet on hold, the order that says why, and all of it back once it is won."""

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo_site import REPLY_S, DemoSite, Room
from tests.browser.test_recharge import SECURE, STILL, by_card, choose, coins, go_to_pay, opened, order
from tests.browser.test_viewer import choose as choose_gift

Visit = Callable[..., Page]


def at_sandbox(site: DemoSite, checkout: str, path: str, body: object, method: str = "POST") -> Any:
    """Ask the sandbox's API something about the session of a checkout page; `{id}` in the path is its id."""
    origin, id = re.fullmatch(r"(.+)/pay/([^/?]+).*", checkout).groups()  # type: ignore[union-attr]
    secret = (site.folder / "sandbox-secret").read_text().strip()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    address = f"{origin}/v1{path.format(id=id)}"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=REPLY_S) as answer:
        return json.loads(answer.read())


def confirm(page: Page) -> None:
    """Pay with a card whose bank asks, say yes, and be back at the order once its coins are there."""
    by_card(page, SECURE)
    page.get_by_role("button", name="Yes, it is me").click()
    page.wait_for_url("**/wallet?payment=*")
    order(page, "credited")


def tap(page: Page, tier: str, gift: str) -> None:
    """Send one gift of the room's panel."""
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    choose_gift(page, tier, gift).click()


@pytest.mark.parametrize(("person", "width"), [("ines", 1440), ("tomas", 390)])
def test_a_dispute_holds_the_wallet_until_it_is_won(
    visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path, person: str, width: int
) -> None:
    """Bought, a gift sent, disputed: what is unspent is set aside and no gift goes out; won, all of it is back."""
    page = opened(visit, person, width)
    assert coins(page) == 0  # so that the gift is of what is bought here
    hold = page.locator(".hold")
    expect(hold).to_be_hidden()
    choose(page, "700")
    go_to_pay(page)
    checkout = page.url
    confirm(page)
    page.goto(f"{demo_site.url}/rooms/{room.id}")
    tap(page, "burst", "kite")
    expect(page.locator(".feed__line[data-own=true]")).to_contain_text("Kite")
    page.screenshot(path=artifacts / f"dispute-gift-{width}.png")
    page.goto(f"{demo_site.url}/wallet")
    expect(page.locator("#balance")).to_have_attribute("data-value", "760")

    dispute = at_sandbox(demo_site, checkout, "/sessions/{id}/disputes", {"reason": "fraudulent"})
    expect(hold).to_contain_text("Your wallet is on hold: a payment is being looked at")
    expect(hold).to_contain_text("760 coins are set aside until it is decided.")
    expect(page.locator("#balance")).to_have_attribute("data-value", "0")
    expect(page.locator(".entry").first).to_contain_text("Set aside")
    expect(page.locator("#store")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(STILL)
    page.screenshot(path=artifacts / f"dispute-wallet-{width}.png")

    page.goto(f"{demo_site.url}/rooms/{room.id}")
    tap(page, "tray", "clover")
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("Your wallet is on hold while something is looked at")
    page.screenshot(path=artifacts / f"dispute-refused-{width}.png")
    refused.get_by_role("button", name="See my wallet").click()
    page.wait_for_url("**/wallet")
    expect(hold).to_contain_text("760 coins are set aside")

    page.locator(".order").first.click()
    dialog = order(page, "credited")
    expect(dialog.locator(".order__standing")).to_contain_text("Disputed: this payment is being looked at")
    expect(dialog.get_by_role("list", name="What came after")).to_contain_text("Disputed")
    page.evaluate(STILL)
    page.screenshot(path=artifacts / f"dispute-order-{width}.png")

    at_sandbox(demo_site, checkout, f"/disputes/{dispute['id']}", {"state": "won"})
    expect(dialog.locator(".order__standing")).to_contain_text("The dispute is over: this payment stands")
    page.keyboard.press("Escape")
    expect(hold).to_be_hidden()
    expect(page.locator("#balance")).to_have_attribute("data-value", "760")
    assert demo_site.send(person, room.id, "dewdrop")["balance_coins"] == 759


@pytest.mark.parametrize(
    ("frozen", "owed", "told", "hidden"),
    [
        (1, 0, ["a payment is being looked at", "1 coin is set aside until it is decided."], "You owe"),
        (
            0,
            300,
            ["You owe 300 coins that were spent and not paid for. Coins that you buy pay this first."],
            "being looked at",
        ),
        (470, 1, ["470 coins are set aside", "You owe 1 coin that was spent and not paid for."], "null"),
        (0, 0, ["on hold while something is looked at"], "a payment"),
    ],
)
def test_a_hold_says_what_is_set_aside_and_owed(
    visit: Visit, frozen: int, owed: int, told: list[str], hidden: str
) -> None:
    """Each has its sentence, and what there is nothing of is not spoken of."""
    answer = {
        "coins": 0, "settled_coins": 0, "unsettled_coins": 0, "on_hold": True, "frozen_coins": frozen,
        "owed_coins": owed,
    }  # fmt: skip
    page = opened(visit, "gui", 390, routes={"**/v1/wallet": lambda route: route.fulfill(json=answer)})
    for words in told:
        expect(page.locator(".hold")).to_contain_text(words)
    expect(page.locator(".hold")).not_to_contain_text(hidden)


def test_a_hold_stays_while_it_is_not_known(visit: Visit) -> None:
    """While the durable ledger is away nobody knows better than before: the words stay until somebody does."""
    known = {"coins": 5, "settled_coins": 6, "unsettled_coins": 1}  # so it asks again soon
    answers = [
        {"on_hold": True, "frozen_coins": 40, "owed_coins": 0},
        {"on_hold": None, "frozen_coins": None, "owed_coins": None},
        {"on_hold": False, "frozen_coins": 0, "owed_coins": 0},
    ]
    now = [0]
    routes = {"**/v1/wallet": lambda route: route.fulfill(json=known | answers[now[0]])}
    page = opened(visit, "gui", routes=routes)
    hold = page.locator(".hold")
    expect(hold).to_contain_text("40 coins are set aside")
    now[0] = 1
    for _ in range(3):  # the first may have been on its way, the third is asked for after the second was shown
        with page.expect_response("**/v1/wallet"):
            pass
    expect(hold).to_contain_text("40 coins are set aside")
    now[0] = 2
    expect(hold).to_be_hidden()


@pytest.mark.parametrize(
    ("state", "details", "title", "after"),
    [
        ("credited", ["", "disputed", "dispute lost"], "The bank took this payment", ["Disputed", "took the money"]),
        ("credited", ["", "disputed", "disputed", "dispute won"], "Disputed: this payment", ["Disputed", "is over"]),
        ("partially_refunded", [""], "Part of your money was given back", ["Part of the money"]),
        ("refunded", ["", "disputed", "dispute won"], "Your money was given back", ["Disputed", "stands", "The money"]),
        ("credited", [""], "in your wallet", []),
    ],
)  # fmt: skip
def test_what_came_after_is_told_in_words(
    visit: Visit, demo_site: DemoSite, state: str, details: list[str], title: str, after: list[str]
) -> None:
    """Disputes and money given back stand below the four dots, which stay as they were."""
    shown = demo_site.ask("GET", "/v1/store/quote?pack=coins-70", None, "gui")
    steps = [{"state": "credited", "at_ms": 1_700_000_000_000 + n, "detail": text} for n, text in enumerate(details)]
    if state != "credited":
        steps.append({"state": state, "at_ms": 1_700_000_009_000, "detail": ""})
    answer = {
        "id": "pay_told", "state": state, "provider": "sandbox", "method": "card", "coins": shown["coins"],
        "bonus_coins": 0, "pack": "coins-70", "amount_minor": 99, "currency": "USD", "exponent": 2, "decline": None,
        "in_review": False, "transfer": "1", "checkout_url": None, "created_at_ms": 1_700_000_000_000,
        "expires_at_ms": 1_700_000_900_000, "steps": steps,
    }  # fmt: skip
    routes = {"**/v1/payments/pay_told": lambda route: route.fulfill(json=answer)}
    page = visit("/wallet?payment=pay_told", "gui", 390, routes=routes)
    dialog = order(page, state)
    expect(dialog.locator(".order__standing")).to_contain_text(title)
    rows = dialog.locator(".order__after > li")
    expect(rows).to_have_count(len(after))
    for place, words in enumerate(after):
        expect(rows.nth(place)).to_contain_text(words)
    standings = dialog.locator(".timeline__step").evaluate_all("steps => steps.map(one => one.dataset.standing)")
    assert standings == ["done"] * 4


def test_the_store_says_what_pays_a_debt(visit: Visit, demo_site: DemoSite) -> None:
    """Before anything is paid: how many of the coins pay what is owed, never more than there are; else not a word."""
    store = demo_site.ask("GET", "/v1/store", None, "gui")
    owed = [120]
    routes = {"**/v1/store": lambda route: route.fulfill(json=store | {"owed_coins": owed[0]})}
    page = opened(visit, "gui", 390, routes=routes)
    choose(page, "350")
    expect(page.locator("#store-debt")).to_have_text("120 of these coins pay what you owe.")
    owed[0] = 1_000_000
    page.reload()
    choose(page, "70")
    expect(page.locator("#store-debt")).to_have_text(re.compile(r"^7\d of these coins pay what you owe\.$"))
    owed[0] = 0
    page.reload()
    choose(page, "70")
    expect(page.locator("#store-sum")).to_contain_text("You get")
    expect(page.locator("#store-debt")).to_be_hidden()


def test_nothing_is_bought_for_a_wallet_that_a_case_has_on_hold(visit: Visit, demo_site: DemoSite) -> None:
    """The button says why, presses nothing, and lives again once the hold ends, without a reload."""
    store = demo_site.ask("GET", "/v1/store", None, "gui")
    wallet = demo_site.ask("GET", "/v1/wallet", None, "gui") | {"unsettled_coins": 1}  # so it asks again soon
    held = [True]
    orders: list[str] = []
    page = opened(
        visit, "gui", 390,
        routes={
            "**/v1/store": lambda route: route.fulfill(json=store | {"on_hold": held[0]}),
            "**/v1/wallet": lambda route: route.fulfill(json=wallet | {"on_hold": held[0]}),
        },
    )  # fmt: skip
    page.on("request", lambda request: orders.append(request.url) if request.method == "POST" else None)
    pay = page.locator("#store-pay")
    expect(pay).to_have_text("Your wallet is on hold")
    expect(pay).to_have_attribute("aria-disabled", "true")
    pay.click(force=True)
    expect(page.locator(".hold")).to_contain_text("Your wallet is on hold")
    held[0] = False
    expect(pay).to_contain_text("Pay USD")
    expect(pay).to_have_attribute("aria-disabled", "false")
    assert orders == []
