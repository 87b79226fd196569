"""Where a creator is paid out to: changed in the sheet for withdrawing, and too long for a line."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.demo_site import DemoSite, Room
from tests.browser.old_gifts import earned_long_ago
from tests.browser.test_payouts import TERMS, desk, goes_to, withdraw_button

Visit = Callable[..., Page]


def test_an_account_that_is_changed_while_an_amount_stands_there(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """In the sheet it is said once, and no amount is offered any more; the old account is back at once."""
    earned_long_ago(demo_site, room, 12_000)
    goes_to(demo_site, room, "paid@sandbox")
    page = desk(visit, room)
    withdraw_button(page).click()
    sheet = page.get_by_role("dialog", name="Withdraw")

    def change(address: str) -> None:
        sheet.get_by_role("button", name="Change where it goes").click()
        sheet.get_by_label("Sandbox address").fill(address)
        sheet.get_by_role("button", name="Save").click()

    change("other@sandbox")
    expect(sheet.get_by_text("it can be used a day later")).to_have_count(1)
    expect(sheet.locator(".withdraw__form")).to_be_hidden()
    change("paid@sandbox")
    expect(sheet.get_by_role("button", name="Withdraw USD 60.00")).to_have_attribute("aria-disabled", "false")


def test_a_long_address_is_one_line(visit: Visit, room: Room) -> None:
    """It ends in an ellipsis, and the whole of it is its title."""
    long = f"m…@{'a' * 110}.example"
    account = {"provider": "sandbox", "address_masked": long, "usable_at_ms": 0}
    routes = {"**/v1/payouts/terms": lambda route: route.fulfill(json=TERMS | {"account": account})}
    page = desk(visit, room, 390, routes=routes)
    withdraw_button(page).click()
    for line in (page.locator(".payouts__goes"), page.locator(".goes__address")):
        box = line.bounding_box()
        assert box is not None
        assert box["height"] < 40
        assert long in str(line.get_attribute("title"))
