"""Signed receipts over HTTP: the caller's own booked gifts, and the keys that check them."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from giftserver.receipts.keys import new_key_pem, public_keys
from giftserver.receipts.receipt import check, read
from giftserver.settings import Settings
from tests.giftserver.conftest import Web, add_rooms, assert_refused, running


async def test_a_booked_gift_has_a_receipt(demo: Web, new_key: Callable[[], str]) -> None:
    """First a temporary refusal, after the flush the signed document with the gift's hash in the chain."""
    key = new_key()
    await demo.give_coins("ana", 10)
    sent = await demo.send_gift("ana", key, quantity=2)
    early = assert_refused(
        await demo.http.get(f"/v1/gifts/{key}/receipt", headers=demo.bearer("ana")), 409, "not_settled"
    )
    assert early["temporary"] is True
    assert early["retry_after_ms"] > 0
    await demo.settle()
    answer = await demo.http.get(f"/v1/gifts/{key}/receipt", headers=demo.bearer("ana"))
    jwks = await demo.http.get("/v1/receipt-keys")
    assert jwks.headers["cache-control"].startswith("public")
    assert jwks.json()["keys"][0]["alg"] == "EdDSA"
    receipt = read(answer.content)
    check(receipt, public_keys(jwks.content))
    async with demo.engines.database.connect() as connection:
        digest = await connection.scalar(text("SELECT encode(hash, 'hex') FROM transfer WHERE kind = 'gift'"))
    said = (receipt.transfer, receipt.key, receipt.sender, receipt.creator, receipt.room, receipt.gift)
    assert said == (sent.transfer, key, "ana", "mira", "harbour", "dewdrop")
    assert (receipt.quantity, receipt.coins, receipt.diamonds, receipt.hash) == (2, 2, 2, digest)
    again = await demo.http.get(f"/v1/gifts/{key}/receipt", headers=demo.bearer("ana"))
    assert again.content == answer.content


async def test_a_receipt_is_for_its_sender_alone(demo: Web, new_key: Callable[[], str]) -> None:
    """Others, also the creator, find nothing under the key; without a token there is nothing at all."""
    key = new_key()
    await demo.give_coins("ana", 10)
    await demo.send_gift("ana", key)
    await demo.settle()
    for user, role in (("ben", "viewer"), ("mira", "creator"), ("root", "admin")):
        answer = await demo.http.get(f"/v1/gifts/{key}/receipt", headers=demo.bearer(user, role))
        assert_refused(answer, 404, "not_found")
    for wrong in (new_key(), "x", "0" * 36):
        answer = await demo.http.get(f"/v1/gifts/{wrong}/receipt", headers=demo.bearer("ana"))
        assert_refused(answer, 404, "not_found")
    assert_refused(await demo.http.get(f"/v1/gifts/{key}/receipt"), 401, "unauthorized")


async def test_without_a_key_there_are_no_receipts(web: Web, new_key: Callable[[], str]) -> None:
    """Outside the demo the setting is needed; the refusal names it, and no key is published."""
    key = new_key()
    await web.give_coins("ana", 10)
    await web.send_gift("ana", key)
    await web.settle()
    refused = assert_refused(
        await web.http.get(f"/v1/gifts/{key}/receipt", headers=web.bearer("ana")), 404, "receipts_off"
    )
    assert "GIFTSERVER_RECEIPT_KEY_FILE" in refused["message"]
    assert (await web.http.get("/v1/receipt-keys")).json() == {"keys": []}


async def test_a_server_outside_the_demo_signs_with_its_key(settings: Settings, static_dir: Path) -> None:
    """The key of the settings is the one that is published."""
    path = settings.data_dir / "key.pem"
    path.write_text(new_key_pem())
    changed = {"static_dir": static_dir, "receipt_key_file": path}
    async with running(settings.model_copy(update=changed)) as web:
        await add_rooms(web.engines)
        await web.give_coins("ana", 10)
        key = "01999999-0000-7000-8000-000000000000"
        assert_refused(await web.http.get(f"/v1/gifts/{key}/receipt", headers=web.bearer("ana")), 404, "not_found")
        [published] = (await web.http.get("/v1/receipt-keys")).json()["keys"]
        assert published["kid"] == web.services.receipts.published.keys[0].kid
