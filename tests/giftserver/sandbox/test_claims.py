"""Refunds, disputes, and a balance that adds up."""

import pytest

from tests.giftserver.sandbox.conftest import Merchant, Sandbox, assert_refused, expect_ok, slow


async def test_refunds_end_with_the_money(sandbox: Sandbox, merchant: Merchant) -> None:
    """In parts up to what was captured; one unit more is refused; each is told."""
    session = await sandbox.paid()
    path = f"/v1/sessions/{session['id']}/refunds"
    refund = expect_ok(await sandbox.post(path, {"amount_minor": 200}))
    assert refund["id"].startswith("re_")
    assert (refund["session"], refund["amount_minor"], refund["state"]) == (session["id"], 200, "succeeded")
    assert_refused(await sandbox.post(path, {"amount_minor": 300}), 409, "too_much")
    expect_ok(await sandbox.post(path, {"amount_minor": 299}))
    refunded = await sandbox.session(session["id"])
    assert (refunded["state"], refunded["refunded_minor"]) == ("captured", 499)
    assert refunded["refunds"][0] == refund
    await merchant.until(lambda: merchant.kinds[2:] == ["refund.succeeded"] * 2)


async def test_a_key_refunds_once(sandbox: Sandbox) -> None:
    """The same key and body give the same refund; another body or another session is refused."""
    session, other = await sandbox.paid(), await sandbox.paid()
    path, key = f"/v1/sessions/{session['id']}/refunds", {"Idempotency-Key": "r"}
    answers = [await sandbox.http.post(path, json={"amount_minor": 300}, headers=key) for _ in range(2)]
    assert expect_ok(answers[0]) == expect_ok(answers[1])
    assert (await sandbox.session(session["id"]))["refunded_minor"] == 300
    assert_refused(await sandbox.http.post(path, json={"amount_minor": 1}, headers=key), 409, "key_reused")
    elsewhere = await sandbox.http.post(
        f"/v1/sessions/{other['id']}/refunds", json={"amount_minor": 300}, headers=key
    )  # fmt: skip
    assert_refused(elsewhere, 409, "key_reused")
    assert_refused(await sandbox.http.post(path, json={"amount_minor": 1}), 400, "key_missing")


async def test_a_refund_can_fail(sandbox: Sandbox) -> None:
    """By mischief it fails, takes nothing, and says so."""
    session = await sandbox.paid()
    expect_ok(await sandbox.http.put(f"/v1/sessions/{session['id']}/mischief", json={"refund_fails": True}))
    refund = expect_ok(await sandbox.post(f"/v1/sessions/{session['id']}/refunds", {"amount_minor": 499}))
    assert refund["state"] == "failed"
    assert (await sandbox.session(session["id"]))["refunded_minor"] == 0
    assert (await sandbox.kinds(session["id"]))[-1] == "refund.failed"


@pytest.mark.parametrize("amount", [0, -1, True, 1.0, "1", None])
async def test_amounts_are_integers(sandbox: Sandbox, amount: object) -> None:
    """No bool, float, text or nothing is taken for an amount to refund."""
    session = await sandbox.paid()
    answer = await sandbox.post(f"/v1/sessions/{session['id']}/refunds", {"amount_minor": amount})
    assert_refused(answer, 400, "bad_request")


async def test_nothing_comes_back_from_what_was_not_paid(sandbox: Sandbox) -> None:
    """A pending session has nothing to refund and nothing to dispute."""
    session = await sandbox.create()
    path = f"/v1/sessions/{session['id']}"
    assert_refused(await sandbox.post(f"{path}/refunds", {"amount_minor": 1}), 409, "too_much")
    assert_refused(await sandbox.post(f"{path}/disputes", {"reason": "duplicate"}), 409, "too_much")


