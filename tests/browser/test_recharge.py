"""Buying coins on the wallet page: the store, the provider's page and back, and what became of an order."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.demo_site import DemoSite, holds, uuid7

Visit = Callable[..., Page]
WIDTHS = (390, 768, 1440)
GOOD = "4242 4242 4242 4242"
SECURE = "4000 0000 0000 3220"
DECLINED = "4000 0000 0000 0002"
TOO_LITTLE = "4000 0000 0000 9995"
DECLINES = (
    "card_declined", "insufficient_funds", "expired_card", "incorrect_cvc", "processing_error", "lost_card",
    "highest_risk", "authentication_failed", "transfer_bounced", "a_word_of_tomorrow",
)  # fmt: skip
STILL = """Promise.all(document.getAnimations()
    .filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime))
    .map((one) => one.finished.catch(() => null)))"""


def refuse(route: Route, status: int, code: str, **details: Any) -> None:
    """An answer of the server that refuses."""
    error = {"code": code, "message": "Not right now.", "temporary": status >= 500, **details}
    route.fulfill(status=status, content_type="application/json", body=json.dumps({"error": error}))


def opened(visit: Visit, person: str, width: int = 1440, **options: Any) -> Page:
    """The wallet with its prices and a known balance."""
    page = visit("/wallet", person, width, **options)
    expect(page.locator("#store")).to_have_attribute("data-state", "open")
    expect(page.locator("#balance")).to_be_visible()
    return page


def coins(page: Page) -> int:
    """The balance that is shown."""
    return int(page.locator("#balance").get_attribute("data-value") or "")


def choose(page: Page, number: str) -> None:
    """Choose the pack of so many coins."""
    page.locator("#store").get_by_role("radio", name=re.compile(f"^{number} coins")).check()


def pay_button(page: Page) -> Locator:
    """The one action of the store."""
    return page.locator("#store-pay")


def go_to_pay(page: Page) -> None:
    """Press it, and be on the provider's page."""
    pay_button(page).click()
    page.wait_for_url("**/pay/**")


def by_card(page: Page, number: str) -> None:
    """Pay with a card on the provider's page."""
    page.get_by_label("Card number").fill(number)
    page.get_by_label(re.compile("Expiry")).fill("12/34")
    page.get_by_label(re.compile("CVC")).fill("123")
    page.locator("#card").get_by_role("button", name=re.compile("^Pay")).click()


def cancel_there(page: Page) -> Locator:
    """Go back from the provider's page without having paid; the sheet of the order."""
    page.get_by_role("button", name="Cancel and go back").click()
    page.wait_for_url("**/wallet?payment=*")
    return order(page, "cancelled")


def order(page: Page, state: str | None = None) -> Locator:
    """The sheet of an order, once it is in this state."""
    dialog = page.get_by_role("dialog", name="Your order")
    if state is not None:
        expect(dialog.locator(".order-panel")).to_have_attribute("data-state", state)
    return dialog


def dots(page: Page) -> list[str]:
    """Standing of the four dots."""
    found: list[str] = page.locator(".timeline__step").evaluate_all("steps => steps.map(one => one.dataset.standing)")
    return found


def ordered(demo_site: DemoSite, person: str) -> dict[str, Any]:
    """An order that nobody has paid."""
    body = {"key": uuid7(), "provider": "sandbox", "pack": "coins-70"}
    shown = demo_site.ask("GET", "/v1/store/quote?pack=coins-70", None, person)
    price = {name: shown[name] for name in ("amount_minor", "bonus_coins", "currency")}
    made: dict[str, Any] = demo_site.ask("POST", "/v1/payments", body | price, person)
    return made


