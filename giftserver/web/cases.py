"""Cases for operators: what waits for a decision, one with all that is known, and what may be done about it."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
import structlog
from msgspec import Meta

from giftserver.durable import cases
from giftserver.durable.adjustments import PAGE_MAX as ADJUSTMENTS_MAX
from giftserver.durable.adjustments import find_adjustments
from giftserver.durable.audit_log import PAGE_MAX as ACTS_MAX
from giftserver.durable.audit_log import find_acts
from giftserver.durable.cases import PAGE_MAX, CaseChanged, CaseRecord, CaseState, Kind, NoCase, Outcome, SubjectKind
from giftserver.durable.history import at_ms
from giftserver.durable.reports import ReportRecord, reports_about
from giftserver.errors import CASE_CHANGED, Refusal
from giftserver.gifts.messages import PRINTED, Identifier
from giftserver.web.adjustments import AdjustmentAnswer, adjustment_answer
from giftserver.web.audit import ActAnswer, act_answer
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.prices import OPERATORS
from rooms.codes import NOT_FOUND

log = structlog.get_logger()

ID: Final = re.compile(r"case_[0-9a-f]{32}")
VERSION_LIMIT: Final = 2**31

Version = Annotated[int, Meta(ge=1, lt=VERSION_LIMIT)]
Words = Annotated[str, Meta(max_length=500, pattern=PRINTED)]


class Finding(msgspec.Struct, frozen=True):
    """What was known when a report came, or what a rule found; `facts` differ by what the case is about."""

    by: str
    reason: str
    at_ms: int
    facts: dict[str, Any]


class CaseReport(msgspec.Struct, frozen=True):
    """What somebody told."""

    id: str
    reporter: str
    reason: str
    note: str
    hold: bool
    at_ms: int


class CaseAnswer(msgspec.Struct, frozen=True):
    """A case; `person` is whose wallet it may hold and whom it may ban from live.

    `on_hold` and `banned` say whether it does. Send `version` with what you do.
    """

    id: str
    kind: Kind
    subject_kind: SubjectKind
    subject_id: str
    person: str
    opened_by: str
    reason: str
    state: CaseState
    version: int
    on_hold: bool
    banned: bool
    outcome: Outcome | None
    closed_by: str | None
    opened_at_ms: int
    changed_at_ms: int


class CaseStory(msgspec.Struct, frozen=True):
    """A case with what is known: evidence, reports, adjustments, and what operators did, newest first."""

    case: CaseAnswer
    evidence: list[Finding]
    reports: list[CaseReport]
    adjustments: list[AdjustmentAnswer]
    acts: list[ActAnswer]


class CasesQuery(msgspec.Struct, frozen=True):
    """Which cases; `before` is the last id of the page before it."""

    state: CaseState | None = None
    kind: Kind | None = None
    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class CasesAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next` is null on the last page."""

    cases: list[CaseAnswer]
    next: str | None


class StepRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version that was looked at, and why; refused when somebody changed the case since."""

    version: Version
    reason: Words


class CloseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the case ends. Where it has the wallet on hold, `end_hold` must say whether that ends; `end_ban` of a ban."""

    version: Version
    outcome: Outcome
    reason: Words
    end_hold: bool | None = None
    end_ban: bool | None = None


Request = TypeVar("Request", StepRequest, CloseRequest)


def _answer(case: CaseRecord) -> CaseAnswer:
    return CaseAnswer(
        case.id, case.kind, case.subject_kind, case.subject_id, case.person, case.opened_by, case.reason, case.state,
        case.version, case.hold_reference is not None, case.ban_reference is not None, case.outcome, case.closed_by,
        at_ms(case.opened_at), at_ms(case.changed_at),
    )  # fmt: skip


def _report(told: ReportRecord) -> CaseReport:
    return CaseReport(told.id, told.reporter, told.reason, told.note, told.hold, at_ms(told.at))


async def list_cases(call: Call[None, CasesQuery]) -> CasesAnswer:
    """Cases of everybody else."""
    query, database = call.query, call.services.database
    found = await cases.find_cases(database, call.actor, query.state, query.kind, query.before, query.limit)
    more = len(found) == query.limit
    return CasesAnswer([_answer(one) for one in found], found[-1].id if more else None)


