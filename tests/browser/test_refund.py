"""A gift that arrived after its room had closed comes back, and the three pages say so."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo_site import DemoSite, Room, holds

Visit = Callable[..., Page]


@pytest.mark.parametrize("width", [390, 1440])
def test_a_late_gift_is_seen_to_come_back(
    visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path, width: int
) -> None:
    """The viewer is told and has the coins again, the studio strikes the gift, the statement has both lines."""
    viewer = visit(f"/rooms/{room.id}", "ben", width)
    studio = visit("/studio", room.creator, width)
    expect(studio.locator("html")).to_have_attribute("data-connection", "open")
    holds(viewer, "giftserver.client.balance.coins !== null")
    before = demo_site.ask("GET", "/v1/wallet", None, "ben")["coins"]
    receipt = demo_site.send_late("ben", room.id, "campfire")

    notice = viewer.locator('.notice[data-subject="refund"]')
    expect(notice).to_contain_text(f"You get your {receipt['coins']} coins back.")
    holds(viewer, f"giftserver.client.balance.coins === {before}")
    row = studio.locator('.row[data-refunded="true"]')
    expect(row).to_contain_text("Given back: the room had closed")
    expect(studio.locator("#diamonds")).to_have_attribute("data-value", "0")
    studio.reload()
    expect(row).to_contain_text("Given back")

    wallet = visit("/wallet", "ben", width)
    back = wallet.locator('.entry[data-kind="refund"]').first
    expect(back).to_contain_text("Campfire given back")
    expect(back).to_contain_text("the room had closed")
    for name, page in (("viewer", viewer), ("studio", studio), ("wallet", wallet)):
        page.screenshot(path=artifacts / f"refund-{name}-{width}.png")
    wallet.locator(f'.entry[data-transfer="{receipt["transfer"]}"]').click()
    expect(wallet.get_by_role("dialog", name="Receipt")).to_contain_text("Given back.")
