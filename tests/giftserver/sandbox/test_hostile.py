"""What strangers send: refused with words, escaped, or not let in."""

import pytest

from tests.giftserver.sandbox.conftest import CARD, SECRET, Sandbox, assert_refused

SCRIPT = "<script>alert('x')</script>\"&"


async def test_markup_in_a_description_is_text(sandbox: Sandbox) -> None:
    """On every page what the merchant or the customer wrote is escaped."""
    session = await sandbox.create(description=SCRIPT, return_url='http://a/"><script>x</script>')
    pages = [await sandbox.browser.get(session["url"]), await sandbox.pay(session, expiry='"><script>')]
    await sandbox.pay(session, number="4000000000003220")
    pages.append(await sandbox.browser.get(f"{session['url']}/secure"))
    await sandbox.post(f"/v1/sessions/{session['id']}/cancel")
    pages.append(await sandbox.browser.get(session["url"]))
    for page in pages:
        assert "&lt;script&gt;alert(&#x27;x&#x27;)" in page.text
        assert "<script" not in page.text


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", f"Basic {SECRET}", f"Bearer {SECRET}x", "Bearer \xff"]
)
async def test_the_key_is_needed(sandbox: Sandbox, header: str) -> None:
    """Everything under /v1 answers 401 without it, also what is not there."""
    for path in ("/v1/sessions", "/v1/balance", "/v1/nothing", "/v1"):
        answer = await sandbox.browser.get(sandbox.url + path, headers={b"authorization": header.encode("latin-1")})
        assert_refused(answer, 401, "unauthorized")


async def test_nothing_is_where_nothing_is(sandbox: Sandbox) -> None:
    """Unknown ids, pages and addresses are 404, in the form of who asks."""
    for path in ("/v1/sessions/cs_x", "/v1/events?session=cs_x", "/v1/nothing"):
        assert_refused(await sandbox.http.get(path), 404, "not_found")
    for path in ("cancel", "expire", "settle", "refunds", "disputes"):
        body = {"refunds": {"amount_minor": 1}, "disputes": {"reason": "duplicate"}}.get(path)
        assert_refused(await sandbox.post(f"/v1/sessions/cs_x/{path}", body), 404, "not_found")
    for page in ("/pay/cs_x", "/pay/cs_x/secure", "/", "/pay/"):
        answer = await sandbox.browser.get(sandbox.url + page)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (await sandbox.browser.post(f"{sandbox.url}/pay/cs_x", data=CARD)).status_code == 404
    assert_refused(await sandbox.http.delete("/v1/sessions"), 405, "wrong_method")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"payment":"\\ud800"}', b"[" * 60_000])
async def test_what_is_no_json_is_refused(sandbox: Sandbox, raw: bytes) -> None:
    """Broken, empty, or nested without end."""
    answer = await sandbox.http.post("/v1/sessions", content=raw, headers=sandbox.key())
    assert_refused(answer, 400, "bad_request")


async def test_long_bodies_are_refused(sandbox: Sandbox) -> None:
    """Over 64 KiB of JSON, or 8 KiB of form, is 413."""
    session = await sandbox.create()
    for path in ("/v1/sessions", f"/v1/sessions/{session['id']}/refunds", "/v1/webhooks/resend"):
        answer = await sandbox.http.post(path, content=b" " * 65_537, headers=sandbox.key())
        assert_refused(answer, 413, "too_large")
    assert (await sandbox.pay(session, number="4" * 8_192)).status_code == 413
    assert (await sandbox.browser.post(f"{session['url']}/secure", content=b"a" * 8_193)).status_code == 413


async def test_odd_forms_do_nothing(sandbox: Sandbox) -> None:
    """Unknown ways to pay, too many fields and bytes that are no form are refused, and the session stays."""
    session = await sandbox.create()
    for content in (b"", b"method=gold", b"\xff", b"a=1&" * 50, b"method=card&number=%ff%00&expiry=%0a&cvc="):
        answer = await sandbox.browser.post(session["url"], content=content)
        assert answer.status_code in (400, 422)
    await sandbox.pay(session, number="4000000000003220")
    for word in ("", "maybe"):
        await sandbox.browser.post(f"{session['url']}/secure", data={"answer": word})
    assert (await sandbox.session(session["id"]))["state"] == "requires_action"
