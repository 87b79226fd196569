"""Cases: something about a payment, a gift or a person that an operator decides. Nothing of a case is ever deleted.

Whoever changes a case names the version they saw; its row is locked meanwhile, so that of two at once the second is
told. Whom a case is about changes nothing of it. A hold of a case is a reason of the wallet's hold (`holds.py`), a ban
one of the person's ban from live (`bans.py`), with a reference of its own each time.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Act, Actor, Detail, log_act
from giftserver.durable.bans import lift_ban, place_ban
from giftserver.durable.case_tables import case_file
from giftserver.durable.holds import place_hold, release_hold
from giftserver.durable.own_affairs import check_other
from giftserver.durable.rooms import close_rooms_of

Kind = Literal["report", "rule"]
SubjectKind = Literal["payment", "gift", "user"]
CaseState = Literal["open", "closed"]
Outcome = Literal["upheld", "dismissed", "resolved"]
"""What a case came to: what was told is true and was acted on; it is not; it was settled in another way."""

PAGE_MAX: Final = 100
FINDINGS_MAX: Final = 50
"""So many times evidence is added to a case; more is left out, the case is already known."""

TRIES: Final = 5
RULE: Final = "rule:"


class NoCase(Exception):
    """There is no such case. Nothing was changed."""


class CaseChanged(Exception):
    """The case is not as the caller saw it, or does not allow this now; the message says which, for people."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a case is about, by its public id; `person`: whom a hold or a ban would be about."""

    kind: SubjectKind
    id: str
    person: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case as stored; `hold_reference` and `ban_reference` are the hold and the ban of its own that are in force."""

    id: str
    kind: Kind
    subject_kind: SubjectKind
    subject_id: str
    person: str
    opened_by: str
    reason: str
    evidence: list[dict[str, Any]]
    state: CaseState
    version: int
    hold_reference: str | None
    holds: int
    ban_reference: str | None
    bans: int
    outcome: Outcome | None
    closed_by: str | None
    closed_at: datetime | None
    opened_at: datetime
    changed_at: datetime


def new_id(prefix: str) -> str:
    """An id whose order is that of time."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


