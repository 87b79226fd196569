"""Real recorded traffic under chaos, seen by the real pages: they count what the ledger took."""

import subprocess
import sys
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.demo_site import DemoSite, Room, holds

COINS = {"window-a": 53, "window-b": 37, "window-c": 23}
REPLAYED_S = 60


def replay(site: DemoSite, name: str, room: Room) -> None:
    """Play a trace into the room with cut connections, lost replies and repeated keys; fails unless all agree."""
    command = [sys.executable, "-m", "giftserver", "replay", name, "--room", room.id, "--data-dir", str(site.folder)]
    done = subprocess.run(
        [*command, "--speed", "30", "--chaos", "--no-sdk"],
        capture_output=True,
        text=True,
        timeout=REPLAYED_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_sums_what_the_ledger_took(demo_site: DemoSite, visit: Callable[..., Page], room: Room) -> None:
    """A viewer's page, the studio and the overlay add up all three recordings to their true coins."""
    pages = {
        "viewer": visit(f"/rooms/{room.id}", "ben"),
        "overlay": visit(demo_site.overlay_path(room.id, room.creator)),
        "studio": visit("/studio", room.creator),
    }
    for name, page in pages.items():
        attribute = "data-connection" if name == "studio" else "data-state"
        expect(page.locator("html")).to_have_attribute(attribute, "open")
    true_coins = 0
    for trace, coins in COINS.items():
        replay(demo_site, trace, room)
        true_coins += coins
        for page in pages.values():
            holds(page, f"giftserver.totals.coins >= {true_coins}", 20)
        assert {name: page.evaluate("giftserver.totals.coins") for name, page in pages.items()} == dict.fromkeys(
            pages, true_coins
        )
    assert sum(gift["coins"] for gift in demo_site.gifts(room.id)) == true_coins
