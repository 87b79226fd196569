"""The viewer page, in a real browser against the real demo."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, WebSocketRoute, expect

from tests.browser.demo_site import DemoSite, holds

Visit = Callable[..., Page]
WIDTHS = (390, 768, 1440)


@pytest.fixture
def live(demo_site: DemoSite) -> Iterator[Callable[[bool], None]]:
    """`live(False)` ends mira's stream; it is on again afterwards."""

    def switch(on: bool) -> None:
        demo_site.ask("POST", "/v1/rooms/harbour/live", {"live": on}, "mira")

    switch(True)
    yield switch
    switch(True)


def opened(visit: Visit, person: str | None = "ana", width: int = 390, **options: Any) -> Page:
    """The harbour, connected."""
    page = visit("/rooms/harbour", person, width, **options)
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    if person is not None:
        expect(page.locator(".wallet")).to_be_visible()
        holds(page, "giftserver.client.balance.coins !== null")
    return page


def coins(page: Page) -> int:
    """Coins by the last word of the server."""
    found: int = page.evaluate("giftserver.client.balance.coins")
    return found


def choose(page: Page, tier: str, gift: str) -> Locator:
    """Open the panel if need be and choose a gift; the send button."""
    if page.locator(".open-panel").is_visible() and not page.locator(".panel").is_visible():
        page.locator(".open-panel").click()
    page.locator(f"#tab-{tier}").click()
    page.locator(f".gift[data-gift={gift}]").click()
    return page.locator(".send")


def counted(page: Page) -> int:
    """The n of the ring's ×n."""
    return int(page.locator(".ring__times").get_attribute("data-value") or 0)


def over(page: Page, target: Locator) -> None:
    """The pointer on its middle at once: the ring does not wait until Playwright finds it calm."""
    box = target.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def answered(page: Page) -> None:
    """Everything that was sent has its final reply."""
    holds(page, "giftserver.client.pending.length === 0")


def test_a_guest_watches_and_is_told_how_to_get_in(visit: Visit) -> None:
    """Without an identity: the stage and the feed, no coins; the demo offers its people, and one of them may send."""
    page = opened(visit, None)
    expect(page.locator(".invite__words")).to_have_text("You are watching as a guest.")
    expect(page.locator(".quick")).to_be_hidden()
    page.get_by_role("button", name="Choose who you are").click()
    page.get_by_role("dialog", name="Who are you?").locator("[data-person=ben]").click()
    expect(page.locator(".invite")).to_be_hidden()
    expect(page.locator(".wallet")).to_be_visible()
    holds(page, "giftserver.client.you?.id === 'ben'")


def test_outside_the_demo_there_is_no_switch(visit: Visit) -> None:
    """Where /demo/people is not there, nobody can be chosen, and the words say where to sign in."""
    page = opened(visit, None, routes={"**/demo/people": lambda route: route.fulfill(status=404, body="{}")})
    expect(page.locator(".invite__words")).to_contain_text("Sign in on the site that brought you here")
    expect(page.locator(".invite__button")).to_be_hidden()
    page.locator(".menu-button").click()
    expect(page.get_by_role("dialog", name="This stream")).to_be_visible()
    expect(page.locator("[data-person]")).to_have_count(0)


def test_a_combo_by_tap_hold_and_space_bar(visit: Visit) -> None:
    """The send button becomes the ring; what it counts is what was paid, and the server ends it."""
    page = opened(visit)
    before = coins(page)
    choose(page, "tray", "clover").click()
    ring = page.locator(".ring")
    expect(ring).to_be_visible()
    over(page, ring)
    page.mouse.down()
    holds(page, "Number(document.querySelector('.ring__times').dataset.value) >= 5")
    page.mouse.up()
    held = counted(page)
    page.keyboard.press("Space")
    assert counted(page) == held + 1
    answered(page)
    assert counted(page) == before - coins(page)
    expect(page.locator(".feed__line[data-own=true]").last).to_contain_text(f"×{counted(page)}")
    expect(ring).to_be_hidden()
    expect(page.locator(".send")).to_be_visible()


def test_the_balance_falls_at_once_and_settles_on_the_receipt(visit: Visit) -> None:
    """Before the reply the coins are gone from the number; receipts go from accepted to settled."""
    page = opened(visit)
    before = coins(page)
    shown = page.evaluate(
        "() => { document.querySelector('.quick__gift').click(); return giftserver.client.balance.shown_coins; }"
    )
    assert shown < before
    answered(page)
    assert coins(page) == shown
    page.locator(".wallet").click()
    receipt = page.locator(".receipt").first
    expect(receipt).to_have_attribute("data-state", "settled", timeout=15_000)
    expect(receipt).to_contain_text("Settled")
    expect(page.locator(".wallet-sheet__coins")).to_have_attribute("data-value", str(shown))


