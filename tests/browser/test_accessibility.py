"""Every page for everybody: axe finds nothing serious, targets are big enough, motion can be off."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo_site import DemoSite, uuid7

Visit = Callable[..., Page]
VENDOR = Path(__file__).resolve().parent / "vendor"
AXE = VENDOR / "axe.min.js"
TARGET_PX = 44
DESK_PX = 1440
ICON_TYPE = "fetch(document.querySelector('link[rel=icon]').href).then((icon) => icon.headers.get('content-type'))"
# What fades in is judged when it is there.
SETTLE = """document.getAnimations()
    .filter((one) => !one.effect.target.closest('.gs-layer') && Number.isFinite(one.effect.getComputedTiming().endTime))
    .forEach((one) => one.finish())"""
# Page, who is there, and what is on the page once it is.
PAGES = {
    "rooms": ("/", None, ".room"),
    "viewer": ("/rooms/harbour", "ana", None),
    "viewer-nobody": ("/rooms/harbour", None, None),
    "studio": ("/studio", "mira", "#feed"),
    "studio-earnings": ("/studio#earnings", "mira", ".payouts__account"),
    "studio-nobody": ("/studio", None, "#gate .person"),
    "wallet": ("/wallet", "ana", "#store[data-state=open] .pack"),
    "wallet-nobody": ("/wallet", None, "#gate .person"),
    "guardian": ("/guardian", "ana", "#enter"),
    "ops": ("/ops", "operator", ".payment-row"),
    "ops-payouts": ("/ops#payouts", "operator", "#payouts-state"),
    "ops-prices": ("/ops#prices", "operator", ".proposal"),
}
# Nobody's studio and nobody's wallet are one page with other words: each is looked at once.
SEEN = [(name, width) for name in PAGES for width in (390, DESK_PX)]
SEEN = [one for one in SEEN if one not in (("studio-nobody", 390), ("wallet-nobody", DESK_PX))]
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
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text() + "; true")
    page.evaluate(SETTLE)
    report = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{rule['id']} ({rule['impact']}) at {node['target']}: {node.get('failureSummary', '')}"
        for rule in report["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def small_targets(page: Page) -> list[str]:
    """What can be pressed and is, its label included, less than 44 px high or wide."""
    found: list[str] = page.evaluate(
        """(least) => [...document.querySelectorAll('a[href], button, input, select')]
            .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.matches('.skip-link'))
            .map((one) => [one, one.getBoundingClientRect()])
            .filter(([, box]) => box.width < least - 0.5 || box.height < least - 0.5)
            .map(([one, box]) => `${one.outerHTML.slice(0, 90)} is ${box.width} x ${box.height}`)""",
        TARGET_PX,
    )
    return found


def expect_focus_is_seen(page: Page) -> None:
    """Tab walks from the skip link on, and what has the focus shows it."""
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


def moving(page: Page) -> list[str]:
    """Elements of the page (not of the gift layer) that move for longer than a blink."""
    found: list[str] = page.evaluate(
        """() => document.getAnimations()
            .filter((one) => one.effect.getComputedTiming().activeDuration > 20)
            .filter((one) => !one.effect.target.closest('.gs-layer'))
            .map((one) => one.effect.target.outerHTML.slice(0, 90))"""
    )
    return found


@pytest.fixture(scope="module")
def gifts(demo_site: DemoSite) -> None:
    """Something to see: gifts in the room, the studio and the statement, also the dear ones; an order, a proposal."""
    for gift in ("clover", "kite", "fountain"):
        demo_site.send("ana", "harbour", gift)
    order(demo_site)
    prices = demo_site.ask("GET", "/v1/ops/prices", None, "operator")["in_force"]
    demo_site.ask("POST", "/v1/ops/prices", prices | {"promotions": []}, "operator")


def order(demo_site: DemoSite) -> str:
    """Id of an order that nobody has paid."""
    shown = demo_site.ask("GET", "/v1/store/quote?pack=coins-70", None, "ivo")
    body = {name: shown[name] for name in ("pack", "amount_minor", "bonus_coins", "currency")}
    made = demo_site.ask("POST", "/v1/payments", body | {"key": uuid7(), "provider": "sandbox"}, "ivo")
    return str(made["id"])


def test_the_vendored_axe_is_the_published_one() -> None:
    """The file is what its note says, and its licence is beside it."""
    said = re.search(r"axe\.min\.js \|.*\| ([0-9a-f]{64}) \|", (VENDOR / "README.md").read_text())
    assert said is not None
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == said[1]
    assert "Mozilla Public License" in (VENDOR / "axe-LICENSE.txt").read_text()


@pytest.mark.parametrize(("name", "width"), SEEN)
def test_a_page_is_for_everybody(visit: Visit, gifts: None, name: str, width: int) -> None:
    """Nothing serious for axe, on phone and desk; our icon; on our pages, targets of 44 px and a visible focus."""
    page = open_page(visit, name, width)
    assert serious(page) == []
    icon = page.evaluate(
        "fetch(document.querySelector('link[rel=icon]').href).then((it) => it.headers.get('content-type'))"
    )
    assert icon.startswith("image/svg")
    if name in OURS:
        assert small_targets(page) == []
        if width == DESK_PX:
            expect_focus_is_seen(page)


@pytest.mark.parametrize("name", OURS)
def test_motion_can_be_off(visit: Visit, gifts: None, name: str) -> None:
    """With reduced motion nothing of the page moves for longer than a blink."""
    page = open_page(visit, name, DESK_PX, reduced_motion="reduce")
    assert moving(page) == []


@pytest.mark.parametrize("width", [390, DESK_PX])
def test_an_order_is_for_everybody(visit: Visit, demo_site: DemoSite, width: int) -> None:
    """An order that waits, open over the wallet: axe, targets, and a pulse that is still where motion is off."""
    page = visit(f"/wallet?payment={order(demo_site)}", "ivo", width, reduced_motion="reduce")
    expect(page.locator(".order-panel")).to_have_attribute("data-state", "pending")
    expect(page.locator(".timeline__step")).to_have_count(4)
    assert serious(page) == []
    assert small_targets(page) == []
    assert moving(page) == []


@pytest.mark.parametrize("width", [390, DESK_PX])
def test_a_payment_is_for_everybody(visit: Visit, demo_site: DemoSite, width: int) -> None:
    """A payment with claims and money to give back, open over the operators' page: axe and targets."""
    id = order(demo_site)
    paid = demo_site.ask("GET", f"/v1/ops/payments/{id}", None, "operator")
    claim = {
        "kind": "dispute", "reason": "fraudulent", "amount_minor": 40, "coins": 28, "frozen_coins": 20,
        "owed_coins": 8, "clawed_diamonds": 5, "lost_diamonds": 3,
    }  # fmt: skip
    gift = {"transfer": "00-1-11", "creator": "mira", "coins": 8, "diamonds": 5}
    claims = [claim | {"id": state, "state": state, "gifts": [gift]} for state in ("lost", "won")]
    answer = paid | {"state": "credited", "transfer": "14", "review": "paid 99, asked for 98 USD", "claims": claims}
    routes = {f"**/v1/ops/payments/{id}": lambda route: route.fulfill(json=answer)}
    page = visit(f"/ops?payment={id}", "operator", width, routes=routes, reduced_motion="reduce")
    expect(page.locator(".claim")).to_have_count(2)
    expect(page.get_by_label("Amount in USD")).to_be_visible()
    assert serious(page) == []
    assert small_targets(page) == []
    assert moving(page) == []


def test_a_sheet_is_for_everybody(visit: Visit, gifts: None) -> None:
    """The receipt of an entry, open over its statement."""
    page = open_page(visit, "wallet", 390)
    page.locator(".entry").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious(page) == []
