"""Payouts in the books: beside claims and gifts given back, in reports, statements and proofs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable import earnings, payouts
from giftserver.durable.explain import explain
from giftserver.durable.payout_story import payout_lines, payout_story
from giftserver.durable.proof.claims import claims_are_booked
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.proof.payouts import payouts_are_booked
from giftserver.durable.refunds import due_refunds, refund_gift
from giftserver.durable.statement import AccountName
from giftserver.recharge import balances
from giftserver.recharge.provider import Movement
from giftserver.web import studio
from tests.giftserver.conftest import assert_refused
from tests.giftserver.payouts.office import Office
from tests.giftserver.recharge.buyers import send
from tests.giftserver.test_explain import run


async def paid(office: Office, diamonds: int = 10_000) -> str:
    """A payout that arrived."""
    id = await office.asked(diamonds)
    await office.until(id, "sending")
    await office.settle(id, "paid")
    await office.until(id, "paid")
    return id


async def test_a_claim_takes_nothing_that_was_paid_out(office: Office) -> None:
    """The purchase behind a gift is charged back after its diamonds were paid out: that is the platform's loss."""
    shop = office.shop
    payment = await shop.paid()
    await shop.until_state(payment["id"], "credited")
    assert await shop.coins() == 770
    await send(shop, 7)
    await shop.web.settle()
    await paid(office, 30_600)
    assert await office.balances() == (100, 0, 30_600)
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert (claim.clawed_diamonds, claim.lost_diamonds) == (100, 600)
    assert await office.balances() == (0, 0, 30_600)
    await shop.proved()


