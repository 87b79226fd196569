"""What becomes of findings: one case for a person, quiet after it was closed, a hold only where it is wanted."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from giftserver import worker
from giftserver.durable.audit_log import Actor
from giftserver.durable.cases import Subject, close_case, open_case, release_case
from giftserver.durable.gift_pairs import add_pairs
from giftserver.durable.rules.findings import IN_TURN, Finding, open_finding
from giftserver.durable.rules.gifting import income_share
from giftserver.engines import Engines
from giftserver.rules import keeper as keeper_module
from giftserver.rules.keeper import RULES, Rule
from giftserver.settings import Settings
from tests.giftserver.durable.conftest import until
from tests.giftserver.durable.test_bans import waits
from tests.giftserver.rules.conftest import Street

OLGA = Actor("olga", "admin")


@pytest.fixture
async def fan(street: Street) -> Street:
    """Ana gave mira all of her 10,000 diamonds."""
    await street.give("ana", "mira", 10_000)
    return street


async def close(street: Street) -> None:
    """An operator closes the newest case."""
    case = (await street.cases())[-1]
    await close_case(street.book.engine, case.id, case.version, OLGA, "dismissed", "a fan")


async def test_two_workers_at_once_open_one_case(fan: Street) -> None:
    """Found by both it is one case with one finding, written into the audit log once; nobody's name is logged."""
    with capture_logs() as logs:
        rounds = await asyncio.gather(*(fan.keeper().step() for _ in range(4)))
    assert sorted(rounds) == [0, 0, 0, 1]
    (case,) = await fan.cases()
    assert (case.kind, case.subject_kind, case.subject_id, case.person) == ("rule", "user", "mira", "mira")
    assert (case.opened_by, case.hold_reference, len(case.evidence)) == ("rule:income_share", None, 1)
    assert fan.counted("income_share") == 1
    acts = await fan.book.rows("SELECT actor, role, action FROM audit_log")
    assert acts == [("rule:income_share", "rule", "open_case")]
    assert [one for one in logs if one["event"] == "rule_failed"] == []
    assert [one["rule"] for one in logs if one["event"] == "rule_found"] == ["income_share"]
    assert "mira" not in str(logs)
    assert "ana" not in str(logs)


async def test_what_another_worker_opened_meanwhile_is_known(fan: Street) -> None:
    """Whoever found the same a moment ago waits until the other is done, and then looks again."""
    engine, source = fan.book.engine, RULES[0].source
    await add_pairs(engine, fan.now)
    async with engine.connect() as connection:
        (found,) = await income_share(connection, fan.now)
    async with engine.begin() as connection:
        await connection.execute(IN_TURN, {"subject": f"{source.name}:{found.person}"})
        late = asyncio.create_task(open_finding(engine, source, found, fan.now, hold=False))
        await waits(fan.book, late, until)
        assert not late.done()
    assert await late is not None
    assert await open_finding(engine, source, found, fan.now, hold=False) is None
    assert len(await fan.cases()) == 1


async def test_an_open_case_gets_the_finding_once(fan: Street) -> None:
    """A report about the same person is joined; as long as that is open the rule adds nothing, however it grows."""
    async with fan.book.engine.begin() as connection:
        await open_case(connection, "report", Subject("user", "mira", "mira"), Actor("ben", "viewer"), {}, "fraud")
    assert await fan.keeper().step() == 1
    await fan.give("ana", "mira", 90_000)
    assert await fan.keeper().step() == 0
    (case,) = await fan.cases()
    assert [finding["by"] for finding in case.evidence] == ["report", "rule:income_share"]


async def test_after_it_was_closed_it_is_quiet_for_a_while(fan: Street) -> None:
    """The same opens no case for a week; twice as much does at once, and the same again after that week."""
    assert await fan.keeper().step() == 1
    await close(fan)
    await fan.give("ana", "mira", 9_999)
    assert await fan.keeper().step() == await fan.keeper(later=timedelta(days=6)).step() == 0
    await fan.give("ana", "mira", 1)
    assert await fan.keeper().step() == 1
    await close(fan)
    await fan.give("ana", "mira", 20_000, timedelta(days=-8))
    assert await fan.keeper(later=timedelta(days=8)).step() == 1
    assert len(await fan.cases()) == 3