def test_a_dear_gift_is_asked_about_first(visit: Visit) -> None:
    """Above 1,000 coins in all: a refusal sends nothing, a yes sends once, and the sheet makes room for the show."""
    page = opened(visit, "chloe")
    before = coins(page)
    choose(page, "full", "moon-rabbit").click()
    sheet = page.get_by_role("dialog", name="Send Moon Rabbit?")
    expect(sheet).to_contain_text("For Mira")
    expect(sheet.get_by_role("button", name="Not now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(sheet).to_be_hidden()
    assert coins(page) == before
    page.locator(".send").click()
    sheet.get_by_role("button", name="Send it").click()
    holds(page, f"giftserver.client.balance.coins === {before - 1_200}")
    answered(page)
    assert coins(page) == before - 1_200
    expect(page.locator(".panel")).to_be_hidden()
    expect(page.locator(".feed__line[data-own=true]").last).to_contain_text("Moon Rabbit")


def test_many_small_gifts_together_are_dear_too(visit: Visit) -> None:
    """99 times 20 coins asks first and never becomes a ring that could be held."""
    page = opened(visit, "chloe")
    choose(page, "burst", "sunflower")
    page.locator(".chip[data-quantity='99']").click()
    expect(page.locator(".send")).to_have_accessible_name("Send 99 Sunflower for 1,980 coins, ≈ USD 28.32")
    page.locator(".send").click()
    expect(page.get_by_role("dialog", name="Send Sunflower ×99?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".ring")).to_be_hidden()


def test_too_few_coins_says_so_and_offers_more(visit: Visit) -> None:
    """The sentence has both numbers; the button adds coins, and the gift can be sent after enough of them."""
    page = opened(visit, "dmitri")
    before = coins(page)
    choose(page, "epic", "cosmos-loom").click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text(f"You have {before:,} coins left. This gift is 44,999.")
    notice.get_by_role("button", name="Get 1,000 coins").click()
    holds(page, f"giftserver.client.balance.coins === {before + 1_000}")
    expect(page.locator(".panel__coins")).to_have_attribute("data-value", str(before + 1_000))


def test_more_coins_tried_again_come_once(visit: Visit) -> None:
    """A top-up whose answer is lost is asked for again under its key."""
    page = opened(visit, "ben")
    before = coins(page)
    keys: list[str] = []

    def swallow_the_first(route: Route) -> None:
        keys.append(route.request.post_data_json["key"])
        if len(keys) == 1:
            assert route.fetch().ok
            route.abort()
        else:
            route.continue_()

    page.route("**/demo/topup", swallow_the_first)
    page.locator(".wallet").click()
    page.get_by_role("button", name="Get 1,000 coins").click()
    page.keyboard.press("Escape")
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("1,000 coins are yours.")
    holds(page, f"giftserver.client.balance.coins === {before + 1_000}")
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_locked_gift_says_why(visit: Visit) -> None:
    """It cannot be chosen, and the reason is on it and in words."""
    page = opened(visit)
    page.locator(".open-panel").click()
    page.locator("#tab-epic").click()
    locked = page.locator(".gift[aria-disabled=true]").first
    expect(locked).to_contain_text(re.compile(r"Level \d+"))
    locked.click(force=True)
    expect(page.get_by_role("alert")).to_contain_text("is not open to you yet")
    expect(page.locator(".send")).to_be_hidden()


def test_an_offline_room_says_so_on_the_stage_and_at_the_tap(visit: Visit, live: Callable[[bool], None]) -> None:
    """Gifts are for live streams: the stage goes dark, a tap is refused in words, and both end with the break."""
    page = opened(visit)
    live(False)
    expect(page.locator(".stage__offline")).to_contain_text("Mira is not live right now.")
    page.locator(".quick__gift").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Gifts open again with the next stream.")
    expect(page.get_by_role("alert").get_by_role("button", name="See who is live")).to_be_visible()
    live(True)
    expect(page.locator(".stage__offline")).to_be_hidden()


def test_the_creator_cannot_send_to_herself(visit: Visit) -> None:
    """Refused here, in words."""
    page = opened(visit, "mira")
    page.locator(".quick__gift").first.click()
    expect(page.get_by_role("alert")).to_contain_text("This is your own stream")


def test_a_gift_tapped_while_the_network_is_away_arrives_once(visit: Visit) -> None:
    """The pill and a notice say so; the gift goes out with the next connection, and is charged once."""
    page = opened(visit, "ben")
    away, sockets = [False], []

    def through(socket: WebSocketRoute) -> None:
        if away[0]:
            socket.close(code=4008, reason="away")
            return
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/v1/rooms/"), through)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    holds(page, "giftserver.client.balance.coins !== null")
    before = coins(page)
    away[0] = True
    sockets[-1].close(code=4008, reason="away")
    expect(page.locator("html")).to_have_attribute("data-state", "waiting")
    expect(page.locator(".connection")).to_have_text("Reconnecting…")
    price = int(page.locator(".quick__price").first.inner_text())
    page.locator(".quick__gift").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Reconnecting… Your gift goes out in a moment.")
    away[0] = False
    expect(page.locator("html")).to_have_attribute("data-state", "open", timeout=20_000)
    answered(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert coins(page) == before - price


def test_totals_follow_the_counting_rule(visit: Visit, demo_site: DemoSite) -> None:
    """Two gifts of a combo from elsewhere: the sum of their own quantities, and one line in the feed."""
    page = visit("/rooms/attic", "ana", 390)
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    script = """([sender]) => {
        globalThis.counted = { quantity: 0, top: 0 };
        giftserver.client.addEventListener('gift', ({ detail }) => {
          if (detail.sender.id !== sender) return;
          counted.quantity += detail.quantity;
          counted.top = Math.max(counted.top, detail.combo_quantity);
        });
      }"""
    page.evaluate(script, ["dmitri"])
    demo_site.send("dmitri", "attic", "clover", 2)
    demo_site.send("dmitri", "attic", "clover", 3)
    holds(page, "counted.quantity === 5 && counted.top === 5")
    line = page.locator(".feed__line", has_text="Dmitri Clover").last
    expect(line).to_contain_text("×5")
    expect(page.locator(".spoken p").first).to_be_attached(timeout=10_000)


def test_the_keyboard_is_enough(visit: Visit) -> None:
    """Open, steer the grid, send, and leave: focus stays in the open panel and returns where it was."""
    page = opened(visit)
    page.locator(".open-panel").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".panel")).to_be_visible()
    expect(page.locator(".gift").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".gift").nth(5)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".send")).to_be_visible()
    for _ in range(14):
        page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || document.activeElement.closest('.panel') !== null"
        assert page.evaluate(inside), page.evaluate("document.activeElement.outerHTML.slice(0, 100)")
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()
    expect(page.locator(".open-panel")).to_be_focused()


def test_mute_and_hidden_effects_are_kept(visit: Visit) -> None:
    """The choices reach the gift layer and survive a reload."""
    page = opened(visit)
    page.locator(".menu-button").click()
    page.locator("[data-toggle=effects]").click()
    expect(page.locator(".gs-layer")).to_have_class(re.compile("gs-quiet"))
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    page.keyboard.press("Shift")
    expect(page.locator(".gs-layer")).to_have_class(re.compile("gs-quiet"))
    page.locator(".menu-button").click()
    expect(page.locator("[data-toggle=effects]")).to_have_attribute("aria-checked", "false")


def test_reduced_motion_is_respected(visit: Visit) -> None:
    """No page animation runs longer than a blink; the gift layer shows stills."""
    page = opened(visit, reduced_motion="reduce")
    page.keyboard.press("Shift")
    expect(page.locator(".gs-layer")).to_have_class(re.compile("gs-reduced"))
    longest = """() => Math.max(0, ...document.getAnimations()
        .filter((one) => !one.effect.target.closest('.gs-layer'))
        .map((one) => one.effect.getComputedTiming().activeDuration))"""
    assert page.evaluate(longest) <= 20


def test_a_room_that_does_not_exist_says_so(visit: Visit) -> None:
    """A sentence and the way to rooms that do."""
    page = visit("/rooms/nowhere", None, 390)
    expect(page.get_by_role("heading", name="There is no such room")).to_be_visible()
    expect(page.get_by_role("link", name="See who is live")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_pictures(visit: Visit, demo_site: DemoSite, artifacts: Path, width: int) -> None:
    """What it looks like: in the middle of an evening, with the panel open, and asked about a dear gift."""
    for person, gift in (("ben", "kite"), ("dmitri", "paper-boat"), ("chloe", "clover"), ("ben", "lighthouse")):
        demo_site.send(person, "harbour", gift)
    page = opened(visit, width=width)
    demo_site.send("dmitri", "harbour", "pixel-heart", 3)
    expect(page.locator(".gs-lane:visible").first).to_be_visible()
    page.screenshot(path=artifacts / f"viewer-{width}.png")
    send = choose(page, "tray", "pixel-heart")
    send.click()
    over(page, page.locator(".ring"))
    page.mouse.down()
    page.mouse.up()
    assert counted(page) >= 2  # a busy machine may take the press for a hold
    page.screenshot(path=artifacts / f"viewer-panel-{width}.png")
    choose(page, "full", "sky-harbour").click()
    expect(page.locator(".confirm__art")).to_be_visible()
    holds(page, "document.querySelector('.confirm').getAnimations().every((one) => one.playState === 'finished')")
    page.screenshot(path=artifacts / f"viewer-confirm-{width}.png")
