"""What rules find becomes cases: once for each person and rule while a case is open, and not at once after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Actor
from giftserver.durable.cases import RULE, Subject, open_case
from giftserver.rules.numbers import QUIET_TIMES, VERSION

FOUND_MAX: Final = 1_000
"""Findings that one rule may have at a time, the largest first."""

# Two workers that find the same come one after the other.
IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('rule:' || :subject, 0))")

KNOWN: Final = text("""
    SELECT c.subject_id, bool_or(c.state = 'open') AS is_open, max((f -> 'facts' ->> :measure)::bigint) AS measured
    FROM case_file AS c CROSS JOIN LATERAL jsonb_array_elements(c.evidence) AS f
    WHERE c.subject_kind = 'user' AND c.subject_id = ANY(CAST(:subjects AS text[]))
        AND (c.state = 'open' OR c.closed_at > :since) AND f ->> 'by' = :by
    GROUP BY c.subject_id
""")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a person, in words for operators, with the facts it rests on: ids and whole numbers."""

    person: str
    reason: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A rule as cases know it. `measure` is the fact that says how much there is of it; see QUIET_DAYS."""

    name: str
    measure: str
    quiet_days: int


async def unknown(
    connection: AsyncConnection, source: Source, findings: Sequence[Finding], now: datetime
) -> list[Finding]:
    """Those that no open case of the person has, and none that was closed of late, unless there is much more of it."""
    values = {
        "by": f"{RULE}{source.name}", "measure": source.measure, "subjects": [one.person for one in findings],
        "since": now - timedelta(days=source.quiet_days),
    }  # fmt: skip
    known = {row.subject_id: row for row in await connection.execute(KNOWN, values)}
    new = []
    for one in findings:
        row = known.get(one.person)
        if row is None or (not row.is_open and one.facts[source.measure] >= QUIET_TIMES * row.measured):
            new.append(one)
    return new


async def open_finding(engine: AsyncEngine, source: Source, found: Finding, now: datetime, *, hold: bool) -> str | None:
    """Open a case of it, or add it to the person's open one; the case, None when it is known by now.

    With `hold` the person's wallet is put on hold. Raises CaseChanged when the open case is just being closed.
    """
    async with engine.begin() as connection:
        await connection.execute(IN_TURN, {"subject": f"{source.name}:{found.person}"})
        if not await unknown(connection, source, [found], now):
            return None
        by, subject = Actor(f"{RULE}{source.name}", "rule"), Subject("user", found.person, found.person)
        facts = {**found.facts, "numbers": VERSION}
        return await open_case(connection, "rule", subject, by, facts, found.reason, hold=hold)
