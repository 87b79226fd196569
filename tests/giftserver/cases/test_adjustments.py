"""Adjustments: two persons, booked once, and never more taken than there is."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from giftserver.durable.explain import explain
from giftserver.durable.statement import AccountName
from tests.giftserver.cases.desk import Desk
from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import is_held, send
from tests.giftserver.shop import new_key


async def proposed(desk: Desk, coins: int, **more: Any) -> str:
    """The id of a proposal that was taken."""
    answer = await desk.propose(coins, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def held(desk: Desk) -> str:
    """A case that has ana's wallet on hold, in Redis as well."""
    id = await desk.reported(hold=True)
    await desk.shop.claims.step()
    assert await is_held(desk.shop)
    return id


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


async def test_coins_are_given_once_by_two_persons(desk: Desk) -> None:
    """Who proposed cannot decide; approved by several at once it is booked once, and stands in every book."""
    id = await proposed(desk, 30)
    assert_refused(await desk.decide(id, by="olga"), 403, "forbidden")
    assert_refused(await desk.decide(id, "reject", by="olga"), 403, "forbidden")
    assert await desk.shop.coins() == 770
    answers = await asyncio.gather(*(desk.decide(id, by=by) for by in ("otto", "pia", "otto", "pia", "otto")))
    assert statuses(list(answers)) in ([200] * 3 + [409] * 2, [200] * 2 + [409] * 3)
    assert_refused(await desk.decide(id, "reject", by="quin"), 409, "adjustment_decided")
    assert await desk.shop.coins() == 800
    assert await desk.shop.balance("adjustments") == -30
    (entry, *_) = (
        await desk.shop.web.http.get("/v1/wallet/history", headers=desk.shop.web.bearer("ana"))
    ).json()["entries"]  # fmt: skip
    assert (entry["kind"], entry["amount_coins"]) == ("adjustment", 30)
    engines = desk.shop.web.engines
    for name, amount in (("ana", 30), ("platform:adjustments", -30)):
        told = await explain(engines.database, engines.ledger_redis, AccountName.parse(name), 1)
        assert told is not None
        assert told.adds_up
        assert (told.lines[-1].amount, told.lines[-1].what) == (amount, "agreed with support")
    acts = (await desk.get(f"/v1/ops/audit?subject={id}"))["acts"]
    assert [act["action"] for act in acts] == ["approve_adjustment", "propose_adjustment"]
    await desk.shop.proved()


async def test_the_database_wants_two_persons_and_one_decision(desk: Desk) -> None:
    """Whoever writes to it, however: nobody decides about their own, and what was decided stays."""
    first, second = await proposed(desk, 5), await proposed(desk, 6)
    assert (await desk.decide(first, "reject")).json()["state"] == "rejected"
    for statement, rule in (
        (f"UPDATE adjustment SET state = 'rejected', decided_by = 'olga', decided_at = now() WHERE id = '{second}'",
         "two_persons"),
        (f"UPDATE adjustment SET state = 'approved', decided_by = 'otto', decided_at = now() WHERE id = '{second}'",
         "booked"),
        (f"UPDATE adjustment SET coins = 7 WHERE id = '{second}'", "keeps_its_terms|insert-only"),
        (f"UPDATE adjustment SET decided_by = 'pia' WHERE id = '{first}'", "decided_once|insert-only"),
        ("DELETE FROM adjustment", "insert-only"),
    ):  # fmt: skip
        with pytest.raises(IntegrityError, match=rule):
            async with desk.shop.web.engines.database.begin() as connection:
                await connection.execute(text(statement))
    assert_refused(await desk.decide(first), 409, "adjustment_decided")
    assert await desk.shop.coins() == 770
    await desk.shop.proved()


async def test_coins_are_taken_only_from_a_wallet_on_hold_with_every_gift_booked(desk: Desk) -> None:
    """Free, or with a gift on its way to the book, it waits; then exactly the coins go, and none that is not there."""
    id = await proposed(desk, -700)
    assert_refused(await desk.decide(id), 409, "wallet_not_still")
    await send(desk.shop, 1)
    case = await held(desk)
    refused = assert_refused(await desk.decide(id), 409, "wallet_not_still")
    assert refused["temporary"]
    await desk.shop.web.settle()
    assert_refused(await desk.decide(id), 409, "adjustment_refused")  # 670 are there
    assert await desk.shop.coins() == 670
    id = await proposed(desk, -670, case=case)
    assert (await desk.decide(id)).json()["state"] == "approved"
    assert (await desk.shop.coins(), await desk.shop.balance("adjustments")) == (0, 670)
    story = await desk.get(f"/v1/ops/cases/{case}")
    assert [one["id"] for one in story["adjustments"]] == [id]
    await desk.took(case, "release", story["case"]["version"])
    await desk.shop.proved()
    reply: Any = await send(desk.shop, 1)
    assert reply.code.name == "insufficient_coins"


