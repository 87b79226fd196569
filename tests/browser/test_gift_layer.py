"""The gift layer in a real browser: what it shows, in which order, and that nothing is lost or doubled."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from giftserver.gifts.catalog import Catalog, load_catalog

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("gift_layer.html")


class _Site(SimpleHTTPRequestHandler):
    catalog: Catalog

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        if self.path == "/":
            self._send(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif self.path == "/v1/catalog":
            self._send(self.catalog.public_json, "application/json")
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


TRIES = 6


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The static files and the catalogue, served on loopback."""
    _Site.catalog = load_catalog()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Site, directory=str(ROOT)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def tabs(chromium: Browser) -> Iterator[BrowserContext]:
    """One profile for all pages, so that the layer's code is fetched once."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    yield context
    context.close()


@pytest.fixture
def page(tabs: BrowserContext, site: str) -> Iterator[Page]:
    """A page with the layer's code; it must not log an error."""
    page = tabs.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(site)
    page.wait_for_function("window.ready")
    yield page
    page.close()
    assert faults == []


def opened(page: Page, **options: Any) -> Page:
    page.evaluate("options => open_layer(options)", options)
    return page


def hurry(page: Page, rate: float) -> None:
    """Let every animation of the page run this much faster: lanes and folded sums live as long as theirs do."""
    session = page.context.new_cdp_session(page)
    session.send("Animation.enable")
    session.send("Animation.setPlaybackRate", {"playbackRate": rate})


SHEETS = {
    "tray": ["dewdrop", "lantern-fly", "pixel-heart", "thumb-drum"],
    "burst": ["kite", "cloud-hug", "campfire", "party-pop", "paper-boat"],
    "half": ["lighthouse", "dolphin-leap", "swan-lake", "koi-pond", "midnight-tram", "ice-palace"],
    "full": ["meteor-rain", "sky-harbour", "peacock-fan", "cloud-dragon", "deep-whale", "star-foundry"],
    "epic": ["crown-of-lions", "phoenix-parade", "winter-express", "thousand-lanterns", "ocean-opera", "cosmos-loom"],
}


@pytest.mark.parametrize("tier", SHEETS)
def test_contact_sheet(page: Page, artifacts: Path, tier: str) -> None:
    """Each tier's animation at 0, 25, 50 and 75 %, to be looked at; no two moments are the same picture."""
    gifts = SHEETS[tier]
    page.set_viewport_size({"width": 640 * 4 + 12, "height": 364 * len(gifts)})
    page.evaluate("([gifts, fractions]) => sheet(gifts, fractions)", [gifts, [0, 0.25, 0.5, 0.75]])
    page.screenshot(path=artifacts / f"gift-layer-{tier}.png")
    cells = [cell.screenshot() for cell in page.locator(".cell").all()[:4]]
    assert len(set(cells)) == 4


def test_every_gift_draws(page: Page) -> None:
    """Every gift of the catalogue has a recipe that is accepted and paints something at its middle."""
    opened(page)
    unpainted = page.evaluate("unpaintedGifts()")
    assert unpainted == []


@pytest.mark.parametrize(
    ("width", "height", "lanes"), [(390, 844, 2), (320, 568, 2), (844, 390, 2), (568, 320, 2), (1036, 900, 3)]
)
def test_lanes_leave_the_words_of_great_gifts_alone(page: Page, width: int, height: int, lanes: int) -> None:
    """On phones either way up, and on a desk: no lane stands on who sends what, or on the thanks of an epic gift."""
    page.set_viewport_size({"width": width, "height": height})
    opened(page, lanes=lanes)
    gifts = [gift.id for gift in load_catalog().gifts.values() if gift.tier in ("full", "epic")]
    epic = [gift.id for gift in load_catalog().gifts.values() if gift.tier == "epic"]
    assert page.evaluate("gifts => coveredWords(gifts, .26)", gifts) == []
    assert page.evaluate("gifts => coveredWords(gifts, .85)", epic) == []


