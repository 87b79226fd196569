"""The journal: a sandbox that starts again knows everything it knew."""

from pathlib import Path
from typing import Any

import pytest

from giftserver.sandbox.journal import Journal, JournalDamaged
from tests.giftserver.sandbox.conftest import CARD, Merchant, Sandbox, Start, expect_ok, slow


async def everything(sandbox: Sandbox) -> dict[str, Any]:
    """All that the API shows."""
    paths = ("/v1/sessions?payment=p1", "/v1/payouts?payout=out_1", "/v1/events", "/v1/balance", "/v1/mischief")
    return {path: expect_ok(await sandbox.http.get(path)) for path in paths}


async def test_a_restart_forgets_nothing(start: Start, merchant: Merchant, tmp_path: Path) -> None:
    """Everything that the API shows, and what keys were used for, is the same; an open question is still answered."""
    journal = tmp_path / "new" / "journal"
    key = {"Idempotency-Key": "the-key"}
    async with start(journal=journal) as sandbox:
        body = sandbox.body()
        first = expect_ok(await sandbox.http.post("/v1/sessions", json=body, headers=key))
        await sandbox.pay(first, number="4000000000000259")
        refund = await sandbox.http.post(
            f"/v1/sessions/{first['id']}/refunds", json={"amount_minor": 9}, headers=sandbox.key()
        )
        asked = await sandbox.create()
        await sandbox.pay(asked, number="4000000000003063")
        out = await sandbox.http.post("/v1/payouts", json=slow(), headers={"Idempotency-Key": "out_1"})
        await sandbox.mischief(copies=3, fetch_fails=0)
        before = await everything(sandbox)
        await merchant.until(lambda: len(merchant.hooks) == 5)
    async with start(journal=journal) as again:
        assert await everything(again) == before
        repeated = expect_ok(await again.http.post("/v1/sessions", json=body, headers=key))
        assert repeated["id"] == first["id"]
        assert repeated["refunds"] == [refund.json()]
        assert (await again.http.post("/v1/payouts", json=slow(), headers={"Idempotency-Key": "out_1"})).json() == (
            out.json()
        )
        await again.browser.post(f"{again.url}/pay/{asked['id']}/secure", data={"answer": "yes"})
        assert (await again.session(asked["id"]))["decline"] == "insufficient_funds"
        await merchant.until(lambda: "session.declined" in merchant.kinds)


async def test_what_was_not_delivered_goes_out_later(start: Start, merchant: Merchant, tmp_path: Path) -> None:
    """An end in the middle of a delivery loses no event, and delivered ones do not come again."""
    merchant.answers = [200, *[500] * 1_000]
    async with start(journal=tmp_path / "journal") as sandbox:
        session = await sandbox.create()
        await sandbox.browser.post(session["url"], data={"method": "wallet"})
        await merchant.until(lambda: len(merchant.hooks) >= 3)
    merchant.answers.clear()
    merchant.hooks.clear()
    async with start(journal=tmp_path / "journal"):
        await merchant.until(lambda: merchant.hooks)
        assert merchant.kinds == ["session.captured"]


async def test_no_card_is_written_down(start: Start, merchant: Merchant, tmp_path: Path) -> None:
    """Neither number nor last digits nor code stand in the journal."""
    async with start(journal=tmp_path / "journal") as sandbox:
        session = await sandbox.create()
        await sandbox.pay(session, number="4000000000003220", cvc="987")
    text = (tmp_path / "journal").read_text()
    assert "requires_action" in text
    assert [one for one in (CARD["number"], "4000000000003220", '"3220"', '"987"') if one in text] == []


async def test_a_line_cut_off_is_left_out(start: Start, merchant: Merchant, tmp_path: Path) -> None:
    """What a crash left half written at the end is removed; the lines before it count."""
    journal = tmp_path / "journal"
    async with start(journal=journal) as sandbox:
        session = await sandbox.create()
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[:50])
    async with start(journal=journal) as sandbox:
        assert (await sandbox.session(session["id"]))["state"] == "pending"
        await sandbox.post(f"/v1/sessions/{session['id']}/cancel")
    async with start(journal=journal) as sandbox:
        assert (await sandbox.session(session["id"]))["state"] == "cancelled"


def test_damage_is_said(tmp_path: Path) -> None:
    """A line in the middle that cannot be read stops the start, with its number."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"what":"delivered","event":"ev_1"}\n{"what":"nothing"}\n{"what":"delivered","event":"ev_1"}\n')
    journal = Journal(path)
    with pytest.raises(JournalDamaged, match="Line 2 "):
        list(journal.open())
    journal.close()
