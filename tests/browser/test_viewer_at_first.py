"""The viewer page before anything has happened on it: how much it weighs, how soon it is there, whether all fits."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.demo_site import DemoSite

Visit = Callable[..., Page]
BUDGET_BYTES = 250 * 1024
INTERACTIVE_MS = 1_000


def test_the_top_bar_has_room_for_everything(visit: Visit, demo_site: DemoSite) -> None:
    """On a phone, with a long title and three supporters: nothing overlaps, and the pill can be read."""
    room = demo_site.room("Letters from the quay, until the last ferry has gone", "Philippa")
    for person in ("ana", "ben", "dmitri"):
        demo_site.send(person, room.id, "kite")
    page = visit(f"/rooms/{room.id}", "ana", 390)
    expect(page.locator(".supporter")).to_have_count(3)
    boxes = [page.locator(part).bounding_box() for part in (".host__words", ".top__right", ".connection", ".live")]
    words, right, pill, badge = (box or {} for box in boxes)
    assert words["x"] + words["width"] <= right["x"]
    assert badge["x"] + badge["width"] <= words["x"]
    assert max(box["y"] + box["height"] for box in (words, right, badge)) <= pill["y"]
    assert right["x"] + right["width"] <= 390
    title = "document.querySelector('.host__title')"
    assert page.evaluate(f"{title}.scrollWidth > {title}.clientWidth")
    ground = page.evaluate("getComputedStyle(document.querySelector('.connection')).backgroundColor")
    assert float(re.findall(r"[\d.]+", ground)[3]) >= 0.9


def test_the_same_room_under_another_name_of_the_machine(visit: Visit, demo_site: DemoSite) -> None:
    """Opened as localhost, the page connects, knows who it is, and the studio's links are of there too."""
    here = demo_site.url.replace("127.0.0.1", "localhost")
    room = demo_site.room()
    page = visit("/wallet", "ana")
    page.goto(f"{here}/rooms/{room.id}")
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    expect(page.locator(".wallet")).to_be_visible()
    studio = visit("/wallet", room.creator)
    studio.goto(f"{here}/studio")
    expect(studio.locator("html")).to_have_attribute("data-connection", "open")
    asked = studio.evaluate(
        """async (room) => (await (await fetch(`/v1/studio/${room}`, { headers: {
          authorization: `Bearer ${sessionStorage.getItem('giftserver.token')}` } })).json()).overlay_url""",
        room.id,
    )
    assert asked.startswith(f"{here}/overlay/")


def test_every_module_is_fetched_at_once() -> None:
    """viewer.html names every module the page starts with, so none waits for another to be read first."""
    static = Path(__file__).resolve().parents[2] / "static"
    found: set[Path] = set()

    def walk(module: Path) -> None:
        found.add(module)
        for name in re.findall(r"^(?:import|export)[^;]*?from '([^']+)'", module.read_text(), re.MULTILINE):
            if (module.parent / name).resolve() not in found:
                walk((module.parent / name).resolve())

    walk(static / "js" / "viewer" / "main.js")
    named = re.findall(r'(?:modulepreload" href|module" src)="/static/([^"]+)"', (static / "viewer.html").read_text())
    assert {path.relative_to(static).as_posix() for path in found} == set(named)


def without_gifts(socket: WebSocketRoute) -> None:
    """A room in which nobody gives."""
    server = socket.connect_to_server()
    server.on_message(lambda frame: socket.send(frame) if '"type":"gift"' not in str(frame) else None)


def test_it_is_light_and_quick(chromium: Browser, demo_site: DemoSite, artifacts: Path) -> None:
    """At most 250 KiB before the first gift, and less than a second of work until it is interactive.

    The work is the CPU time of the page's main thread, which other work on the machine does not lengthen; the time on
    the clock goes to the artifacts.
    """
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    session = context.new_cdp_session(page)
    received: list[float] = []
    session.send("Network.enable")
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.route_web_socket(re.compile("/v1/rooms/"), without_gifts)
    page.goto(demo_site.url + "/rooms/meadow")
    expect(page.locator("html")).to_have_attribute("data-state", "open")
    clock_ms = page.evaluate("performance.now()")
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    page.wait_for_load_state("networkidle")
    weighed = {
        "bytes_before_the_first_gift": sum(received),
        "interactive_cpu_ms": round(metrics["TaskDuration"] * 1_000),
        "interactive_clock_ms": round(clock_ms),
    }
    context.close()
    (artifacts / "viewer-weight.json").write_text(json.dumps(weighed, indent=2) + "\n")
    assert 0 < weighed["bytes_before_the_first_gift"] <= BUDGET_BYTES
    assert 0 < weighed["interactive_cpu_ms"] <= INTERACTIVE_MS