async def test_gifts_that_race_a_taking_are_never_paid_with_taken_coins(desk: Desk) -> None:
    """While a hold ends and coins are taken, gifts are sent: together they are never more than there was."""
    case = await held(desk)
    id = await proposed(desk, -400)
    version = (await desk.get(f"/v1/ops/cases/{case}"))["case"]["version"]

    async def work() -> int:
        taken = 0
        for _ in range(12):
            await desk.shop.claims.step()
            taken += not hasattr(await send(desk.shop, 1), "code")
        return taken

    decided, _, taken = await asyncio.gather(desk.decide(id), desk.step(case, "release", version), work())
    await desk.shop.web.settle()
    await desk.shop.claims.step()
    assert decided.status_code in (200, 409), decided.text
    adjusted = 400 if decided.status_code == 200 else 0
    assert await desk.shop.coins() == 770 - adjusted - 100 * taken
    await desk.shop.proved()


async def test_what_was_taken_is_not_frozen_again(desk: Desk) -> None:
    """A dispute of a purchase finds only what is left of it: coins that operators took count as spent, oldest first."""
    second = await desk.shop.paid(bonus_coins=0)
    await desk.shop.until_state(second["id"], "credited")
    case = await held(desk)
    assert (await desk.decide(await proposed(desk, -300))).status_code == 200
    claim = await desk.shop.until_claim(await desk.shop.dispute(desk.payment), "frozen")
    assert (claim.coins, claim.frozen_coins) == (770, 470)
    assert await desk.shop.coins() == 700
    facts = (await desk.get(f"/v1/ops/cases/{case}"))["evidence"][0]["facts"]
    assert facts["unspent_coins"] == 770  # as it was when it was reported
    await desk.shop.proved()


async def test_proposals_are_bounded_and_named(desk: Desk) -> None:
    """Nothing, too much, nobody and no case are refused in words; a key stands for one proposal."""
    key = new_key()
    for coins, more, status, code in (
        (0, {}, 400, "bad_request"), (1_000_001, {}, 400, "bad_request"), (-1_000_001, {}, 400, "bad_request"),
        (5, {"user": "nobody"}, 404, "not_found"), (5, {"case": f"case_{'0' * 32}"}, 404, "not_found"),
        (5, {"reason": "  "}, 400, "bad_request"),
    ):  # fmt: skip
        assert_refused(await desk.propose(coins, **more), status, code)
    answers = await asyncio.gather(*(desk.propose(9, key=key) for _ in range(4)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert_refused(await desk.propose(10, key=key), 409, "key_reused")
    (known,) = (await desk.get("/v1/ops/adjustments?user=ana&state=proposed"))["adjustments"]
    assert (known["coins"], known["proposed_by"]) == (9, "olga")
    for verb in ("approve", "reject"):
        for id in ("adj_0", f"adj_{'0' * 32}"):
            assert_refused(await desk.decide(id, verb), 404, "not_found")
    viewer = await desk.post(f"/v1/ops/adjustments/{known['id']}/approve", {"reason": "x"}, "ana", "viewer")
    assert_refused(viewer, 403, "forbidden")
    assert len((await desk.get("/v1/ops/audit?action=propose_adjustment"))["acts"]) == 1


async def test_another_rule_is_not_taken_for_the_expected_one(desk: Desk) -> None:
    """A case that is not there is refused in words; what another rule refuses is a mistake of the server's."""
    assert_refused(await desk.propose(5, case=f"case_{'0' * 32}"), 404, "not_found")
    async with desk.shop.web.engines.database.begin() as connection:
        await connection.execute(text("ALTER TABLE adjustment ADD CONSTRAINT few CHECK (coins < 5)"))
    assert_refused(await desk.propose(5), 500, "internal")
