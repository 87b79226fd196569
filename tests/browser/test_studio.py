"""The studio page, in a real browser against the real demo."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.demo_site import DemoSite, Room

Visit = Callable[..., Page]
WIDTHS = (390, 768, 1440)


def state(page: Page, wanted: str) -> None:
    """The page says it is in this state."""
    expect(page.locator("html")).to_have_attribute("data-state", wanted)


def connected(page: Page) -> None:
    """The studio is open and follows the room."""
    state(page, "ready")
    expect(page.locator("html")).to_have_attribute("data-connection", "open")


def row_of(page: Page, sender: str, gift: str) -> Locator:
    """The newest feed row of this sender's gift."""
    return page.locator(".row").filter(has_text=sender).filter(has_text=gift).first


def unavailable(route: Route) -> None:
    """The server as it answers while an engine is away."""
    error = {"code": "unavailable", "message": "Not right now.", "temporary": True}
    route.fulfill(status=503, content_type="application/json", body=json.dumps({"error": error}))


def test_a_viewer_finds_the_way_to_a_studio(visit: Visit) -> None:
    """Somebody without a room is told why, and may be a creator instead."""
    page = visit("/studio", "ana")
    state(page, "not-a-creator")
    expect(page.locator("#gate")).to_contain_text("has no room")
    page.get_by_role("button", name=re.compile("^Mira")).click()
    connected(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Harbour")


def test_a_gift_arrives_and_is_shown(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """It is in the feed at once as not yet shown, adds to the day, and turns when an overlay has shown it."""
    page = visit("/studio", room.creator)
    connected(page)
    expect(page.locator("#diamonds")).to_have_attribute("data-value", re.compile(r"\d+"))
    before = int(page.locator("#diamonds").get_attribute("data-value") or "")
    receipt = demo_site.send("ben", room.id, "campfire", 3)
    row = row_of(page, "Ben", "Campfire ×3")
    expect(row).to_contain_text("Not yet shown")
    expect(row.locator(".row__diamonds")).to_contain_text(str(receipt["diamonds"]))
    expect(page.locator("#diamonds")).to_have_attribute("data-value", str(before + receipt["diamonds"]))
    expect(page.locator("#rate")).not_to_have_attribute("data-value", "0")
    demo_site.render(room.id, room.creator, [int(row.get_attribute("data-offset") or "")])
    expect(row).to_have_attribute("data-shown", "true")
    expect(row).not_to_contain_text("Not yet shown")


def test_what_was_sent_before_is_in_the_feed(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """Opening the studio late loses nothing, and the filter leaves what no overlay has shown."""
    demo_site.send("chloe", room.id, "fountain")
    page = visit("/studio", room.creator)
    connected(page)
    row = row_of(page, "Chlo", "Fountain")
    expect(row).to_be_visible()
    page.get_by_role("button", name=re.compile("Not yet shown")).click()
    expect(row).to_be_visible()
    expect(page.locator('.row[data-shown="true"]')).to_have_count(0)


def test_thanks_are_kept_and_a_replay_plays(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """The private tick survives a reload; a replay is seen in the preview and counts for nothing."""
    demo_site.send("dmitri", room.id, "kite")
    page = visit("/studio", room.creator)
    connected(page)
    thank = row_of(page, "Dmitri", "Kite").get_by_role("button", name="Thanked Dmitri")
    expect(thank).to_have_attribute("aria-pressed", "false")
    thank.click()
    page.reload()
    connected(page)
    row = row_of(page, "Dmitri", "Kite")
    expect(row.get_by_role("button", name="Thanked Dmitri")).to_have_attribute("aria-pressed", "true")
    rows = page.locator(".row").count()
    row.get_by_role("button", name=re.compile("^Replay Kite")).click()
    expect(page.locator('#preview .gs-lane[data-gift="kite"]')).to_be_visible()
    expect(page.locator(".row")).to_have_count(rows)


def test_a_test_gift_plays_and_moves_nothing(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """Of any tier: it is seen in the preview, and neither feed nor earnings know of it."""
    page = visit("/studio", room.creator)
    connected(page)
    before = demo_site.ask("GET", f"/v1/studio/{room.id}", None, room.creator)
    page.get_by_role("tab", name="Small").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Bright")).to_be_focused()
    page.get_by_role("button", name=re.compile("^Test Kite")).click()
    expect(page.locator('#preview .gs-lane[data-gift="kite"]')).to_be_visible()
    expect(page.locator(".row")).to_have_count(0)
    after = demo_site.ask("GET", f"/v1/studio/{room.id}", None, room.creator)
    assert (after["diamonds_today"], after["unshown"]) == (before["diamonds_today"], before["unshown"])


def test_the_live_switch_asks_before_it_closes(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """Ending a stream is asked twice, going live is not; the switch shows what the server says."""
    page = visit("/studio", room.creator)
    connected(page)
    switch = page.get_by_role("switch")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    page.get_by_role("button", name="Stay live").click()
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    page.get_by_role("button", name="Go offline").click()
    expect(switch).to_have_attribute("aria-checked", "false")
    assert demo_site.ask("GET", f"/v1/rooms/{room.id}")["status"] == "offline"
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    assert demo_site.ask("GET", f"/v1/rooms/{room.id}")["status"] == "live"


def test_a_refused_switch_stays_where_it_was(visit: Visit, room: Room) -> None:
    """The words say what is true now, and offer another try."""
    page = visit("/studio", room.creator, routes={f"**/v1/rooms/{room.id}/live": unavailable})
    connected(page)
    page.get_by_role("switch").click()
    page.get_by_role("button", name="Go offline").click()
    expect(page.locator(".toast")).to_contain_text("You are still live.")
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "true")


def test_the_overlay_link_is_hidden_copied_and_replaced(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """A stream of this page gives nothing away; a new link closes the old one."""
    page = visit("/studio", room.creator)
    connected(page)
    field = page.get_by_role("textbox", name="Overlay link")
    old = demo_site.ask("GET", f"/v1/studio/{room.id}", None, room.creator)["overlay_url"]
    assert old.rsplit("/", 1)[1] not in field.input_value()
    page.get_by_role("button", name="Copy the overlay link").click()
    expect(page.locator(".toast")).to_contain_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").endswith(old.rsplit("/", 1)[1])
    page.get_by_role("button", name="Show the link").click()
    expect(field).to_have_value(re.compile(re.escape(old.rsplit("/", 1)[1])))
    page.get_by_role("button", name="New link").click()
    page.get_by_role("button", name="Make a new link").click()
    expect(field).not_to_have_value(re.compile(re.escape(old.rsplit("/", 1)[1])))
    with pytest.raises(HTTPError) as refused:
        demo_site.ask("POST", "/v1/tickets", {"overlay": old.rsplit("/", 1)[1]})
    assert refused.value.code in (401, 403)
    refused.value.close()


def test_earnings_explain_every_line(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """Arrow keys reach the tab; pending has the day it becomes available, the bar is one."""
    demo_site.send("ana", room.id, "lighthouse")
    page = visit("/studio", room.creator)
    connected(page)
    page.get_by_role("tab", name="Live").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#panel-live")).to_be_hidden()
    pending = page.locator('.earnings__line[data-part="pending"]')
    expect(pending).to_contain_text("waits 14 days")
    expect(pending.locator(".earnings__amount")).to_have_text(re.compile(r"^[1-9]"))
    expect(page.locator(".bar")).to_have_count(1)
    expect(page.locator(".days__table tbody tr").first).to_contain_text("in 14 days")


def test_a_refused_studio_opens_on_the_next_try(visit: Visit, room: Room) -> None:
    """A sentence, and a button that helps."""
    page = visit("/studio", room.creator, routes={f"**/v1/studio/{room.id}": unavailable})
    state(page, "refused")
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.context.unroute(f"**/v1/studio/{room.id}")
    page.get_by_role("button", name="Try again").click()
    connected(page)


@pytest.mark.parametrize("width", WIDTHS)
def test_pictures(visit: Visit, demo_site: DemoSite, artifacts: Path, width: int) -> None:
    """What a designer looks at; nothing is wider than the screen."""
    page = visit("/studio", "mira", width)
    connected(page)
    gifts = ("lantern-fly", "paper-crane", "popcorn", "kite", "koi-pond", "dewdrop", "ice-palace", "clover")
    for person, gift in zip(("ana", "ben", "chloe", "dmitri") * 2, gifts, strict=True):
        demo_site.send(person, "harbour", gift)
    expect(row_of(page, "Dmitri", "Clover")).to_be_visible()
    expect(page.locator("#preview .gs-lane").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artifacts / f"studio-{width}.png", full_page=width < 1000)
    page.get_by_role("tab", name="Earnings").click()
    expect(page.locator(".earnings__line")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artifacts / f"studio-earnings-{width}.png")


def test_a_gift_that_the_totals_hold_is_not_added(visit: Visit, room: Room) -> None:
    """Whichever of the two arrives first; only gifts later than the totals' own time come on top."""
    page = visit("/studio", room.creator)
    connected(page)
    shown = page.evaluate(
        """async () => {
            const { Now } = await import('/static/js/studio/now.js');
            const [now, at_ms] = [new Now(), Date.now()];
            const day = () => ['diamonds', 'gifts-today'].map((id) => document.getElementById(id));
            const seen = () => day().map((part) => part.dataset.value ?? part.textContent);
            const steps = [
                () => now.gift({ at_ms: at_ms - 1, diamonds: 5 }),
                () => now.totals({ as_of_ms: at_ms, diamonds_today: 12, gifts_today: 1 }),
                () => now.gift({ at_ms, diamonds: 7 }),
                () => now.gift({ at_ms: at_ms + 1, diamonds: 2 }),
                () => now.totals({ as_of_ms: at_ms - 5, diamonds_today: 0, gifts_today: 0 }),
                () => now.totals({ as_of_ms: at_ms + 1, diamonds_today: 14, gifts_today: 3 }),
            ];
            return steps.map((step) => { step(); return seen(); });
        }"""
    )
    assert shown == [
        ["5", "from 1 gift"],
        ["12", "from 1 gift"],
        ["12", "from 1 gift"],
        ["14", "from 2 gifts"],
        ["14", "from 2 gifts"],
        ["14", "from 3 gifts"],
    ]


def test_the_line_begins_where_gifts_are_known(visit: Visit, room: Room) -> None:
    """A busy stream's past is not all fetched: what is not known is no silence."""
    page = visit("/studio", room.creator)
    expect(page.locator("html")).to_have_attribute("data-connection", "open")
    values = page.evaluate(
        """async () => {
          const { Pulse } = await import('/static/js/studio/pulse.js');
          const [pulse, now] = [new Pulse(), 1_800_000_000_000];
          for (let ago = 0; ago < 30; ago += 1) pulse.add(now - ago * 10_000);
          pulse.knownFrom(now - 29 * 10_000);
          return pulse.values(now);
        }"""
    )
    assert values == [None] * 32 + [6] * 8
    page.evaluate(
        """async () => {
          const { Sparkline } = await import('/static/js/ui/sparkline.js');
          globalThis.line = new Sparkline(document.getElementById('pulse'), (values) => String(values.length));
          line.draw([null, null, 2, 4]);
        }"""
    )
    begins = page.locator("#pulse .sparkline__line").evaluate(
        "(line) => line.getBBox().x / line.ownerSVGElement.clientWidth"
    )
    assert begins > 0.5
