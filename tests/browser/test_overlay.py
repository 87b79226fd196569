"""The overlay page, in a real browser against the real demo."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from tests.browser.demo_site import DemoSite, holds, until

Visit = Callable[..., Page]
SIZE = {"width": 1920, "height": 1080}


def link(demo_site: DemoSite, room: str = "attic", creator: str = "tomas") -> str:
    """Path of the room's overlay."""
    return demo_site.overlay_path(room, creator)


def opened(visit: Visit, path: str, **options: Any) -> Page:
    """An overlay of OBS's size, connected."""
    page = visit(path, None, **options)
    page.set_viewport_size(SIZE)
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    return page


def test_it_shows_a_gift_and_says_so(visit: Visit, demo_site: DemoSite) -> None:
    """A gift appears in a lane on nothing else, and the studio hears that it was shown."""
    page = opened(visit, link(demo_site))
    page.evaluate(
        "() => { globalThis.got = []; giftserver.client.addEventListener('gift', ({ detail }) => got.push(detail)); }"
    )
    demo_site.send("ana", "attic", "paper-crane")
    lane = page.locator(".gs-lane[data-sender=ana][data-gift=paper-crane]")
    expect(lane).to_be_visible()
    expect(lane).to_contain_text("Ana")
    holds(page, "giftserver.shown >= 1")
    background = (
        "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor"
    )
    assert page.evaluate(background) == "rgba(0, 0, 0, 0)" * 2
    offset = page.evaluate("got.find((push) => push.sender.id === 'ana').offset")
    holds(page, "giftserver.client.state === 'open'")
    expect_shown(demo_site, offset)


def expect_shown(demo_site: DemoSite, offset: int) -> None:
    """The studio no longer counts this offset as unshown."""
    until(lambda: offset not in demo_site.unshown("attic", "tomas"))


def test_it_resumes_after_a_break_without_losing_or_repeating(visit: Visit, demo_site: DemoSite) -> None:
    """What was sent during the break follows on the next connection, each gift once."""
    path = link(demo_site)
    page = opened(visit, path)
    sockets: list[WebSocketRoute] = []
    away = [False]

    def through(socket: WebSocketRoute) -> None:
        if away[0]:
            socket.close(code=4001, reason="draining")
            return
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/v1/rooms/"), through)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    page.evaluate(
        """() => { globalThis.keys = []; giftserver.client.addEventListener('gift', ({ detail }) => {
             if (detail.sender.id === 'ben') keys.push(detail.transfer); }); }"""
    )
    before = demo_site.send("ben", "attic", "clover")["transfer"]
    holds(page, "keys.length === 1")
    away[0] = True
    sockets[-1].close(code=4001, reason="draining")
    expect(page.locator("html")).to_have_attribute("data-state", "waiting")
    missed = [demo_site.send("ben", "attic", "clover")["transfer"] for _ in range(3)]
    away[0] = False
    holds(page, "keys.length >= 4", 20)
    assert page.evaluate("keys") == [before, *missed]


def test_a_reloaded_source_resumes_where_it_had_shown(visit: Visit, demo_site: DemoSite) -> None:
    """Position is kept for two minutes: a gift sent while the page was away is shown after the reload."""
    path = link(demo_site)
    page = opened(visit, path)
    holds(page, "Object.keys(sessionStorage).some((key) => key.startsWith('giftserver.overlay.'))")
    page.goto("about:blank")
    demo_site.send("chloe", "attic", "rose")
    page.goto(demo_site.url + path)
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    expect(page.locator(".gs-lane[data-sender=chloe][data-gift=rose]")).to_be_visible()


def twice_refused(refused: list[str]) -> Callable[[Route], None]:
    """A route that is away for its first two requests."""

    def answer(route: Route) -> None:
        if len(refused) < 2:
            refused.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    return answer