@pytest.mark.parametrize(("person", "width"), [("chloe", 1440), ("dmitri", 390)])
def test_from_a_pack_to_a_gift(visit: Visit, demo_site: DemoSite, person: str, width: int) -> None:
    """Bought with a card whose bank asks: four dots, the coins with the first purchase's bonus, and a gift of them."""
    page = opened(visit, person, width)
    before = coins(page)
    expect(page.locator(".offer")).to_contain_text("first coins that you buy")
    expect(page.locator("#store-ways")).to_contain_text("nothing real is charged")
    choose(page, "700")
    expect(page.locator("#store-sum")).to_contain_text("You get 770 coins")
    expect(pay_button(page)).to_have_text("Pay USD 9.99")
    go_to_pay(page)
    by_card(page, SECURE)
    page.get_by_role("button", name="Yes, it is me").click()
    page.wait_for_url("**/wallet?payment=*")
    dialog = order(page, "credited")
    expect(dialog.get_by_role("status").first).to_contain_text("770 coins are in your wallet")
    expect(dialog).to_contain_text("USD 9.99 · 700 + 70 bonus")
    expect(dialog.get_by_text("USD 1.30 per 100", exact=True)).to_be_visible()
    expect(dialog).to_contain_text("Card")
    assert dots(page) == ["done"] * 4
    expect(dialog.locator("time")).to_have_count(4)
    expect(page.locator("#balance")).to_have_attribute("data-value", str(before + 770))
    expect(dialog.locator(".order__held-number")).to_have_attribute("data-value", str(before + 770))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).to_have_url(f"{demo_site.url}/wallet")
    expect(page.locator(".entry[data-kind=recharge]").first).to_contain_text("Coins bought")
    expect(page.locator(".order").first).to_contain_text("In your wallet")
    expect(page.locator(".offer")).to_have_count(0)  # it was the first purchase
    receipt = demo_site.send(person, "attic", "kite", 3)
    expect(page.locator(f'.entry[data-transfer="{receipt["transfer"]}"]')).to_contain_text("Kite ×3")
    expect(page.locator("#balance")).to_have_attribute("data-value", str(receipt["balance_coins"]))


def test_a_declined_card_says_why_and_another_one_pays(visit: Visit, demo_site: DemoSite) -> None:
    """The reason stands in words while the order is open and when it was cancelled; the same pack is bought again."""
    page = opened(visit, "ana")
    before = coins(page)
    choose(page, "350")
    go_to_pay(page)
    hosted = page.url
    by_card(page, TOO_LITTLE)
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(f"{demo_site.url}/wallet")
    page.locator(".order").first.click()
    dialog = order(page, "pending")
    expect(dialog).to_contain_text("There was not enough money on the card.")
    resume = dialog.get_by_role("link", name="Continue to payment")
    expect(resume).to_have_attribute("href", hosted)
    resume.click()
    by_card(page, DECLINED)
    dialog = cancel_there(page)
    expect(dialog).to_contain_text("Your bank declined the card.")
    expect(dialog).to_contain_text("Nothing was charged.")
    assert dots(page) == ["done", "ended", "later", "later"]
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog).to_have_count(0)
    expect(pay_button(page)).to_be_focused()
    expect(pay_button(page)).to_have_text("Pay USD 4.99")
    expect(page.locator("#store-sum")).to_contain_text("385 coins")  # the bonus came back with the cancelled order
    go_to_pay(page)
    by_card(page, GOOD)
    order(page, "credited")
    expect(page.locator("#balance")).to_have_attribute("data-value", str(before + 385))


def test_a_cancelled_order_costs_nothing(visit: Visit, demo_site: DemoSite) -> None:
    """Cancelled on the provider's page, or here: the order says so, and that nothing was charged."""
    page = opened(visit, "emeka", 390)
    before = coins(page)
    go_to_pay(page)
    dialog = cancel_there(page)
    expect(dialog).to_contain_text("This order was cancelled")
    expect(dialog).to_contain_text("Nothing was charged.")
    page.get_by_role("button", name="Close").click()
    go_to_pay(page)
    page.goto(f"{demo_site.url}/wallet")
    row = page.locator(".order").first
    expect(row).to_contain_text("Waiting for payment")
    row.click()
    order(page, "pending").get_by_role("button", name="Cancel order").click()
    order(page, "cancelled")
    page.keyboard.press("Escape")
    expect(row).to_be_focused()
    expect(row).to_contain_text("Cancelled")
    assert coins(page) == before


def test_any_number_of_coins(visit: Visit, demo_site: DemoSite) -> None:
    """Its price comes from the server; what is no number of coins that is sold is said beside the field."""
    page = opened(visit, "fatima")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/quote" in request.url else None)
    field, words = page.get_by_role("textbox", name="Coins you want"), page.locator("#custom-words")
    expect(words).to_have_text("30 to 2,500,000 coins")
    for wrong, told in (("12", "At least 30"), ("3,000,000", "At most 2,500,000"), ("ten", "Whole coins only")):
        field.fill(wrong)
        expect(words).to_contain_text(told)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(pay_button(page)).to_have_text("Choose how many coins")
    pay_button(page).click()
    expect(field).to_be_focused()
    assert asked == []
    field.fill("")
    field.press_sequentially("1,234", delay=20)
    shown = demo_site.ask("GET", "/v1/store/quote?coins=1234", None, "fatima")
    assert shown["amount_minor"] == 1765
    expect(pay_button(page)).to_have_text("Pay USD 17.65")
    expect(page.locator(".custom__cost")).to_have_text("USD 17.65")
    expect(page.locator("#store-sum")).to_contain_text(f"{1234 + shown['bonus_coins']:,} coins")
    with page.expect_request("**/v1/payments") as sent:
        go_to_pay(page)
    body: Any = sent.value.post_data_json
    assert (body["coins"], body.get("pack")) == (1234, None)
    cancel_there(page).get_by_role("button", name="Try again").click()
    expect(page.get_by_role("textbox", name="Coins you want")).to_have_value("1234")
    expect(pay_button(page)).to_have_text("Pay USD 17.65")