def test_seek_is_deterministic(page: Page) -> None:
    """The same gift at the same moment is the same picture."""
    opened(page)
    picture = (
        "async () => { await layer.seek('star-foundry', .6); return document.querySelector('.gs-canvas').toDataURL(); }"
    )
    first = page.evaluate(picture)
    page.evaluate("() => layer.seek('deep-whale', .3)")
    assert page.evaluate(picture) == first


@pytest.mark.parametrize(("quality", "cap"), [("high", 400), ("low", 200)])
def test_particles_stay_under_their_cap(page: Page, quality: str, cap: int) -> None:
    """However much is sent, no more particles live than the quality allows."""
    opened(page, quality=quality)
    for _ in range(TRIES):  # a busy machine draws few frames, and each one makes particles
        most = page.evaluate("mostParticles()")
        assert most <= cap
        if most > cap * 0.4:
            return
    pytest.fail(f"never more than {most} particles of {cap}: nothing was tried")


def test_duplicate_offsets_are_ignored(page: Page) -> None:
    """A push that comes twice changes nothing, unless the epoch is new."""
    opened(page)
    page.evaluate("() => { combo(1, 'dewdrop', 'ana', 1); }")
    page.evaluate("() => { combo(2, 'dewdrop', 'ana', 2); combo(2, 'dewdrop', 'ana', 9); }")
    assert page.locator(".gs-lane:visible .gs-count").all_inner_texts() == ["×2"]
    assert page.evaluate("rendered") == [1, 2]
    page.evaluate("() => { layer.set({ epoch: '2' }); push(2, 'clover', 'ben'); }")
    page.wait_for_function("rendered.length === 3")


def test_combo_number_is_the_maximum_never_the_sum(page: Page) -> None:
    """Pushes of a combo may come late; the number only grows, and its end settles it."""
    opened(page)
    page.evaluate("""() => { [3, 10, 7].forEach((n, i) => combo(i + 1, 'dewdrop', 'ana', n, 3)); }""")
    count = page.locator(".gs-lane:visible .gs-count")
    assert count.all_inner_texts() == ["×10"]
    page.evaluate("() => layer.endCombo({ offset: 9, combo: 'c', gift: 'dewdrop', quantity: 12, coins: 12 })")
    assert count.all_inner_texts() == ["×12"]


def test_lane_lives_three_seconds_after_its_last_tap(page: Page) -> None:
    """A tap gives a lane its time again; then it goes by itself."""
    opened(page)
    lived_ms = page.evaluate(
        """async () => {
          const until = async done => { while (!done()) await new Promise(requestAnimationFrame); };
          const began = performance.now();
          combo(1, 'dewdrop', 'ana', 1);
          await until(() => performance.now() - began > 800);
          const tapped = performance.now();
          combo(2, 'dewdrop', 'ana', 2);
          await until(() => layer.stats.lanes === 0);
          return performance.now() - tapped;
        }"""
    )
    assert 2900 < lived_ms < 4500


def test_own_gift_first_then_value_with_ageing(page: Page) -> None:
    """While a show plays, the rest waits as a stack; the viewer's own goes first, then the dearest."""
    opened(page, meId="me")
    page.evaluate(
        """() => { push(1, 'fountain', 'ana'); push(2, 'meteor-rain', 'ben');
          push(3, 'phoenix-parade', 'chloe'); push(4, 'lighthouse', 'me'); }"""
    )
    page.wait_for_selector(".gs-stage[data-gift=fountain]")
    assert page.locator(".gs-stack-text").inner_text() == "3 waiting"
    page.wait_for_selector(".gs-stage[data-gift=lighthouse][data-sender=me]", timeout=15_000)
    page.wait_for_selector(".gs-stage[data-gift=phoenix-parade]", timeout=15_000)
    order = page.evaluate("turnedOver()")
    assert order == ["dear", "old", "late"]
    assert page.evaluate("agedPassesDear()")


