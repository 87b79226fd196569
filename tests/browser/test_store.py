"""The store for people whose prices are long, and for who is too young."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.demo_site import DemoSite
from tests.browser.test_accessibility import serious
from tests.browser.test_recharge import opened, refuse

Visit = Callable[..., Page]
PRICES = {
    "INR": (2, [8_900, 44_900, 89_900, 179_900, 449_900, 899_900, 2_249_900]),
    "KRW": (0, [1_400, 6_900, 13_900, 27_900, 69_900, 139_900, 349_900]),
    "BRL": (2, [599, 2_999, 5_999, 11_999, 29_999, 59_999, 149_990]),
    "IDR": (2, [1_600_000, 7_900_000, 15_900_000, 31_900_000, 79_900_000, 159_900_000, 399_900_000]),
}
OUTSIDE = """() => [...document.querySelectorAll('.offer-card > *')].filter((part) => {
    const [card, at] = [part.parentElement.getBoundingClientRect(), part.getBoundingClientRect()];
    return !part.matches('.offer-card__best') && (at.left < card.left || at.right > card.right);
}).map((part) => part.textContent)"""


@pytest.mark.parametrize("currency", PRICES)
def test_long_prices_stay_in_their_cards(visit: Visit, demo_site: DemoSite, artifacts: Path, currency: str) -> None:
    """On the smallest phone, on another one and on a desk; nothing is cut and nothing runs over an edge."""
    store = demo_site.ask("GET", "/v1/store", None, "ben")
    exponent, amounts = PRICES[currency]
    packs = [pack | {"amount_minor": amount} for pack, amount in zip(store["packs"], amounts, strict=True)]
    answer = store | {"currency": currency, "exponent": exponent, "packs": packs}
    routes = {"**/v1/store": lambda route: route.fulfill(json=answer)}
    for width in (320, 390, 1440):
        page = opened(visit, "ben", width, routes=routes)
        expect(page.locator(".offer-card__price").last).to_contain_text(currency)
        assert page.evaluate(OUTSIDE) == []
        page.locator("#store").screenshot(path=artifacts / f"store-{currency}-{width}.png")


@pytest.mark.parametrize("width", [390, 1440])
def test_who_is_too_young_is_offered_nothing(visit: Visit, artifacts: Path, width: int) -> None:
    """It says so at once, and what there is instead: no price, no offer, no free coins and nothing to press."""
    page = visit("/wallet", "mika", width)
    store = page.locator("#store")
    expect(store).to_contain_text("Coins are for adults here.")
    expect(store.get_by_role("link", name="See who is live")).to_be_visible()
    for part in ("#store-form", "#store-pay", ".offer", "#topup"):
        expect(page.locator(part)).to_be_hidden()
    expect(store).not_to_contain_text("USD")
    assert serious(page) == []
    page.screenshot(path=artifacts / f"store-young-{width}.png")


def test_a_guardian_opens_the_store_where_that_helps(visit: Visit) -> None:
    """The way there is one press; once there is a guardian the prices come by themselves."""
    alone = True

    def young(route: Route) -> None:
        if alone:
            refuse(route, 403, "age_restricted", guardian_helps=True)
        else:
            route.continue_()

    def looked_after(route: Route) -> None:
        answer = route.fetch().json()
        route.fulfill(json=answer | {"guardian": None if alone else "Gus"})

    page = visit("/wallet", "ben", 390, routes={"**/v1/store": young, "**/v1/limits": looked_after})
    store, part = page.locator("#store"), page.locator("details", has=page.locator(".guardian"))
    expect(page.locator("#limits .meter").first).to_be_visible()
    store.get_by_role("button", name="Ask somebody to look after your spending").click()
    expect(part).to_have_attribute("open", "")
    expect(part.locator("summary")).to_be_focused()
    part.get_by_role("button", name="Ask somebody to look after your spending").click()
    expect(part.locator("code")).to_be_visible()
    alone = False
    expect(part).to_contain_text("Gus looks after your spending.")
    expect(store).to_have_attribute("data-state", "open")
    expect(page.locator("#store-pay")).to_be_visible()