async def get_case(call: Call[None, None]) -> CaseStory | Refusal:
    """One case with all that is known. Whom it is about is refused."""
    database, id = call.services.database, str(call.request.path_params["case"])
    case = await cases.case_by_id(database, id, call.actor) if ID.fullmatch(id) else None
    if case is None:
        return _none()
    return CaseStory(
        _answer(case),
        msgspec.convert(case.evidence, list[Finding]),
        [_report(one) for one in await reports_about(database, id)],
        [adjustment_answer(one) for one in await find_adjustments(database, None, None, id, None, ADJUSTMENTS_MAX)],
        [act_answer(one) for one in await find_acts(database, call.actor, subject=id, limit=ACTS_MAX)],
    )


def _none() -> Refusal:
    return Refusal(NOT_FOUND, "There is no case of this id.")


async def _do(call: Call[Request, None], step: Callable[[str, Request], Awaitable[CaseRecord]]) -> CaseAnswer | Refusal:
    id = str(call.request.path_params["case"])
    try:
        if not ID.fullmatch(id):
            return _none()
        changed = await step(id, call.body)
    except NoCase:
        return _none()
    except CaseChanged as problem:
        return Refusal(CASE_CHANGED, str(problem))
    answer = _answer(changed)
    log.info("case_changed", case=id, state=answer.state, held=answer.on_hold, banned=answer.banned)
    return answer


async def hold_case(call: Call[StepRequest, None]) -> CaseAnswer | Refusal:
    """Put the person's wallet on hold: no gifts, no orders, until it is released."""
    database, actor = call.services.database, call.actor
    return await _do(call, lambda id, body: cases.hold_case(database, id, body.version, actor, body.reason))


async def release_case(call: Call[StepRequest, None]) -> CaseAnswer | Refusal:
    """End the hold of this case; other reasons may keep the wallet on hold."""
    database, actor = call.services.database, call.actor
    return await _do(call, lambda id, body: cases.release_case(database, id, body.version, actor, body.reason))


async def ban_case(call: Call[StepRequest, None]) -> CaseAnswer | Refusal:
    """Ban the person from live: their open rooms are closed, and none opens until the ban ends."""
    services, actor = call.services, call.actor

    async def ban(id: str, body: StepRequest) -> CaseRecord:
        changed, closed = await cases.ban_case(services.database, id, body.version, actor, body.reason)
        await services.rooms.were_closed(closed)
        return changed

    return await _do(call, ban)


async def unban_case(call: Call[StepRequest, None]) -> CaseAnswer | Refusal:
    """End the ban of this case; other reasons may keep it. The person opens their rooms themselves."""
    database, actor = call.services.database, call.actor
    return await _do(call, lambda id, body: cases.unban_case(database, id, body.version, actor, body.reason))


async def note_case(call: Call[StepRequest, None]) -> CaseAnswer | Refusal:
    """Write a note for other operators; `reason` is the note."""
    database, actor = call.services.database, call.actor
    return await _do(call, lambda id, body: cases.note_case(database, id, body.version, actor, body.reason))


async def close_case(call: Call[CloseRequest, None]) -> CaseAnswer | Refusal:
    """Close the case; who reported it sees the outcome, not the reason."""
    database, actor = call.services.database, call.actor
    return await _do(
        call,
        lambda id, body: cases.close_case(
            database, id, body.version, actor, body.outcome, body.reason, end_hold=body.end_hold, end_ban=body.end_ban
        ),
    )  # fmt: skip


def _step(verb: str, summary: str, handler: Any, body: Any) -> Endpoint[Any, Any]:
    return Endpoint(
        "POST", f"/v1/ops/cases/{{case}}/{verb}", summary, handler, CaseAnswer, body=body, roles=OPERATORS,
        refusals=(NOT_FOUND, CASE_CHANGED),
    )  # fmt: skip


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/ops/cases", "Cases", list_cases, CasesAnswer, query=CasesQuery, roles=OPERATORS),
    Endpoint(
        "GET", "/v1/ops/cases/{case}", "One case", get_case, CaseStory, roles=OPERATORS, refusals=(NOT_FOUND,)
    ),
    _step("hold", "Put the wallet on hold", hold_case, StepRequest),
    _step("release", "End the hold of a case", release_case, StepRequest),
    _step("ban", "Ban the person from live", ban_case, StepRequest),
    _step("unban", "End the ban of a case", unban_case, StepRequest),
    _step("note", "Write a note", note_case, StepRequest),
    _step("close", "Close a case", close_case, CloseRequest),
)  # fmt: skip
