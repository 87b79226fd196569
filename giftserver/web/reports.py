"""Reports: anybody signed in may tell that something is wrong with a payment or a gift of theirs, or with a person."""

from typing import Annotated, Any, Final, Literal

import msgspec
import structlog
from msgspec import Meta

from giftserver.durable.cases import CaseChanged, CaseState, Outcome, Subject, SubjectKind
from giftserver.durable.evidence import find_gift, gift_facts, is_known, payment_facts, user_facts
from giftserver.durable.history import at_ms
from giftserver.durable.payments import ID, payment_by_id
from giftserver.durable.reports import (
    PAGE_MAX,
    REPORTS_MAX,
    NewReport,
    ReportRecord,
    TooManyReports,
    check_number,
    make_report,
    report_by_key,
    reports_of,
)
from giftserver.errors import CASE_CHANGED, KEY_REUSED, PAYMENT_NOT_FOUND, Refusal
from giftserver.gifts.messages import PRINTABLE, Identifier, Key
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.wallet import PEOPLE
from rooms.codes import BAD_REQUEST, NOT_FOUND, RATE_LIMITED

log = structlog.get_logger()

NOTE_MAX: Final = 1_000

Reason = Literal["unauthorised", "abusive_note", "abuse", "fraud", "impersonation", "other"]

REASONS: Final[dict[str, tuple[str, ...]]] = {
    "payment": ("unauthorised", "other"),
    "gift sent": ("unauthorised", "other"),
    "gift got": ("abusive_note", "other"),
    "user": ("abuse", "fraud", "impersonation", "other"),
}
"""What may be told of what."""

PROTECTED: Final = ("payment", "gift sent")
"""What somebody may ask to have their own wallet put on hold for, when it was not them."""


class ReportSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it is about: a payment's id, a gift's transfer, a person's id."""

    kind: SubjectKind
    id: Identifier


class ReportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody tells. `hold`: put my wallet on hold at once, where somebody else used it.

    Sent again with the same `key` it is the same report.
    """

    key: Key
    subject: ReportSubject
    reason: Reason
    note: Annotated[str, Meta(max_length=NOTE_MAX, pattern=PRINTABLE)] = ""
    hold: bool = False


class ReportAnswer(msgspec.Struct, frozen=True):
    """A report of the caller's and what came of it. `outcome` is null while its case is open."""

    id: str
    subject: ReportSubject
    reason: str
    note: str
    hold: bool
    state: CaseState
    outcome: Outcome | None
    at_ms: int
    closed_at_ms: int | None


class ReportsQuery(msgspec.Struct, frozen=True):
    """A page of reports: `before` is the last id of the page before it."""

    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


class ReportsAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next` is null on the last page."""

    reports: list[ReportAnswer]
    next: str | None


def _answer(told: ReportRecord) -> ReportAnswer:
    closed = at_ms(told.closed_at) if told.closed_at else None
    subject = ReportSubject(told.subject_kind, told.subject_id)
    return ReportAnswer(
        told.id, subject, told.reason, told.note, told.hold, told.state, told.outcome, at_ms(told.at), closed
    )


async def report(call: Call[ReportRequest, None]) -> ReportAnswer | Refusal:
    """Tell that something is wrong. A person looks at it."""
    database, body = call.services.database, call.body
    new = NewReport(body.key, body.reason, body.note, body.hold)
    known = await report_by_key(database, call.user, body.key)
    if known is not None:
        return _same(known, body, new)
    try:
        await check_number(database, call.user)
        found = await _subject(call)
        if isinstance(found, Refusal):
            return found
        subject, evidence = found
        made = await make_report(database, call.actor, subject, new, evidence)
        log.info("report_made", report=made.id, case=made.case, subject=subject.kind, hold=new.hold)
        return _same(made, body, new)
    except TooManyReports as problem:
        hours = max(1, round(problem.wait_s / 3_600))
        words = f"You reported {REPORTS_MAX} things within a day. Report more in about {hours} h, or write to support."
        return Refusal(RATE_LIMITED, words, {"retry_after_ms": max(1, round(problem.wait_s * 1_000))})
    except CaseChanged as problem:
        return Refusal(CASE_CHANGED, str(problem))


def _same(told: ReportRecord, body: ReportRequest, new: NewReport) -> ReportAnswer | Refusal:
    if not told.is_of(body.subject.kind, body.subject.id, new):
        return Refusal(KEY_REUSED, "This key was used for another report. Make a new key for each report.")
    return _answer(told)


async def _subject(call: Call[ReportRequest, None]) -> tuple[Subject, dict[str, Any]] | Refusal:
    """What is reported and what is known of it, when this person may report it for this reason."""
    match call.body.subject.kind:
        case "payment":
            return await _payment(call)
        case "gift":
            return await _gift(call)
        case _:
            return await _user(call)


async def _payment(call: Call[ReportRequest, None]) -> tuple[Subject, dict[str, Any]] | Refusal:
    database, id = call.services.database, call.body.subject.id
    payment = await payment_by_id(database, id) if ID.fullmatch(id) else None
    if payment is None or payment.user_id != call.user:
        return Refusal(PAYMENT_NOT_FOUND, "There is no order of this number in your wallet.")
    if refusal := _unfit(call.body, "payment"):
        return refusal
    return Subject("payment", id, call.user), await payment_facts(database, id)


async def _gift(call: Call[ReportRequest, None]) -> tuple[Subject, dict[str, Any]] | Refusal:
    database, id = call.services.database, call.body.subject.id
    gift = await find_gift(database, id)
    if gift is None or call.user not in (gift.sender, gift.creator):
        return Refusal(NOT_FOUND, "You neither sent nor got a gift of this number.")
    if refusal := _unfit(call.body, "gift sent" if gift.sender == call.user else "gift got"):
        return refusal
    return Subject("gift", id, gift.sender), await gift_facts(database, gift)


async def _user(call: Call[ReportRequest, None]) -> tuple[Subject, dict[str, Any]] | Refusal:
    database, id = call.services.database, call.body.subject.id
    if id == call.user:
        return Refusal(BAD_REQUEST, "You cannot report yourself. Report the payment or the gift that is not yours.")
    if not await is_known(database, id):
        return Refusal(NOT_FOUND, "There is nobody of this name here.")
    if refusal := _unfit(call.body, "user"):
        return refusal
    return Subject("user", id, id), await user_facts(database, id)


def _unfit(body: ReportRequest, what: str) -> Refusal | None:
    if body.reason not in REASONS[what]:
        return Refusal(BAD_REQUEST, f"The reason of this report is one of: {', '.join(REASONS[what])}.")
    if body.hold and (what not in PROTECTED or body.reason != "unauthorised"):
        return Refusal(BAD_REQUEST, "`hold` is for a payment or gift of yours that you did not make: `unauthorised`.")
    return None


async def list_reports(call: Call[None, ReportsQuery]) -> ReportsAnswer:
    """The caller's reports."""
    found = await reports_of(call.services.database, call.user, call.query.before, call.query.limit)
    more = len(found) == call.query.limit
    return ReportsAnswer([_answer(one) for one in found], found[-1].id if more else None)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "POST", "/v1/reports", "Report that something is wrong", report, ReportAnswer, body=ReportRequest, roles=PEOPLE,
        refusals=(KEY_REUSED, PAYMENT_NOT_FOUND, NOT_FOUND, RATE_LIMITED, CASE_CHANGED),
    ),
    Endpoint("GET", "/v1/reports", "Your reports", list_reports, ReportsAnswer, query=ReportsQuery, roles=PEOPLE),
)  # fmt: skip
