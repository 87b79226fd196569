"""Every page for everybody: axe finds nothing serious, targets are big enough, motion can be off."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

Visit = Callable[..., Page]
VENDOR = Path(__file__).resolve().parent / "vendor"
AXE = VENDOR / "axe.min.js"
TARGET_PX = 44
# Page, who is there, and what is on the page once it is.
PAGES = {
    "rooms": ("/", None, ".room"),
    "viewer": ("/rooms/harbour", "ana", None),
    "viewer-nobody": ("/rooms/harbour", None, None),
    "studio": ("/studio", "mira", "#feed"),
    "studio-earnings": ("/studio#earnings", "mira", ".earnings__line"),
    "studio-nobody": ("/studio", None, "#gate .person"),
    "wallet": ("/wallet", "ana", ".entry"),
    "wallet-nobody": ("/wallet", None, "#gate .person"),
}
OURS = [name for name in PAGES if not name.startswith("viewer")]


def open_page(visit: Visit, name: str, width: int, **options: Any) -> Page:
    """A page of PAGES, settled. The list of rooms is asked for as it is outside the demo, without the redirect."""
    path, person, landmark = PAGES[name]
    if name == "rooms":
        index = (Path(__file__).resolve().parents[2] / "static" / "index.html").read_text()
        rooms = {"**/index-of-rooms": lambda route: route.fulfill(content_type="text/html", body=index)}
        page = visit("/index-of-rooms", person, width, routes=rooms, **options)
    else:
        page = visit(path, person, width, **options)
    expect(page.locator("html")).not_to_have_attribute("data-state", "loading")
    if landmark is not None:
        expect(page.locator(landmark).first).to_be_visible()
    page.wait_for_load_state("load")
    return page


def serious(page: Page) -> list[str]:
    """What axe calls serious or critical: rule, element and what is wrong with it."""
    page.add_init_script(path=AXE)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text() + "; true")
    report = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{rule['id']} ({rule['impact']}) at {node['target']}: {node.get('failureSummary', '')}"
        for rule in report["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def test_the_vendored_axe_is_the_published_one() -> None:
    """The file is what its note says, and its licence is beside it."""
    said = re.search(r"axe\.min\.js \|.*\| ([0-9a-f]{64}) \|", (VENDOR / "README.md").read_text())
    assert said is not None
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == said[1]
    assert "Mozilla Public License" in (VENDOR / "axe-LICENSE.txt").read_text()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(visit: Visit, demo_site: Any, name: str, width: int) -> None:
    """No serious or critical issue on any page, on a phone and on a desk."""
    demo_site.send("ana", "harbour", "clover")
    assert serious(open_page(visit, name, width)) == []


def test_axe_finds_nothing_serious_in_a_sheet(visit: Visit, demo_site: Any) -> None:
    """The receipt of an entry, open over its statement."""
    demo_site.send("ana", "harbour", "kite")
    page = open_page(visit, "wallet", 390)
    page.locator(".entry").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))")
    assert serious(page) == []


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", OURS)
def test_targets_are_big_enough(visit: Visit, demo_site: Any, name: str, width: int) -> None:
    """Everything that can be pressed is at least 44 px high and wide, its label included."""
    demo_site.send("ana", "harbour", "clover")
    page = open_page(visit, name, width)
    small = page.evaluate(
        """(least) => [...document.querySelectorAll('a[href], button, input, select')]
            .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.matches('.skip-link'))
            .map((one) => [one, one.getBoundingClientRect()])
            .filter(([, box]) => box.width < least - 0.5 || box.height < least - 0.5)
            .map(([one, box]) => `${one.outerHTML.slice(0, 90)} is ${box.width} x ${box.height}`)""",
        TARGET_PX,
    )
    assert small == []


@pytest.mark.parametrize("name", OURS)
def test_every_press_is_reachable_and_seen(visit: Visit, name: str) -> None:
    """Tab walks from the skip link on, and what has the focus shows it."""
    page = open_page(visit, name, 1440)
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    for _ in range(8):
        page.keyboard.press("Tab")
        ring = page.evaluate(
            """() => { const one = document.activeElement;
                const drawn = one.matches('.pack__radio') ? one.nextElementSibling : one;
                return one === document.body || getComputedStyle(drawn).outlineStyle !== 'none'; }"""
        )
        assert ring, page.evaluate("document.activeElement.outerHTML.slice(0, 120)")


@pytest.mark.parametrize("name", OURS)
def test_motion_can_be_off(visit: Visit, name: str) -> None:
    """With reduced motion nothing of the page moves for longer than a blink."""
    page = open_page(visit, name, 1440, reduced_motion="reduce")
    moving = page.evaluate(
        """() => document.getAnimations()
            .filter((one) => one.effect.getComputedTiming().activeDuration > 20)
            .filter((one) => !one.effect.target.closest('.gs-layer'))
            .map((one) => one.effect.target.outerHTML.slice(0, 90))"""
    )
    assert moving == []