def test_a_code(visit: Visit) -> None:
    """A wrong one is told beside its field; a good one says what it brings, and goes with the order."""
    page = opened(visit, "fatima")
    page.get_by_text("I have a code").click()
    field, words = page.get_by_role("textbox", name="Code"), page.locator("#promo-words")
    apply = page.get_by_role("button", name="Apply")
    field.fill("a!")
    apply.click()
    expect(words).to_have_text("A code is 3 to 20 letters and digits.")
    field.fill("nothing")
    field.press("Enter")
    expect(words).to_contain_text("not valid here")
    expect(field).to_have_attribute("aria-describedby", "promo-words")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(pay_button(page)).to_have_text("Pay USD 9.99")

    def give_half(route: Route) -> None:
        pack = "coins-700" if "coins-700" in route.request.url else "coins-70"
        coins, amount_minor = {"coins-700": (700, 999), "coins-70": (70, 99)}[pack]
        terms = {"pack": pack, "coins": coins, "bonus_coins": coins // 2, "amount_minor": amount_minor}
        money = {"currency": "USD", "exponent": 2, "price_version": 0, "promotion": "spring"}
        route.fulfill(json=terms | money)

    page.route("**/v1/store/quote?*code=SPRING", give_half)
    field.fill("spring")
    apply.click()
    expect(words).to_contain_text("SPRING: +350 bonus coins.")
    expect(page.locator("#store-sum")).to_contain_text("You get 1,050 coins")
    choose(page, "70")
    expect(page.locator("#store-sum")).to_contain_text("You get 105 coins")
    with page.expect_request("**/v1/payments") as sent:
        pay_button(page).click()
    body: Any = sent.value.post_data_json
    assert body["code"] == "SPRING"
    expect(words).to_contain_text("not valid here")  # the server knows no such code
    expect(pay_button(page)).to_have_text("Pay USD 0.99")


def test_a_price_that_changed_is_shown_and_asked_again(visit: Visit) -> None:
    """Nothing is ordered at a price that nobody saw: the new one is said, and ordered by another press."""
    page = opened(visit, "fatima")
    bodies: list[Any] = []

    def raise_the_price(route: Route) -> None:
        bodies.append(route.request.post_data_json)
        refuse(route, 409, "price_changed", amount_minor=1099, bonus_coins=0, currency="USD")

    page.route("**/v1/payments", raise_the_price)
    pay_button(page).click()
    expect(page.locator("#store").get_by_role("alert")).to_contain_text("700 coins cost USD 10.99 now: press again")
    expect(pay_button(page)).to_have_text("Pay USD 10.99")
    with page.expect_response("**/v1/payments"):
        pay_button(page).click()
    assert [(body["amount_minor"], body["bonus_coins"]) for body in bodies] == [(999, 70), (1099, 0)]
    assert bodies[0]["key"] != bodies[1]["key"]


def test_a_server_that_is_away_gets_the_same_order_again(visit: Visit) -> None:
    """The press and every further try of it carry one key; another choice is another order."""
    page = opened(visit, "fatima")
    bodies: list[Any] = []

    def away(route: Route) -> None:
        bodies.append(route.request.post_data_json)
        refuse(route, 503, "unavailable")

    page.route("**/v1/payments", away)
    problem = page.locator("#store").get_by_role("alert")
    pay_button(page).click()
    expect(problem).to_contain_text("Not right now. Press again in a moment")
    choose(page, "70")
    expect(problem).to_be_hidden()
    pay_button(page).click()
    expect(problem).to_be_visible()
    page.unroute("**/v1/payments")
    with page.expect_request("**/v1/payments") as sent:
        go_to_pay(page)
    assert sent.value.post_data_json == bodies[1]
    assert bodies[0]["key"] != bodies[1]["key"]
    cancel_there(page)


def test_a_bank_transfer_takes_days(visit: Visit) -> None:
    """The order says that it takes days and that coins come by themselves; asking the provider says what it knows."""
    page = opened(visit, "jun")
    go_to_pay(page)
    page.get_by_role("radio", name="Bank transfer").check()
    page.get_by_role("button", name="I have sent it").click()
    dialog = order(page, "authorised")
    expect(dialog).to_contain_text("This can take days.")
    expect(dialog.get_by_role("link", name="Continue to payment")).to_be_hidden()
    assert dots(page) == ["done", "done", "now", "later"]
    expect(dialog.get_by_role("button", name="Not credited?")).to_be_hidden()  # it has waited for a moment only
    page.keyboard.press("Escape")
    page.locator(".order").first.click()
    order(page, "authorised").get_by_role("button", name="Not credited?").click()
    expect(dialog.locator(".order__note")).to_contain_text("the money is promised")


def test_every_decline_has_its_words(visit: Visit, demo_site: DemoSite) -> None:
    """No reason is shown as a code, not even one that this page has not met; each says what to do."""
    made = ordered(demo_site, "kofi")
    answer = made | {"state": "failed", "decline": DECLINES[0], "checkout_url": None}
    path = f"/wallet?payment={made['id']}"
    page = visit(path, "kofi", 390, routes={f"**/v1/payments/{made['id']}": lambda route: route.fulfill(json=answer)})
    for decline in DECLINES:
        answer["decline"] = decline
        page.goto(demo_site.url + path)
        said = order(page, "failed").locator(".order__standing")
        expect(said).to_contain_text("The payment failed")
        expect(said).not_to_contain_text("_")
        expect(said).to_contain_text(re.compile(r"try|use|take|type", re.IGNORECASE))
        expect(order(page).get_by_role("button", name="Try again")).to_be_visible()


def test_an_unknown_order_is_told_kindly(visit: Visit) -> None:
    """An order of somebody else, or of nobody: words, and a reload does not ask again."""
    page = visit("/wallet?payment=pay_none&sandbox_session=cs_none", "kofi")
    expect(order(page)).to_contain_text("We do not find this order")
    order(page).get_by_role("button", name="Close").click()
    holds(page, "location.search === ''")


def test_an_order_is_asked_for_until_it_ends(visit: Visit, demo_site: DemoSite) -> None:
    """While it is open again and again, also through an outage; once it has ended never again."""
    made = ordered(demo_site, "lena")
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        state = ("requires_action", "", "requires_action", "expired")[len(asked) - 1]
        if state:
            route.fulfill(json=made | {"state": state})
        else:
            refuse(route, 503, "unavailable", retry_after_ms=100)

    page = visit(f"/wallet?payment={made['id']}", "lena", routes={f"**/v1/payments/{made['id']}": answer})
    expect(order(page)).to_contain_text("Your bank asks you to confirm")
    expect(order(page)).to_contain_text("We keep asking")
    expect(order(page, "expired")).to_contain_text("The time to pay is over")
    page.wait_for_timeout(2_500)  # nothing comes: there is no condition to wait for
    assert len(asked) == 4


def test_older_orders_come_on_demand(visit: Visit, demo_site: DemoSite) -> None:
    """Five at first, then more; a row opens its order."""
    made = [ordered(demo_site, "noor")["id"] for _ in range(7)]
    page = opened(visit, "noor", 390)
    expect(page.locator(".order")).to_have_count(5)
    page.get_by_role("button", name="Show more").click()
    page.locator(f'.order[data-order="{made[0]}"]').click()
    expect(order(page)).to_contain_text(made[0])


@pytest.mark.parametrize("width", WIDTHS)
def test_pictures(visit: Visit, artifacts: Path, width: int) -> None:
    """What a designer looks at: the store, an order that waits, one that was credited; nothing is too wide."""
    page = opened(visit, "ben", width)
    expect(page.locator(".order, #orders-words:not([hidden])").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artifacts / f"recharge-store-{width}.png", full_page=True)
    go_to_pay(page)
    hosted = page.url
    page.go_back()
    page.locator(".order").first.click()
    order(page, "pending")
    page.evaluate(STILL)
    page.screenshot(path=artifacts / f"recharge-waiting-{width}.png")
    page.goto(hosted)
    by_card(page, GOOD)
    order(page, "credited")
    expect(page.locator("#balance-note")).to_have_text("Everything is in your statement.")
    page.evaluate(STILL)
    page.screenshot(path=artifacts / f"recharge-credited-{width}.png")