async def test_old_disputes_stay_quiet_as_long_as_they_count(street: Street) -> None:
    """Two disputes that were looked at are no news in the next week."""
    for _ in range(2):
        await street.dispute(await street.buy("ana", 700))
    assert await street.keeper().step() == 1
    await close(street)
    assert await street.keeper(later=timedelta(days=59)).step() == 0


async def test_a_hold_only_where_the_setting_says_so(fan: Street) -> None:
    """Named, a rule's case has the wallet on hold; a hold that an operator ended does not come back."""
    assert await fan.keeper("ring").step() == 1
    assert await fan.book.rows("SELECT 1 FROM wallet_hold") == []
    await fan.give("ben", "tomas", 10_000)
    assert await fan.keeper("income_share").step() == 1
    (case,) = (row for row in await fan.cases() if row.subject_id == "tomas")
    assert await fan.book.rows("SELECT reference, user_id FROM wallet_hold") == [(case.hold_reference, "tomas")]
    await release_case(fan.book.engine, case.id, case.version, OLGA, "asked them")
    assert await fan.keeper("income_share").step() == 0
    assert await fan.book.rows("SELECT 1 FROM wallet_hold WHERE released_at IS NULL") == []
    with pytest.raises(ValueError, match="there is no rule rings: the rules are income_share, ring"):
        Settings(rules_hold="ring, rings")
    assert Settings(rules_hold="ring, loop").rules_hold == ("ring", "loop")


async def failing(connection: AsyncConnection, now: datetime) -> list[Finding]:
    """A rule that meets something."""
    await connection.exec_driver_sql("SELECT 1 / 0")
    return []


async def test_a_rule_that_fails_stops_no_other(fan: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do sums that cannot be added; it is said once, not every minute, and again after it had worked."""
    assert await fan.keeper().step() == 1
    await close(fan)
    await fan.give("ana", "mira", 10_000)
    await fan.book.run("ALTER TABLE gift_pair_cursor RENAME TO gone")
    rules = (Rule(RULES[0].source, failing), *RULES[1:])
    monkeypatch.setattr(keeper_module, "RULES", rules)
    for number in range(11):
        await fan.buy("ben", 100 + number)
    keeper = fan.keeper()
    with capture_logs() as logs:
        assert await keeper.step() == 1
        assert await keeper.step() == 0
        monkeypatch.setattr(keeper_module, "RULES", RULES)
        await fan.book.run("ALTER TABLE gone RENAME TO gift_pair_cursor")
        assert await keeper.step() == 1
        monkeypatch.setattr(keeper_module, "RULES", rules)
        assert await keeper.step() == 0
    failed = [one["rule"] for one in logs if one["event"] == "rule_failed"]
    assert failed == ["gift_pairs", "income_share", "income_share"]
    assert [row.subject_id for row in await fan.cases()] == ["mira", "ben", "mira"]


async def test_the_worker_follows_the_rules(fan: Street, settings: Settings, engines: Engines) -> None:
    """Every so often, by itself."""
    asked = settings.model_copy(update={"rules_every_s": 0.01, "verify_every_s": 0})
    ours = Engines(engines.ledger_redis, engines.rooms_redis, fan.book.engine)

    async def found() -> bool:
        return bool(await fan.cases())

    await _working(asked, ours, lambda: until(found))
    (case,) = await fan.cases()
    assert case.opened_by == "rule:income_share"


async def _working(settings: Settings, engines: Engines, done: Callable[[], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(worker.work(settings, engines, stop))
    with contextlib.ExitStack() as last:
        last.callback(stop.set)
        await done()
    await working
