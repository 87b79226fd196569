"""The audit log: every operator's action is in it, it cannot be edited, and a tampered one is found."""

import asyncio
from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from giftserver.durable.audit_log import Act, Actor, find_acts, log_act, next_hash
from giftserver.durable.proof.audit_log import acts_are_chained
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.verify import verify
from giftserver.recharge.prices import built_in
from tests.giftserver.cases.desk import Desk
from tests.giftserver.recharge.buyers import refund
from tests.giftserver.shop import new_key

ACT = "each act in the audit log follows from the one before"
OLGA = Actor("olga", "admin")


async def acts(engine, number: int = 4) -> None:
    """Some history, written by several at once."""

    async def write(n: int) -> None:
        async with engine.begin() as connection:
            details = {"n": n, "of": "ten", "last": n == number, "none": None}
            await log_act(connection, Act(OLGA, "note", "case", f"case_{n}", f"number {n}: ü\u2014\U0001f381", details))

    await asyncio.gather(*(write(n) for n in range(1, number + 1)))


async def broken(engine) -> Invariant:
    found = Invariant(ACT)
    async with engine.connect() as connection:
        await acts_are_chained(connection, found)
    return found


async def test_every_action_of_an_operator_is_in_it(desk: Desk) -> None:
    """Refunds, price lists and session endings, with who, in which role and why; once, however often they are asked."""
    key = new_key()
    for _ in range(2):
        assert (await refund(desk.shop, desk.payment, 500, key)).status_code == 200
    prices = msgspec.to_builtins(built_in().list)
    version = (await desk.post("/v1/ops/prices", prices)).json()["version"]
    for _ in range(2):
        assert (await desk.post("/v1/ops/prices/approve", {"version": version}, "otto")).status_code == 200
    assert (await desk.post("/v1/ops/prices/approve", {"version": version}, "olga")).status_code == 200
    await desk.post("/v1/sessions/end", {"user": "ben"}, "otto")
    await desk.post("/v1/sessions/end", {}, "ana", "viewer")  # one's own is no operator's action
    found = (await desk.get("/v1/ops/audit", "pia"))["acts"]
    assert [(act["actor"], act["role"], act["action"], act["subject_kind"], act["subject_id"]) for act in found] == [
        ("otto", "admin", "end_sessions", "user", "ben"),
        ("otto", "admin", "approve_prices", "price_list", str(version)),
        ("olga", "admin", "propose_prices", "price_list", str(version)),
        ("olga", "admin", "refund", "payment", desk.payment["id"]),
    ]
    assert found[-1]["details"]["amount_minor"] == 500
    assert "asked for within 14 days" in found[-1]["reason"]
    page = await desk.get("/v1/ops/audit?limit=2")
    assert [act["id"] for act in page["acts"]] == [4, 3]
    rest = await desk.get(f"/v1/ops/audit?limit=2&before={page['next']}")
    assert [act["id"] for act in rest["acts"]] == [2, 1]
    by_otto = await desk.get("/v1/ops/audit?actor=otto&action=end_sessions&subject=ben")
    assert [act["id"] for act in by_otto["acts"]] == [4]
    await desk.shop.proved()


async def test_an_action_that_is_not_done_is_not_in_it(database) -> None:
    """Rolled back together with its transaction, and the numbers have no hole."""
    await acts(database, 2)
    async with database.connect() as connection, connection.begin() as transaction:
        await log_act(connection, Act(OLGA, "note", "case", "case_3"))
        await transaction.rollback()
    await acts(database, 1)
    found = await broken(database)
    assert (found.violations, found.checked) == ([], 4)  # three and the head


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET reason = ''", "DELETE FROM audit_log", "TRUNCATE audit_log", "DELETE FROM audit_head"],
)
async def test_the_database_refuses_to_edit_it(database, statement: str) -> None:
    """Whoever writes to it, however."""
    await acts(database)
    with pytest.raises(IntegrityError, match="insert-only"):
        async with database.begin() as connection:
            await connection.execute(text(statement))
    assert (await broken(database)).holds


TAMPERED = {
    "a reason": "UPDATE audit_log SET reason = 'another' WHERE id = 2",
    "an actor": "UPDATE audit_log SET actor = 'otto' WHERE id = 3",
    "a detail": "UPDATE audit_log SET details = jsonb_set(details, '{n}', '9') WHERE id = 1",
    "a time": "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE id = 4",
    "a row gone": "DELETE FROM audit_log WHERE id = 2",
    "the last row gone": "DELETE FROM audit_log WHERE id = 4",
    "two exchanged": "UPDATE audit_log SET reason = CASE id WHEN 2 THEN (SELECT reason FROM audit_log WHERE id = 3) "
                     "ELSE (SELECT reason FROM audit_log WHERE id = 2) END WHERE id IN (2, 3)",
    "a row put in": "INSERT INTO audit_log SELECT 5, at, actor, role, action, subject_kind, subject_id, reason, "
                    "details, hash FROM audit_log WHERE id = 4",
    "the head": "UPDATE audit_head SET hash = ''",
    "the head gone": "DELETE FROM audit_head",
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_a_superuser_changes_is_found(database, what: str) -> None:
    """Behind the triggers' back: verify names it."""
    await acts(database)
    assert (await broken(database)).holds
    async with database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(TAMPERED[what]))
    assert not (await broken(database)).holds


async def test_a_row_written_anew_with_its_hash_is_found(database) -> None:
    """Whoever knows how hashes are made must write every row after it anew, too, and the head."""
    await acts(database)
    newest_first = await find_acts(database, Actor("olga", "admin"))
    first, second = newest_first[-1], newest_first[-2]
    forged = next_hash(first.hash, 2, second.at, replace(second.act, reason="another"))
    async with database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        rewritten = text("UPDATE audit_log SET reason = 'another', hash = :hash WHERE id = 2")
        await connection.execute(rewritten, {"hash": forged})
    assert (await broken(database)).violations == ["act 3: its hash does not follow from it and the act before it"]


async def test_verify_has_it(desk: Desk) -> None:
    """It is one of the invariants, as are adjustments: what was booked otherwise than decided is found."""
    id = (await desk.propose(5)).json()["id"]
    await desk.decide(id)
    engines = desk.shop.web.engines
    await desk.shop.proved()
    async with engines.database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE adjustment SET coins = 6"))
        await connection.execute(text("UPDATE audit_log SET reason = 'x' WHERE id = 1"))
    report = await verify(engines.database, engines.ledger_redis)
    wrong = {invariant.name: invariant.violations for invariant in report.invariants if not invariant.holds}
    assert {ACT, "adjustments are what the ledger has"} <= set(wrong)
    assert len(wrong["adjustments are what the ledger has"]) == 2