def test_nothing_is_lost_in_a_flood(page: Page) -> None:
    """Small gifts without room are folded and say so; every offset is shown once, the dear ones as themselves."""
    opened(page, lanes=2)
    hurry(page, 4)
    page.evaluate(
        """() => {
          for (let i = 1; i <= 60; i += 1) {
            if (i === 30) combo(i, 'paper-boat', 'dear', 2, 2);
            else push(i, 'dewdrop', `s${i % 20}`);
          }
        }"""
    )
    fold = page.locator(".gs-fold-text")
    fold.wait_for()
    assert "small gifts from" in fold.inner_text()
    page.wait_for_selector(".gs-lane[data-gift=paper-boat]:visible", timeout=10_000)
    page.wait_for_function("rendered.length >= 60", timeout=30_000)
    assert sorted(page.evaluate("rendered")) == list(range(1, 61))


def test_folded_gifts_are_told(page: Page) -> None:
    """What the server folded is told with its number and its people, once per offset."""
    opened(page)
    hurry(page, 8)
    folded = {
        "offset": 50,
        "items": [
            {"gift": "dewdrop", "quantity": 30, "coins": 30, "senders": 9},
            {"gift": "clover", "quantity": 7, "coins": 7, "senders": 3},
        ],
    }
    page.evaluate("folded => { layer.fold(folded); layer.fold(folded); }", folded)
    assert page.locator(".gs-fold-text").inner_text() == "+37 small gifts from 12 people"
    page.wait_for_selector(".gs-fold", state="hidden", timeout=10_000)


def test_hidden_tab_catches_up(page: Page) -> None:
    """While hidden nothing plays; on return small gifts are folded and great ones are shown."""
    opened(page)
    page.evaluate(
        "() => { hide(true); for (let i = 1; i <= 9; i += 1) push(i, 'clover', `s${i}`); push(10, 'fountain', 'ana'); }"
    )
    assert page.evaluate("rendered") == []
    assert page.locator(".gs-lane:visible, .gs-fold:visible, .gs-caption:visible").count() == 0
    page.evaluate("() => hide(false)")
    assert page.locator(".gs-fold-text").inner_text() == "+9 small gifts from 9 people"
    page.wait_for_selector(".gs-stage[data-gift=fountain]")
    page.wait_for_function("rendered.length === 10")


def test_reduced_motion_says_the_same_without_moving(page: Page) -> None:
    """Reduced motion: the gift as a still with its words, no particles, nothing that changes place."""
    page.emulate_media(reduced_motion="reduce")
    opened(page, reducedMotion=None)
    page.evaluate("() => { push(1, 'meteor-rain', 'ana'); push(2, 'kite', 'ben'); }")
    page.wait_for_selector(".gs-stage .gs-still")
    assert "Meteor" in page.locator(".gs-caption-gift").inner_text()
    assert page.locator(".gs-caption-name").inner_text() == "ana"
    assert page.locator(".gs-lane:visible .gs-lane-name").inner_text() == "ben"
    assert page.evaluate("movingAnimations()") == 0
    assert page.evaluate("layer.stats.particlesAlive") == 0


def test_hidden_effects_still_tell_who_gave_what(page: Page) -> None:
    """With effects hidden a great gift is a line in the tray."""
    opened(page, hideEffects=True)
    page.evaluate("() => push(1, 'phoenix-parade', 'ana')")
    assert page.locator(".gs-lane:visible .gs-lane-gift").inner_text() == "sends Phoenix Parade"
    assert page.evaluate("rendered") == [1]


def test_minimum_hides_only_what_is_below_it(page: Page) -> None:
    """`minCoins` leaves out cheaper gifts until their combo is worth it."""
    opened(page, minCoins=10)
    page.evaluate("() => { combo(1, 'dewdrop', 'ana', 9); combo(2, 'dewdrop', 'ana', 10); }")
    page.wait_for_function("rendered.length === 1")
    assert page.evaluate("rendered") == [2]


