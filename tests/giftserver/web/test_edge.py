"""What every request meets: origins, headers, limits of bodies, and failures that tell nothing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from giftserver.web.api import endpoints
from tests.giftserver.conftest import Web, assert_refused

SECURITY = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}


def assert_guarded(answer: httpx.Response) -> None:
    """Every answer has the security headers, and nothing to do with cookies."""
    for name, value in SECURITY.items():
        assert answer.headers[name] == value
    assert "default-src" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-credentials" not in answer.headers


async def test_pages_of_foreign_origins_are_refused(web: Web) -> None:
    """403 before anything is done, for reads, writes and preflights, naming the setting; no header lets them read."""
    for origin in ("https://evil.example", "null", web.settings.base_url.replace("127.0.0.1", "localhost")):
        headers = {**web.bearer("ana"), "origin": origin}
        for method, path in (("GET", "/v1/wallet"), ("POST", "/v1/tickets"), ("OPTIONS", "/v1/tickets")):
            answer = await web.http.request(method, path, headers={**headers, **PREFLIGHT})
            assert_refused(answer, 403, "forbidden")
            assert "access-control-allow-origin" not in answer.headers
            assert "Origin" in answer.headers["vary"]
            assert_guarded(answer)
    message = answer.json()["error"]["message"]
    assert f"open {web.settings.base_url}" in message
    assert (await web.http.get("/wallet", headers={"origin": "https://evil.example"})).status_code == 200


async def test_allowed_origins_may_read_the_answers(web: Web) -> None:
    """Their preflights are answered, and every answer names them, refusals too."""
    origin = web.settings.base_url
    preflight = await web.http.options("/v1/rooms/harbour", headers={"origin": origin, **PREFLIGHT})
    assert preflight.status_code == 204
    allowed = set(preflight.headers["access-control-allow-methods"].split(", "))
    assert allowed == {endpoint.method for endpoint in endpoints(web.settings)} == {"GET", "POST", "PUT", "DELETE"}
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    for path, status in (("/v1/rooms", 200), ("/v1/wallet", 401), ("/v1/nothing", 404)):
        answer = await web.http.get(path, headers={"origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, origin)
        assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-origin" not in (await web.http.get("/v1/rooms")).headers


async def test_every_answer_has_the_security_headers(web: Web) -> None:
    """Pages, files, JSON, refusals and unchanged ones alike."""
    etag = (await web.http.get("/v1/catalog")).headers["etag"]
    asked = [
        ("GET", "/wallet", 200),
        ("GET", "/static/js/a.js", 200),
        ("GET", "/static/none.js", 404),
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/v1/rooms", 200),
        ("GET", "/v1/catalog", 304),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/rooms", 405),
        ("POST", "/wallet", 405),
        ("GET", "/nowhere", 404),
    ]
    for method, path, status in asked:
        answer = await web.http.request(method, path, headers={"if-none-match": etag})
        assert answer.status_code == status, path
        assert_guarded(answer)


async def test_paths_and_methods_that_are_not_there(web: Web) -> None:
    """Programs get JSON, people get a page in words; 405 says what is allowed."""
    assert_refused(await web.http.get("/v1/nothing"), 404, "not_found")
    assert_refused(await web.http.get("/v1/"), 404, "not_found")
    wrong = await web.http.delete("/v1/rooms/harbour")
    assert_refused(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, HEAD, PUT"
    page = await web.http.get("/nowhere")
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in page.text
    assert (await web.http.post("/wallet")).headers["allow"] == "GET, HEAD"


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1_000):
        yield b" " * 1_000


async def test_long_bodies_are_not_read(web: Web) -> None:
    """16 KiB is the limit, with a length header or without; one that fits is read."""
    headers = {**web.bearer("ana"), "content-type": "application/json"}
    fits = b"{}" + b" " * 16_382
    assert (await web.http.post("/v1/tickets", headers=headers, content=fits)).status_code == 200
    for content in (fits + b" ", chunks(200_000)):
        answer = await web.http.post("/v1/tickets", headers=headers, content=content)
        assert assert_refused(answer, 413, "too_large")["limit"] == 16_384


async def test_bodies_are_json(web: Web) -> None:
    """Another content type is refused with the right one in words; a charset beside it is fine."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        headers = {**web.bearer("ana"), "content-type": content_type}
        answer = await web.http.post("/v1/tickets", headers=headers, content=b"{}")
        assert "application/json" in assert_refused(answer, 415, "unsupported_type")["message"]
    headers = {**web.bearer("ana"), "content-type": "Application/JSON; charset=utf-8"}
    assert (await web.http.post("/v1/tickets", headers=headers, content=b"{}")).status_code == 200


async def test_a_failure_is_logged_and_tells_nothing(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 in the form of its kind; what went wrong is in the log alone."""

    async def fail(*_: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(web.services.presenter, "supporters", fail)
    with capture_logs() as logs:
        answer = await web.http.get("/v1/rooms/harbour/top", headers={"origin": web.settings.base_url})
    assert_refused(answer, 500, "internal")
    assert_guarded(answer)
    assert answer.headers["access-control-allow-origin"] == web.settings.base_url
    assert [entry["event"] for entry in logs] == ["request_failed"]
    monkeypatch.setattr(type(web.services.rooms), "get", fail)
    page = await web.http.get("/rooms/harbour")
    assert (page.status_code, "That went wrong" in page.text) == (500, True)
    for text in (answer.text, page.text):
        assert "ZeroDivision" not in text
        assert "secret detail" not in text
        assert "Traceback" not in text