@pytest.mark.parametrize(
    "way",
    [("warning", "closed"), ("warning", "open", "won"), ("warning", "open", "lost"), ("open", "won"), ("open", "lost")],
)
async def test_disputes_move_forward(sandbox: Sandbox, way: tuple[str, ...]) -> None:
    """From warning to open or closed, from open to won or lost; each step is told, every other is refused."""
    session = await sandbox.paid()
    first, *rest = way
    body = {"reason": "unauthorised_minor", "state": first}
    dispute = expect_ok(await sandbox.post(f"/v1/sessions/{session['id']}/disputes", body))
    assert (dispute["amount_minor"], dispute["reason"], dispute["state"]) == (499, "unauthorised_minor", first)
    for state in rest:
        dispute = expect_ok(await sandbox.post(f"/v1/disputes/{dispute['id']}", {"state": state}))
        assert dispute["state"] == state
    assert (await sandbox.kinds(session["id"]))[2:] == [f"dispute.{state}" for state in way]
    for state in ("warning", "open", "won", "lost", "closed"):
        assert_refused(await sandbox.post(f"/v1/disputes/{dispute['id']}", {"state": state}), 409, "wrong_state")
    assert (await sandbox.session(session["id"]))["disputes"] == [dispute]


async def test_steps_are_not_skipped(sandbox: Sandbox) -> None:
    """A warning is not won, an open dispute is not closed, and there are no others."""
    session = await sandbox.paid()
    path = f"/v1/sessions/{session['id']}/disputes"
    warning = expect_ok(await sandbox.post(path, {"reason": "duplicate", "state": "warning", "amount_minor": 99}))
    opened = expect_ok(await sandbox.post(path, {"reason": "not_received", "amount_minor": 400}))
    for dispute, state in ((warning, "won"), (warning, "lost"), (opened, "closed"), (opened, "warning")):
        assert_refused(await sandbox.post(f"/v1/disputes/{dispute['id']}", {"state": state}), 409, "wrong_state")
    assert_refused(await sandbox.post(path, {"reason": "duplicate"}), 409, "too_much")
    assert_refused(await sandbox.post(path, {"reason": "boredom"}), 400, "bad_request")
    assert_refused(await sandbox.post(path, {"reason": "duplicate", "state": "lost"}), 400, "bad_request")
    assert_refused(await sandbox.post("/v1/disputes/dp_x", {"state": "won"}), 404, "not_found")


async def test_the_balance_adds_up(sandbox: Sandbox) -> None:
    """By currency: captured, less refunded, less disputes that are open or lost, less paid out, is net."""
    refunded, disputed, won = [await sandbox.paid(amount_minor=1_000) for _ in range(3)]
    await sandbox.paid(amount_minor=700, currency="JPY")
    await sandbox.create(currency="KWD")
    await sandbox.post(f"/v1/sessions/{refunded['id']}/refunds", {"amount_minor": 250})
    await sandbox.post(f"/v1/sessions/{disputed['id']}/disputes", {"reason": "fraudulent"})
    dispute = (await sandbox.post(f"/v1/sessions/{won['id']}/disputes", {"reason": "fraudulent"})).json()
    await sandbox.post(f"/v1/disputes/{dispute['id']}", {"state": "won"})
    for payout, *states in (("out_1", "paid"), ("out_2", "paid", "returned"), ("out_3", "failed"), ("out_4",)):
        made = expect_ok(await sandbox.post("/v1/payouts", slow(payout=payout)))
        for state in states:
            expect_ok(await sandbox.post(f"/v1/payouts/{made['id']}/settle", {"state": state}))
    assert expect_ok(await sandbox.http.get("/v1/balance")) == {
        "balances": {
            "USD": {
                "captured_minor": 3_000, "refunded_minor": 250, "disputed_minor": 1_000, "paid_out_minor": 99,
                "net_minor": 1_651,
            },
            "JPY": {
                "captured_minor": 700, "refunded_minor": 0, "disputed_minor": 0, "paid_out_minor": 0, "net_minor": 700,
            },
        }
    }  # fmt: skip