async def open_case(
    connection: AsyncConnection,
    kind: Kind,
    subject: Subject,
    opened_by: Actor,
    evidence: dict[str, Any],
    reason: str,
    *,
    hold: bool = False,
) -> str:
    """Open a case in the caller's transaction, or join the open one of the same subject; its id.

    A rule is the actor `rule:<name>` in the role `rule`; what it found is added to a case that is open already. With
    `hold` the person's wallet is put on hold. Call it last in a transaction: whoever writes to the audit log waits for
    its end. Raises ValueError for a rule of another name, and CaseChanged when the open case is just being closed.
    """
    if kind == "rule" and not opened_by.id.startswith(RULE):
        raise ValueError(f"a rule that opens a case is called {RULE}<name>, not {opened_by.id!r}")
    source = opened_by.id if kind == "rule" else "report"
    finding = {"by": source, "reason": reason, "facts": evidence, "at_ms": time.time_ns() // 1_000_000}
    case, made = await _open_or_join(connection, kind, subject, opened_by, finding)
    acts = [Act(opened_by, "open_case", "case", case.id, reason)] if made else []
    if not made and kind == "rule" and len(case.evidence) < FINDINGS_MAX:
        case = await _change(connection, case, evidence=[*case.evidence, finding])
        acts.append(Act(opened_by, "add_evidence", "case", case.id, reason))
    if hold and case.hold_reference is None:
        case, act = await _hold(connection, case, opened_by, reason)
        acts.append(act)
    for act in acts:
        await log_act(connection, act)
    return case.id


async def _open_or_join(
    connection: AsyncConnection, kind: Kind, subject: Subject, opened_by: Actor, finding: dict[str, Any]
) -> tuple[CaseRecord, bool]:
    values = {
        "id": new_id("case"), "kind": kind, "subject_kind": subject.kind, "subject_id": subject.id,
        "person": subject.person, "opened_by": opened_by.id, "reason": finding["reason"], "evidence": [finding],
    }  # fmt: skip
    statement = insert(case_file).values(values).on_conflict_do_nothing().returning(case_file)
    known = select(case_file).where(
        case_file.c.subject_kind == subject.kind, case_file.c.subject_id == subject.id, case_file.c.state == "open"
    )
    for _ in range(TRIES):  # the open one may be closed between the two statements
        if (row := (await connection.execute(statement)).one_or_none()) is not None:
            return _record(row), True
        if (row := (await connection.execute(known.with_for_update())).one_or_none()) is not None:
            return _record(row), False
    raise CaseChanged("This is being looked at right now. Try again.")


async def hold_case(engine: AsyncEngine, id: str, version: int, by: Actor, reason: str) -> CaseRecord:
    """Put the person's wallet on hold for an open case. Raises NoCase, OwnAffair, CaseChanged."""
    async with engine.begin() as connection:
        case = await _opened(connection, id, version, by)
        if case.hold_reference is not None:
            raise CaseChanged("This case has the wallet on hold already.")
        changed, act = await _hold(connection, case, by, reason)
        await log_act(connection, act)
        return changed


async def release_case(engine: AsyncEngine, id: str, version: int, by: Actor, reason: str) -> CaseRecord:
    """End the hold of a case, open or closed; other reasons may keep the wallet on hold.

    Raises NoCase, OwnAffair, CaseChanged.
    """
    async with engine.begin() as connection:
        case = await _seen(connection, id, version, by)
        if case.hold_reference is None:
            raise CaseChanged("This case does not have the wallet on hold.")
        changed, act = await _release(connection, case, by, reason)
        await log_act(connection, act)
        return changed


async def ban_case(engine: AsyncEngine, id: str, version: int, by: Actor, reason: str) -> tuple[CaseRecord, list[str]]:
    """Ban the person from live for an open case, which closes their open rooms; the ids of these.

    The caller tells of the rooms, and when they were closed (`time_closings`). Raises NoCase, OwnAffair,
    CaseChanged.
    """
    async with engine.begin() as connection:
        case = await _opened(connection, id, version, by)
        if case.ban_reference is not None:
            raise CaseChanged("This case bans the person from live already.")
        reference = _reference(case, case.bans)
        await place_ban(connection, case.person, reference, f"case {case.id}")
        closed = await close_rooms_of(connection, case.person)
        changed = await _change(connection, case, ban_reference=reference, bans=case.bans + 1)
        await log_act(connection, Act(by, "ban", "case", id, reason, {"ban": reference, "rooms_closed": len(closed)}))
        return changed, closed


async def unban_case(engine: AsyncEngine, id: str, version: int, by: Actor, reason: str) -> CaseRecord:
    """End the ban of a case, open or closed; other reasons may keep it. No room opens. Raises as `ban_case`."""
    async with engine.begin() as connection:
        case = await _seen(connection, id, version, by)
        if case.ban_reference is None:
            raise CaseChanged("This case does not ban the person from live.")
        changed, act = await _unban(connection, case, by, reason)
        await log_act(connection, act)
        return changed


async def note_case(engine: AsyncEngine, id: str, version: int, by: Actor, words: str) -> CaseRecord:
    """Write a note for other operators. Raises NoCase, OwnAffair, CaseChanged."""
    async with engine.begin() as connection:
        case = await _opened(connection, id, version, by)
        changed = await _change(connection, case)
        await log_act(connection, Act(by, "note", "case", id, words))
        return changed


async def close_case(
    engine: AsyncEngine,
    id: str,
    version: int,
    by: Actor,
    outcome: Outcome,
    reason: str,
    *,
    end_hold: bool | None = None,
    end_ban: bool | None = None,
) -> CaseRecord:
    """Close a case. With a hold in force `end_hold` says whether it ends; it stays None where there is none.

    So does `end_ban` of a ban. Raises NoCase, OwnAffair, CaseChanged.
    """
    async with engine.begin() as connection:
        case = await _opened(connection, id, version, by)
        _check_end(case.hold_reference, end_hold, "has the wallet on hold", "does not have the wallet on hold")
        _check_end(case.ban_reference, end_ban, "bans the person from live", "does not ban the person from live")
        acts = []
        if end_hold:
            case, act = await _release(connection, case, by, reason)
            acts.append(act)
        if end_ban:
            case, act = await _unban(connection, case, by, reason)
            acts.append(act)
        closed = {"state": "closed", "outcome": outcome, "closed_by": by.id, "closed_at": func.now()}
        changed = await _change(connection, case, **closed)
        details: dict[str, Detail] = {
            "outcome": outcome, "held": changed.hold_reference is not None,
            "banned": changed.ban_reference is not None,
        }  # fmt: skip
        for act in (*acts, Act(by, "close_case", "case", id, reason, details)):
            await log_act(connection, act)
        return changed


def _check_end(reference: str | None, ends: bool | None, does: str, does_not: str) -> None:
    """Whoever closes a case says what becomes of its hold and its ban, where there is one. Raises CaseChanged."""
    if reference is not None and ends is None:
        raise CaseChanged(f"This case {does}: say whether that ends.")
    if reference is None and ends is not None:
        raise CaseChanged(f"This case {does_not}: there is nothing to end or to keep.")


def _reference(case: CaseRecord, before: int) -> str:
    # A reference is placed once for ever: the second hold or ban of a case has another.
    return f"case:{case.id}" if before == 0 else f"case:{case.id}:{before + 1}"


# The audit log comes last in each transaction: who has it waits for nobody.
async def _hold(connection: AsyncConnection, case: CaseRecord, by: Actor, reason: str) -> tuple[CaseRecord, Act]:
    reference = _reference(case, case.holds)
    await place_hold(connection, case.person, reference, f"case {case.id}")
    changed = await _change(connection, case, hold_reference=reference, holds=case.holds + 1)
    return changed, Act(by, "hold", "case", case.id, reason, {"hold": reference})


async def _release(connection: AsyncConnection, case: CaseRecord, by: Actor, reason: str) -> tuple[CaseRecord, Act]:
    assert case.hold_reference is not None
    await release_hold(connection, case.person, case.hold_reference)
    changed = await _change(connection, case, hold_reference=None)
    return changed, Act(by, "release", "case", case.id, reason, {"hold": case.hold_reference})


async def _unban(connection: AsyncConnection, case: CaseRecord, by: Actor, reason: str) -> tuple[CaseRecord, Act]:
    assert case.ban_reference is not None
    await lift_ban(connection, case.ban_reference)
    changed = await _change(connection, case, ban_reference=None)
    return changed, Act(by, "unban", "case", case.id, reason, {"ban": case.ban_reference})


async def _locked(connection: AsyncConnection, id: str) -> CaseRecord:
    row = (await connection.execute(select(case_file).where(case_file.c.id == id).with_for_update())).one_or_none()
    if row is None:
        raise NoCase
    return _record(row)


async def _seen(connection: AsyncConnection, id: str, version: int, by: Actor) -> CaseRecord:
    """The case, locked, as the caller saw it; it is about somebody else."""
    case = await _locked(connection, id)
    check_other(by, case.person)
    if case.version != version:
        raise CaseChanged("Somebody changed this case meanwhile. Look at it again, then decide.")
    return case


async def _opened(connection: AsyncConnection, id: str, version: int, by: Actor) -> CaseRecord:
    case = await _seen(connection, id, version, by)
    if case.state != "open":
        raise CaseChanged("This case is closed.")
    return case


async def _change(connection: AsyncConnection, case: CaseRecord, **changes: Any) -> CaseRecord:
    values = {**changes, "version": case_file.c.version + 1, "changed_at": func.now()}
    statement = update(case_file).where(case_file.c.id == case.id).values(values).returning(case_file)
    return _record((await connection.execute(statement)).one())


def _record(row: Any) -> CaseRecord:
    return CaseRecord(**row._mapping)


async def case_by_id(engine: AsyncEngine, id: str, by: Actor) -> CaseRecord | None:
    """One case, for an operator to read. Raises OwnAffair for whom it is about."""
    async with engine.connect() as connection:
        row = (await connection.execute(select(case_file).where(case_file.c.id == id))).one_or_none()
    if row is None:
        return None
    check_other(by, row.person)
    return _record(row)


async def find_cases(
    engine: AsyncEngine, by: Actor, state: CaseState | None, kind: Kind | None, before: str | None, limit: int
) -> list[CaseRecord]:
    """Cases, newest first, as this operator sees them: without those about themselves."""
    query = select(case_file).order_by(case_file.c.id.desc()).limit(max(1, min(limit, PAGE_MAX)))
    query = query.where(case_file.c.person != by.id)
    if state is not None:
        query = query.where(case_file.c.state == state)
    if kind is not None:
        query = query.where(case_file.c.kind == kind)
    if before is not None:
        query = query.where(case_file.c.id < before)
    async with engine.connect() as connection:
        return [_record(row) for row in await connection.execute(query)]