async def test_pending_diamonds_are_there_for_claims(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can still be taken back cannot be paid out: the creator gives back all of it."""
    shop = office.shop
    payment = await shop.paid()
    await shop.until_state(payment["id"], "credited")
    await shop.coins()
    await paid(office, 30_000)
    monkeypatch.setattr(earnings, "PENDING_DAYS", 14)
    await send(shop, 7)
    await shop.web.settle()
    assert (await office.terms())["available_diamonds"] == 0
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    claim = await shop.until_claim(dispute, "lost")
    assert (claim.clawed_diamonds, claim.lost_diamonds) == (700, 0)
    assert await office.balances() == (0, 0, 30_000)
    await shop.proved()


async def test_a_gift_is_given_back_once_its_diamonds_are_there(office: Office) -> None:
    """They are set aside for a payout: the gift stays due, nothing falls below zero; taken back, it is given back."""
    id = await office.asked(20_000)
    await office.sql("INSERT INTO refund_due (gift, reason) SELECT id, 'room_closed' FROM transfer WHERE kind = 'gift'")
    database = office.shop.web.engines.database
    (gift,) = await due_refunds(database)
    with pytest.raises(IntegrityError, match="below_zero"):
        await refund_gift(database, gift)
    assert await office.balances() == (10_000, 20_000, 0)
    await office.shop.proved()
    await office.cancel(id)
    assert await refund_gift(database, gift) is not None
    assert await office.balances() == (0, 0, 0)
    await office.shop.proved()


async def test_a_request_waits_for_who_changes_the_account(office: Office) -> None:
    """Somebody takes diamonds out at the same moment: what is left after that is what can be paid out."""
    async with office.shop.web.engines.database.connect() as connection, connection.begin():
        await connection.execute(text("UPDATE account SET balance = 5000 WHERE kind = 'earnings'"))
        asking = asyncio.create_task(office.ask())
        async with asyncio.timeout(10):
            while not await office.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not asking.done(), "it did not wait"
                await asyncio.sleep(0.01)
    assert assert_refused(await asking, 409, "payout_too_large")["available_diamonds"] == 5_000


async def test_nobody_changes_the_account_while_it_is_looked_at(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the look at what is available until it is set aside the creator's account is locked."""
    real, looked = payouts.standing_of, []

    async def locked(connection: AsyncConnection, user: str) -> earnings.Standing:
        with pytest.raises(DBAPIError, match="could not obtain lock"):
            await office.sql("SELECT 1 FROM account WHERE kind = 'earnings' FOR NO KEY UPDATE NOWAIT")
        looked.append(user)
        return await real(connection, user)

    monkeypatch.setattr(payouts, "standing_of", locked)
    await office.asked()
    assert looked == ["mira"]


async def test_everything_at_once(office: Office) -> None:
    """Requests, gifts, a gift given back, cancelling and sending side by side: never below zero, and all adds up."""
    database, gone = office.shop.web.engines.database, 0
    await office.earn(20_000, "gwen")
    await office.sql(
        "INSERT INTO refund_due (gift, reason) SELECT id, 'room_closed' FROM transfer WHERE sender = 'gwen'"
    )
    (gift,) = await due_refunds(database)

    async def give_back() -> None:
        nonlocal gone
        try:
            gone += await refund_gift(database, gift) is not None
        except IntegrityError:  # the diamonds are set aside, or paid
            await asyncio.sleep(0)

    async def take_back() -> None:
        id = (await office.ask(10_000)).json().get("id")
        if id is not None:
            await office.cancel(str(id))

    for n in range(3):
        asks = [office.ask(10_000 + 2 * i) for i in range(4)]
        await asyncio.gather(*asks, take_back(), give_back(), office.earn(100, f"gil{n}"), office.work())
    rows = await office.sql("SELECT sum(diamonds)::bigint AS held FROM payout WHERE state IN ('requested', 'sending')")
    earned = 50_000 + 300 - (20_000 if gone else 0)
    left, held, _ = await office.balances()
    assert (left + held, held) == (earned, rows[0].held)
    assert left >= 0
    await office.shop.proved()


async def compared(office: Office, **query: str) -> dict[str, Any]:
    """What operators see of the sandbox's balances in dollars."""
    headers = office.shop.web.bearer("olga", "admin")
    answer = (await office.shop.web.http.get("/v1/ops/balances", params=query, headers=headers)).json()
    (provider,) = answer["providers"]
    found: dict[str, Any] = next((one for one in provider["balances"] if one["currency"] == "USD"), {})
    return {**found, "agrees": provider["agrees"]}


async def test_both_sides_agree_on_payouts(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its way, paid, and come back: payout by payout the same, and not taken for one to our own bank."""
    monkeypatch.setattr(balances, "ON_ITS_WAY_S", 0.0)
    id = await office.sent()
    await office.settle(id, "paid")
    assert not (await compared(office))["agrees"]  # we have not heard it yet, and it did not move just now
    with monkeypatch.context() as patch:
        patch.setattr(balances, "ON_ITS_WAY_S", 300.0)
        assert (await compared(office))["agrees"]
    await office.until(id, "paid")
    found = await compared(office)
    assert (found["agrees"], found["differences"], found["payouts_minor"]) == (True, [], 0)
    assert (found["clearing_minor"], found["ours_minor"], found["theirs_minor"]) == (-5_000, -5_000, -5_000)
    other = await compared(office, day=f"{datetime.now(UTC) - timedelta(1):%Y-%m-%d}")
    assert (other["agrees"], other["ours_minor"], other["theirs_minor"]) == (True, 0, 0)
    await office.settle(id, "returned")
    await office.until(id, "returned")
    found = await compared(office)
    assert (found["agrees"], found["ours_minor"], found["theirs_minor"]) == (True, 0, 0)


async def test_what_is_sending_for_long_differs(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider paid an hour ago: that is no money on its way."""
    id = await office.sent()
    await office.settle(id, "paid")
    assert (await compared(office))["agrees"]
    provider: Any = office.shop.inquiry.providers["sandbox"]
    moved = provider.movements

    async def an_hour_ago(since_s: float, until_s: float) -> list[Movement]:
        return [replace(one, at_s=one.at_s - 3_600) for one in await moved(since_s, until_s)]

    monkeypatch.setattr(office.shop.web.services.recharges.inquiry.providers["sandbox"], "movements", an_hour_ago)
    await office.sql("UPDATE payout SET updated_at = now() - interval '1 hour'")
    found = await compared(office)
    assert (found["agrees"], [one["payment"] for one in found["differences"]]) == (False, [id])


async def test_what_is_in_review_differs(office: Office) -> None:
    """However lately it moved: the provider says something else than was asked for."""
    await office.shop.mischief(wrong_amount=True)
    id = await office.sent()
    await office.settle(id, "paid")
    await office.work()
    found = await compared(office)
    assert (found["agrees"], [one["payment"] for one in found["differences"]]) == (False, [id])


async def test_a_payout_that_only_the_provider_made_is_found(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another amount than ours, say: the report names it."""
    monkeypatch.setattr(balances, "ON_ITS_WAY_S", 0.0)
    await office.shop.mischief(movement_wrong=True)
    id = await paid(office)
    found = await compared(office)
    assert not found["agrees"]
    assert [(one["payment"], one["what"]) for one in found["differences"]] == [(id, "different amounts")]


async def test_the_studio_says_what_is_on_its_way_and_what_was_paid(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held while it is under way, paid afterwards, available again when it came back."""
    monkeypatch.setattr(studio, "PENDING_DAYS", 0)

    async def told() -> tuple[int, int, int]:
        headers = office.shop.web.bearer("mira", "creator")
        found = (await office.shop.web.http.get("/v1/studio/harbour/earnings", headers=headers)).json()
        return found["held_diamonds"], found["paid_diamonds"], found["available_diamonds"]

    id = await office.sent()
    assert await told() == (10_000, 0, 20_000)
    await office.settle(id, "paid")
    await office.until(id, "paid")
    assert await told() == (0, 10_000, 20_000)
    await office.settle(id, "returned")
    await office.until(id, "returned")
    assert await told() == (0, 0, 30_000)


async def test_a_payout_is_explained(office: Office) -> None:
    """Who, what, where to (masked), each step, what was booked; and its accounts, entry by entry."""
    id = await paid(office)
    story = await payout_story(office.shop.web.engines.database, id)
    assert story is not None
    lines = "\n".join(payout_lines(story))
    for words in (
        "10,000 diamonds of mira for USD 50.00 by sandbox", "to s…@sandbox", "requested", "keeper",
        "payout_requested as transfer", "payout_paid as transfer", "the creator has the money",
    ):  # fmt: skip
        assert words in lines
    engines = office.shop.web.engines
    for name, balance in (
        ("earnings:mira", 20_000), ("payout_held:mira", 0), ("platform:paid_out", 10_000),
        ("platform:paid_out:USD", 5_000), ("clearing:sandbox:USD", -5_000),
    ):  # fmt: skip
        told = await explain(engines.database, engines.ledger_redis, AccountName.parse(name), 50)
        assert told is not None, name
        assert (told.balance, told.adds_up) == (balance, True)
        assert str(AccountName.parse(told.account)) == told.account
    done = await run(office.shop.web.settings, id)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, lines.splitlines()[0])
    done = await run(office.shop.web.settings, "out_none")
    assert done.returncode == 1
    assert "There is no payout out_none" in done.stderr


TAMPERED = {
    "a state": "UPDATE payout SET state = 'failed', paid_at = NULL WHERE state = 'paid'",
    "an amount": "UPDATE payout SET amount_minor = amount_minor + 1 WHERE state = 'paid'",
    "diamonds": "UPDATE payout SET diamonds = diamonds + 2 WHERE state = 'requested'",
    "a person": "UPDATE payout SET user_id = 'tomas' WHERE state = 'requested'",
    "a provider": "UPDATE payout SET provider = 'paypal' WHERE state = 'paid'",
    "a payout gone": "DELETE FROM payout WHERE state = 'requested'",
    "a step gone": "DELETE FROM payout_step WHERE state = 'paid'",
    "a transfer's kind": "UPDATE transfer SET kind = 'payout_undone' WHERE kind = 'payout_paid'",
    "a transfer's reference": "UPDATE transfer SET reference = 'gone' WHERE kind = 'payout_paid'",
    "an entry": "UPDATE entry SET amount = amount * 2 FROM transfer WHERE id = transfer AND kind = 'payout_requested'",
    "a held balance": "UPDATE account SET balance = balance + 1 WHERE kind = 'payout_held'",
    "a paid balance": "UPDATE account SET balance = balance + 1 WHERE kind = 'paid_out' AND asset = 'USD'",
    "an account": "UPDATE payout_account SET user_id = 'tomas' WHERE user_id = 'mira'",
}


async def test_tampering_with_payouts_is_seen(office: Office) -> None:
    """What a superuser changes behind the triggers' back is a violation of this invariant, each of it."""
    await paid(office)
    await office.asked()
    await office.shop.proved()
    database = office.shop.web.engines.database
    unseen = []
    for what, statement in TAMPERED.items():
        async with database.connect() as connection, connection.begin() as transaction:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            assert (await connection.execute(text(statement))).rowcount
            invariant = Invariant("payouts")
            await payouts_are_booked(connection, invariant)
            if invariant.holds:
                unseen.append(what)
            await transaction.rollback()
    assert unseen == []
    async with database.connect() as connection, connection.begin():
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE account SET balance = balance + 1 WHERE kind = 'clearing'"))
        money = Invariant("claims")
        await claims_are_booked(connection, money)
        assert not money.holds
        await connection.rollback()
