"""Follows every rule over the durable ledger, and opens cases of what they find. People decide; nothing is taken."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.cases import CaseChanged
from giftserver.durable.gift_pairs import add_pairs
from giftserver.durable.rules.buying import many_disputes, new_account, velocity
from giftserver.durable.rules.findings import Finding, Source, open_finding, unknown
from giftserver.durable.rules.gifting import income_share, ring
from giftserver.durable.rules.looping import loop
from giftserver.metrics import Metrics
from giftserver.rules.numbers import DISPUTES_DAYS, NAMES, QUIET_DAYS

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: how cases know it, and what it finds as of a moment."""

    source: Source
    find: Callable[[AsyncConnection, datetime], Awaitable[list[Finding]]]


RULES: Final = (
    Rule(Source("income_share", "sender_diamonds", QUIET_DAYS), income_share),
    Rule(Source("ring", "coins", QUIET_DAYS), ring),
    Rule(Source("loop", "coins", QUIET_DAYS), loop),
    Rule(Source("velocity", "percent_of_the_limit", QUIET_DAYS), velocity),
    Rule(Source("new_account", "coins", QUIET_DAYS), new_account),
    Rule(Source("many_disputes", "disputes", DISPUTES_DAYS), many_disputes),
)
assert tuple(rule.source.name for rule in RULES) == NAMES


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class RuleKeeper:
    """One round asks every rule; one that fails holds up no other. Several workers may do the same at once."""

    def __init__(
        self, database: AsyncEngine, metrics: Metrics, hold: Collection[str], now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database, self._metrics, self._hold, self._now = database, metrics, frozenset(hold), now
        self._failing: dict[str, str] = {}

    async def step(self) -> int:
        """One round; how many findings opened a case or joined one."""
        now = self._now()
        await self._try("gift_pairs", add_pairs(self._database, now))
        return sum([await self._try(rule.source.name, self._follow(rule, now)) for rule in RULES])

    async def _try(self, name: str, work: Awaitable[int]) -> int:
        try:
            done = await work
        except Exception as problem:  # whatever one rule meets, the others go on
            if self._failing.get(name) != type(problem).__name__:
                self._failing[name] = type(problem).__name__
                log.error("rule_failed", rule=name, error=type(problem).__name__)
            return 0
        self._failing.pop(name, None)
        return done

    async def _follow(self, rule: Rule, now: datetime) -> int:
        async with self._database.connect() as connection:
            found = await rule.find(connection, now)
            new = await unknown(connection, rule.source, found, now)
        return sum([await self._open(rule.source, one, now) for one in new])

    async def _open(self, source: Source, found: Finding, now: datetime) -> bool:
        hold = source.name in self._hold
        try:
            case = await open_finding(self._database, source, found, now, hold=hold)
        except CaseChanged:  # it is being closed: the next round looks again
            return False
        if case is None:
            return False
        self._metrics.rule_findings.labels(source.name).inc()
        log.warning("rule_found", rule=source.name, case=case, hold=hold)
        return True
