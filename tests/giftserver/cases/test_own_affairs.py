"""Nobody decides about themselves: operators are people too, with wallets, cases and purchases."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from giftserver.durable.payment_moves import flag
from tests.giftserver.cases.desk import Desk
from tests.giftserver.conftest import assert_refused
from tests.giftserver.shop import new_key


def assert_own(answer: httpx.Response) -> None:
    """Refused, with the way out."""
    assert "Somebody else must do it" in assert_refused(answer, 403, "forbidden")["message"]


async def acts(desk: Desk) -> int:
    """Entries of the audit log."""
    async with desk.shop.web.engines.database.connect() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM audit_log")) or 0)


async def test_nobody_adjusts_their_own_wallet(desk: Desk) -> None:
    """Neither proposes, nor approves, nor rejects what somebody else proposed; a third person does."""
    assert_own(await desk.propose(5, user="ana", by="ana"))
    id = str((await desk.propose(5, user="ana", by="olga")).json()["id"])
    before = await acts(desk)
    for verb in ("approve", "reject"):
        assert_own(await desk.decide(id, verb, by="ana"))
    assert (await acts(desk), await desk.shop.coins()) == (before, 770)
    assert (await desk.decide(id, by="otto")).json()["state"] == "approved"
    assert await desk.shop.coins() == 775


async def test_the_database_refuses_adjustments_of_ones_own_wallet(desk: Desk) -> None:
    """Whoever writes to it, however; one from before that rule can only be rejected, by somebody else."""
    id = str((await desk.propose(5, user="ana", by="olga")).json()["id"])
    columns = "INSERT INTO adjustment (id, key, user_id, coins, reason, proposed_by) VALUES "
    new = columns + "('adj_{0}', 'k', '{1}', 5, 'r', '{1}')"
    own = f"UPDATE adjustment SET state = 'rejected', decided_by = 'ana', decided_at = now() WHERE id = '{id}'"
    for statement in (own, new.format("0" * 32, "pia")):
        with pytest.raises(IntegrityError, match="about whoever decides"):
            async with desk.shop.web.engines.database.begin() as connection:
                await connection.execute(text(statement))
    async with desk.shop.web.engines.database.begin() as connection:
        await connection.execute(text("ALTER TABLE adjustment DISABLE TRIGGER adjustment_of_somebody_else"))
        await connection.execute(text(new.format("1" * 32, "ana")))
        await connection.execute(text("ALTER TABLE adjustment ENABLE TRIGGER adjustment_of_somebody_else"))
    assert_own(await desk.decide(f"adj_{'1' * 32}"))
    assert (await desk.decide(f"adj_{'1' * 32}", "reject")).json()["state"] == "rejected"
    assert await desk.shop.coins() == 770
    await desk.shop.proved()


async def test_nobody_takes_a_step_in_their_own_case(desk: Desk) -> None:
    """Neither with a hold nor without; somebody else takes each."""
    id = await desk.reported()
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("note", {}), ("hold", {}), ("release", {}), ("ban", {}), ("unban", {}), ("close", {"outcome": "dismissed"}),
    )  # fmt: skip
    for version, (verb, more) in enumerate(steps, 1):
        before = await acts(desk)
        body = {"version": version, "reason": "I am fine", **more}
        assert_own(await desk.post(f"/v1/ops/cases/{id}/{verb}", body, by="ana"))
        assert await acts(desk) == before
        assert (await desk.took(id, verb, version, **more))["version"] == version + 1


async def test_nobody_reads_a_case_about_themselves(desk: Desk) -> None:
    """Neither in the list, nor itself with its evidence and notes, nor in the audit log; whoever else is asked does."""
    own = await desk.reported(note="they say it was their brother")
    await desk.took(own, "note", 1)
    others = await desk.report("ana", "user", "mira", "abuse")
    assert others.status_code == 200, others.text
    database = desk.shop.web.engines.database

    async def seen(by: str) -> tuple[set[str], set[str], set[str]]:
        """Cases of the list, one a page, and those that the audit log is about, asked for and not."""
        listed, before = set(), ""
        while (page := await desk.get(f"/v1/ops/cases?limit=1{before}", by))["cases"]:
            listed |= {case["id"] for case in page["cases"]}
            before = f"&before={page['next']}"
        acts = [await desk.get(f"/v1/ops/audit{query}", by) for query in ("", f"?subject={own}")]
        about, asked = ({act["subject_id"] for act in log["acts"]} for log in acts)
        return listed, about, asked

    async with database.connect() as connection:
        cases = set((await connection.execute(text("SELECT id FROM case_file"))).scalars())
    assert len(cases) == 2
    assert await seen("olga") == (cases, cases, {own})
    assert await seen("ana") == (cases - {own}, cases - {own}, set())
    assert (await desk.get(f"/v1/ops/cases/{own}"))["reports"][0]["note"] == "they say it was their brother"
    answer = await desk.shop.web.http.get(f"/v1/ops/cases/{own}", headers=desk.shop.web.bearer("ana", "admin"))
    assert_own(answer)
    assert "brother" not in answer.text
    (other,) = cases - {own}
    assert (await desk.get(f"/v1/ops/cases/{other}", "ana"))["case"]["person"] == "mira"


async def test_nobody_refunds_or_reviews_their_own_purchase(desk: Desk) -> None:
    """Nothing is asked of the provider, and nothing written; somebody else does it."""
    path = f"/v1/ops/payments/{desk.payment['id']}"
    database = desk.shop.web.engines.database
    await flag(database, desk.payment["id"], "somebody called", "provider")
    asked = {"key": new_key(), "amount_minor": 999, "reason": "me"}
    decision = {"decision": "close", "reason": "me"}
    before = await acts(desk)
    assert_own(await desk.post(f"{path}/refund", asked, by="ana"))
    for name in ("credit", "refund", "close"):
        assert_own(await desk.post(f"{path}/review", {**decision, "decision": name}, by="ana"))
    assert await acts(desk) == before
    assert (await desk.post(f"{path}/review", decision)).status_code == 200
    assert_own(await desk.post(f"{path}/review", decision, by="ana"))
    assert (await desk.post(f"{path}/refund", asked)).status_code == 200
    assert_own(await desk.post(f"{path}/refund", asked, by="ana"))
