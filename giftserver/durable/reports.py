"""Reports: somebody tells that something is wrong. Each opens a case, or joins the open case of the same subject."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Actor
from giftserver.durable.case_tables import case_file, report
from giftserver.durable.cases import CaseState, Outcome, Subject, SubjectKind, new_id, open_case

PAGE_MAX: Final = 100
REPORTS_MAX: Final = 20
"""Reports that one person makes within REPORTS_S; more are not taken."""

REPORTS_S: Final = 86_400

# One person's reports come one after the other, so that they are counted exactly.
IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('report:' || :user, 0))")


class TooManyReports(Exception):
    """This person made REPORTS_MAX reports within REPORTS_S. Nothing was made; `wait_s` until one more is taken."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class NewReport:
    """What somebody tells; `hold`: put their own wallet on hold at once."""

    key: str
    reason: str
    note: str
    hold: bool


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """A report, and how its case stands."""

    id: str
    case: str
    reporter: str
    key: str
    subject_kind: SubjectKind
    subject_id: str
    reason: str
    note: str
    hold: bool
    at: datetime
    state: CaseState
    outcome: Outcome | None
    closed_at: datetime | None

    def is_of(self, subject_kind: SubjectKind, subject_id: str, new: NewReport) -> bool:
        """Whether it is what this request asks for."""
        mine = (self.subject_kind, self.subject_id, self.reason, self.note, self.hold)
        return mine == (subject_kind, subject_id, new.reason, new.note, new.hold)


TOLD: Final = select(
    report.c.id, report.c.case_id.label("case"), report.c.reporter, report.c.key, case_file.c.subject_kind,
    case_file.c.subject_id, report.c.reason, report.c.note, report.c.hold, report.c.at, case_file.c.state,
    case_file.c.outcome, case_file.c.closed_at,
).join_from(report, case_file, case_file.c.id == report.c.case_id)  # fmt: skip


async def make_report(
    engine: AsyncEngine, by: Actor, subject: Subject, new: NewReport, evidence: dict[str, Any]
) -> ReportRecord:
    """The report of this person's key, made if there is none; the caller looks whether it is the same.

    Raises TooManyReports, and CaseChanged when its case is just being closed.
    """
    async with engine.begin() as connection:
        await connection.execute(IN_TURN, {"user": by.id})
        known = await _by_key(connection, by.id, new.key)
        if known is not None:
            return known
        await _check_number(connection, by.id)
        case = await open_case(connection, "report", subject, by, evidence, new.reason, hold=new.hold)
        values = {
            "id": new_id("rep"), "case_id": case, "reporter": by.id, "key": new.key, "reason": new.reason,
            "note": new.note, "hold": new.hold,
        }  # fmt: skip
        await connection.execute(insert(report).values(values))
        made = await _by_key(connection, by.id, new.key)
    assert made is not None
    return made


async def check_number(engine: AsyncEngine, user: str) -> None:
    """Whether one more report would be taken, before evidence is collected for it. Raises TooManyReports."""
    async with engine.connect() as connection:
        await _check_number(connection, user)


async def _check_number(connection: AsyncConnection, user: str) -> None:
    since = func.now() - timedelta(seconds=REPORTS_S)
    oldest = select(func.extract("epoch", func.min(report.c.at) - since), func.count())
    wait_s, number = (await connection.execute(oldest.where(report.c.reporter == user, report.c.at > since))).one()
    if number >= REPORTS_MAX:
        raise TooManyReports(float(wait_s))


async def _by_key(connection: AsyncConnection, user: str, key: str) -> ReportRecord | None:
    row = (await connection.execute(TOLD.where(report.c.reporter == user, report.c.key == key))).one_or_none()
    return None if row is None else ReportRecord(**row._mapping)


async def report_by_key(engine: AsyncEngine, user: str, key: str) -> ReportRecord | None:
    """What a key of this person stands for."""
    async with engine.connect() as connection:
        return await _by_key(connection, user, key)


async def reports_of(engine: AsyncEngine, user: str, before: str | None, limit: int) -> list[ReportRecord]:
    """A person's reports, newest first."""
    query = TOLD.where(report.c.reporter == user).order_by(report.c.id.desc()).limit(max(1, min(limit, PAGE_MAX)))
    if before is not None:
        query = query.where(report.c.id < before)
    async with engine.connect() as connection:
        return [ReportRecord(**row._mapping) for row in await connection.execute(query)]


async def reports_about(engine: AsyncEngine, case: str) -> list[ReportRecord]:
    """The last reports of a case, oldest of them first."""
    query = TOLD.where(report.c.case_id == case).order_by(report.c.id.desc()).limit(PAGE_MAX)
    async with engine.connect() as connection:
        found = [ReportRecord(**row._mapping) for row in await connection.execute(query)]
    return found[::-1]