def test_it_starts_by_itself_when_the_server_comes_back(chromium: Browser, demo_site: DemoSite) -> None:
    """Catalogue, tickets or its own code refused at first: nobody presses reload, and it opens all the same."""
    path = link(demo_site)
    tries: list[tuple[Page, list[str]]] = []
    for pattern in ("**/v1/catalog", "**/v1/tickets", "**/js/giftclient.js"):
        page = chromium.new_context(viewport=SIZE).new_page()
        refused: list[str] = []
        page.route(pattern, twice_refused(refused))
        page.goto(demo_site.url + path)
        tries.append((page, refused))
    for page, refused in tries:
        expect(page.locator("html")).to_have_attribute("data-state", "open", timeout=30_000)
        assert len(refused) == 2
        page.context.close()


def test_a_test_gift_comes_from_the_studio_and_counts_nothing(visit: Visit, demo_site: DemoSite) -> None:
    """The push shows like a gift; totals stay."""
    page = opened(visit, link(demo_site, "meadow", "ines"))
    demo_site.ask("POST", "/v1/studio/meadow/test-gift", {"gift": "paper-boat"}, "ines")
    lane = page.locator(".gs-lane[data-gift=paper-boat][data-sender^=test-]")
    expect(lane).to_be_visible()


def test_min_coins_leaves_small_gifts_out_and_owes_nothing(visit: Visit, demo_site: DemoSite) -> None:
    """Below the creator's own threshold nothing is drawn, and the studio does not wait for it."""
    page = opened(visit, link(demo_site) + "?min_coins=50")
    page.evaluate(
        "() => { globalThis.got = []; giftserver.client.addEventListener('gift', ({ detail }) => got.push(detail)); }"
    )
    demo_site.send("dmitri", "attic", "strawberry")
    holds(page, "got.some((push) => push.sender.id === 'dmitri' && push.gift === 'strawberry')")
    demo_site.send("dmitri", "attic", "campfire")
    expect(page.locator(".gs-lane[data-sender=dmitri][data-gift=campfire]")).to_be_visible()
    expect(page.locator(".gs-lane[data-sender=dmitri][data-gift=strawberry]:visible")).to_have_count(0)
    expect_shown(demo_site, page.evaluate("got.find((push) => push.gift === 'strawberry').offset"))


def test_options_of_the_address_are_bounded(visit: Visit, demo_site: DemoSite) -> None:
    """Every parameter is read, nonsense is its default, extremes are cut."""
    query = "?lanes=99&min_coins=-4&volume=abc&scale=2&quality=low&theme=strong"
    page = opened(visit, link(demo_site) + query)
    options = page.evaluate("giftserver.options")
    assert options["lanes"] == 6
    assert (options["minCoins"], options["volume"], options["scale"], options["quality"]) == (0, 0.8, 2, "low")
    expect(page.locator("html")).to_have_attribute("data-theme", "strong")
    assert page.evaluate("document.querySelector('#layer').getBoundingClientRect().width") == SIZE["width"]


def test_setup_shows_what_it_does_and_tries_gifts(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """Guides, state, frame time and test buttons; a test draws here and costs nothing."""
    page = opened(visit, link(demo_site) + "?setup=1")
    panel = page.get_by_role("region", name="Overlay setup")
    expect(panel).to_contain_text("Connected")
    expect(panel).to_contain_text("ms typical")
    panel.get_by_role("button", name="Small").click()
    panel.get_by_role("button", name="Show").click()
    expect(page.locator(".gs-lane[data-sender=test]").first).to_be_visible()
    expect(page.locator(".gs-stage[data-sender=test]")).to_be_attached()
    page.screenshot(path=artifacts / "overlay-setup.png")


@pytest.mark.parametrize(("query", "hints"), [("", 0), ("?setup=1", 1)])
def test_a_void_link_says_so_only_in_setup(visit: Visit, demo_site: DemoSite, query: str, hints: int) -> None:
    """After a rotation the old address keeps trying in silence; setup says what to do."""
    old = link(demo_site, "meadow", "ines")
    demo_site.ask("POST", "/v1/studio/meadow/overlay/rotate", {}, "ines")
    page = visit(old + query)
    expect(page.locator("html")).to_have_attribute("data-state", "waiting")
    expect(page.locator(".setup__hint:visible")).to_have_count(hints)
    if hints:
        expect(page.locator(".setup__hint")).to_contain_text("a new one was made in the studio")
    else:
        assert page.locator("body").inner_text().strip() == ""