def test_unknown_gift_is_shown_plainly(page: Page) -> None:
    """A gift newer than the page's catalogue is not lost."""
    opened(page)
    page.evaluate("() => push(1, 'brand-new', 'ana')")
    assert page.locator(".gs-lane:visible .gs-lane-gift").inner_text() == "sends brand new"


def test_names_are_text_never_markup(page: Page) -> None:
    """A sender's name cannot bring elements into the page."""
    opened(page)
    page.evaluate("() => { push(1, 'dewdrop', '<img src=x onerror=alert(1)>'); push(2, 'fountain', '<b>bold</b>'); }")
    page.wait_for_selector(".gs-stage[data-gift=fountain]")
    assert page.locator(".gs-layer b").count() == 0
    assert page.locator(".gs-lane:visible .gs-lane-name").inner_text() == "<img src=x onerror=alert(1)>"


def test_document_does_not_grow(page: Page) -> None:
    """After a thousand gifts and their end there are no more elements and animations than before."""
    opened(page, hideEffects=True)
    hurry(page, 8)
    before = page.evaluate("document.querySelectorAll('*').length")
    page.evaluate("() => { for (let i = 1; i <= 1000; i += 1) push(i, 'clover', `s${i}`, { combo: `c${i}` }); }")
    page.wait_for_function(
        "layer.stats.lanes === 0 && layer.stats.queued === 0 && rendered.length === 1000", timeout=60_000
    )
    page.wait_for_selector(".gs-fold", state="hidden", timeout=10_000)
    assert page.evaluate("document.querySelectorAll('*').length") == before
    assert page.evaluate("document.getAnimations().filter(one => one.playState === 'running').length") == 0
    page.evaluate("() => layer.destroy()")
    assert page.locator(".gs-layer").count() == 0


def test_no_more_than_three_flashes_a_second(page: Page) -> None:
    """The guard lets three flashes start in any second, over everything that plays."""
    opened(page)
    allowed = page.evaluate(
        """async () => {
          const { FlashGuard } = await import('/static/js/gifts/flash.js');
          const guard = new FlashGuard(), starts = [];
          for (let i = 0; i < 400; i += 1) if (guard.allow(i * .01)) starts.push(i * .01);
          return starts;
        }"""
    )
    assert all(sum(start <= other < start + 1 for other in allowed) <= 3 for start in allowed)
    assert len(allowed) == 12


@pytest.mark.parametrize("gift", ["party-pop", "star-foundry", "phoenix-parade", "cosmos-loom"])
def test_light_of_the_stage_does_not_flash(page: Page, gift: str) -> None:
    """Measured on the picture: in no second does the mean luminance rise and fall by a tenth more than three times."""
    page.set_viewport_size({"width": 320, "height": 180})
    opened(page, quality="low")
    duration_ms = load_catalog().gifts[gift].animation.duration_ms
    per_s = 12
    count = duration_ms * per_s // 1000
    means = page.evaluate(
        "([gift, fractions]) => luminance(gift, fractions)", [gift, [i / count for i in range(count)]]
    )
    assert max(means) > min(means)
    turns: list[int] = []
    low = high = means[0]
    rising = True
    for i, mean in enumerate(means):
        low, high = min(low, mean), max(high, mean)
        if rising and high - mean >= 0.1:
            turns.append(i)
            rising, low = False, mean
        elif not rising and mean - low >= 0.1:
            rising, high = True, mean
    assert all(sum(start <= other < start + per_s for other in turns) <= 3 for start in turns)


def test_frame_time(page: Page, artifacts: Path) -> None:
    """Tray and burst at 1280 x 720 without a GPU: drawing leaves most of a frame's 16 ms free."""
    opened(page)
    measured = page.evaluate("measureFrames()")
    (artifacts / "gift-layer-frame-time.json").write_text(json.dumps(measured, indent=2) + "\n")
    assert 0 < measured["draw_ms"] < 8
