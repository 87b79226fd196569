"""The pages and their files."""

import base64
import hashlib

import pytest

from giftserver.web.pages import content_policy
from tests.giftserver.conftest import Web, running


async def test_each_address_shows_its_page(web: Web) -> None:
    """Pages are asked for anew each time, and cost nothing when they did not change."""
    pages = {
        "/": "index", "/rooms/harbour": "viewer", "/overlay/any-token": "overlay", "/studio": "studio",
        "/wallet": "wallet", "/guardian": "guardian", "/ops": "ops",
    }  # fmt: skip
    for path, name in pages.items():
        answer = await web.http.get(path)
        assert (answer.status_code, f"<title>{name}</title>" in answer.text) == (200, True), path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        again = await web.http.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_a_changed_page_is_shown_at_once(web: Web) -> None:
    """Also to who has the version before; a page that is not there is not found."""
    etag = (await web.http.get("/wallet")).headers["etag"]
    path = web.settings.static_dir / "wallet.html"
    path.write_text("<!doctype html><title>a longer title than before</title>")
    answer = await web.http.get("/wallet", headers={"if-none-match": etag})
    assert (answer.status_code, "longer" in answer.text) == (200, True)
    path.unlink()
    assert (await web.http.get("/wallet")).status_code == 404


async def test_a_room_that_is_not_there_is_said_in_words(web: Web) -> None:
    """404 with a sentence and the way on."""
    for room in ("nowhere", "a%20b", "x" * 65, "%3Cscript%3E"):
        answer = await web.http.get(f"/rooms/{room}")
        assert answer.status_code == 404
        assert "There is no such room" in answer.text
        assert 'href="/"' in answer.text


async def test_only_the_overlay_and_the_viewer_may_be_framed(web: Web, static_dir: object) -> None:
    """The overlay by our own studio, the viewer also by the platforms that are allowed, nothing else by anybody."""
    settings = web.settings.model_copy(update={"allowed_origins": ("https://tv.example",), "public_url": None})
    async with running(settings) as other:
        paths = ("/", "/studio", "/wallet", "/guardian", "/ops", "/overlay/x")
        policies = {path: await policy_of(other, path) for path in paths}
        viewer = await policy_of(other, "/rooms/harbour")
    assert policies.pop("/overlay/x")["frame-ancestors"] == "'self'"
    assert {policy["frame-ancestors"] for policy in policies.values()} == {"'none'"}
    assert viewer["frame-ancestors"] == "'self' https://tv.example"
    assert viewer["connect-src"] == "'self' ws: wss:"
    assert viewer["default-src"] == "'self'"


async def policy_of(web: Web, path: str) -> dict[str, str]:
    header = (await web.http.get(path)).headers["content-security-policy"]
    return dict(part.split(" ", 1) for part in header.split("; "))


@pytest.mark.parametrize("tag", ['<script type="importmap">', "<SCRIPT>", "<style>"])
def test_inline_text_of_our_files_is_allowed_by_hash(tag: str) -> None:
    """What is in the file may run, what is put in later may not: there is no 'unsafe-inline'."""
    name = "style" if "style" in tag else "script"
    text = '{"imports": {}}\n'
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = content_policy(f'<p>{tag}{text}</{name}><script src="/x.js"></script>'.encode(), "'none'")
    assert policy.count("'sha256-") == 1
    assert f"{name}-src 'self' 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


async def test_files_are_kept_as_long_as_they_may(web: Web) -> None:
    """Vendored files for long, art for an hour, our own modules are asked for each time; all have an ETag."""
    kept = {
        "/static/vendor/b.js": "public, max-age=2592000",
        "/static/gifts/c.svg": "public, max-age=3600",
        "/static/js/a.js": "no-cache",
    }
    for path, words in kept.items():
        answer = await web.http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, words)
        again = await web.http.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, words)
    assert (await web.http.get("/static/js/a.js")).headers["content-type"].startswith("text/javascript")
    assert "sandbox" in (await web.http.get("/static/gifts/c.svg")).headers["content-security-policy"]


async def test_only_files_below_static_are_served(web: Web) -> None:
    """No way leads out of the folder."""
    (web.settings.static_dir.parent / "secret.txt").write_text("secret")
    for path in ("..%2fsecret.txt", "js/..%2f..%2fsecret.txt", "%2e%2e/secret.txt", "js", "", "%00", "x" * 300):
        answer = await web.http.get(f"/static/{path}")
        assert answer.status_code == 404, path
        assert "secret" not in answer.text
    assert (await web.http.post("/static/js/a.js")).status_code == 405


async def test_the_demo_opens_the_first_live_room(demo: Web) -> None:
    """Without a live room the list is shown."""
    answer = await demo.http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/rooms/harbour")
    mira = demo.bearer("mira", "creator")
    assert (await demo.http.post("/v1/rooms/harbour/live", headers=mira, json={"live": False})).status_code == 200
    assert "<title>index</title>" in (await demo.http.get("/")).text
