"""Real recorded traffic under chaos, seen by the real pages: they count what the ledger took."""

import subprocess
import sys
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.demo_site import DemoSite, Room, holds

COINS = {"window-a": 53, "window-b": 37, "window-c": 23}
REPLAYED_S = 60


def replay_all(site: DemoSite, room: Room) -> None:
    """Play all traces at once into the room, with cut connections, lost replies and repeated keys; all must agree."""
    command = [sys.executable, "-m", "giftserver", "replay", "--room", room.id, "--data-dir", str(site.folder)]
    options = ["--speed", "30", "--chaos", "--no-sdk"]
    replays = [
        subprocess.Popen([*command, *options, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name in COINS
    ]
    for process in replays:
        said, _ = process.communicate(timeout=REPLAYED_S)
        assert process.returncode == 0, said


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
    replay_all(demo_site, room)
    true_coins = sum(COINS.values())
    for page in pages.values():
        holds(page, f"giftserver.totals.coins >= {true_coins}", 20)
    counted = {name: page.evaluate("giftserver.totals.coins") for name, page in pages.items()}
    assert counted == dict.fromkeys(pages, true_coins)
    assert sum(gift["coins"] for gift in demo_site.gifts(room.id)) == true_coins
