"""The audit log: what operators did, in the transaction that did it, chained so that no row can be changed unseen.

A row's hash is SHA-256 of the hash of the row before it (nothing for the first) followed by the row's canonical bytes.
The row `audit_head` has the last number and hash; whoever writes locks it until their transaction ends.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import exists, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.case_tables import audit_head, audit_log, case_file
from giftserver.durable.chain import exact_ms

FORM: Final = "giftserver audit 1"
"""First field of the canonical bytes; another form of them would have another number."""

PAGE_MAX: Final = 100

HEAD: Final = text("SELECT last, hash, clock_timestamp() AS at FROM audit_head FOR UPDATE")

Detail = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, in which role."""

    id: str
    role: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody did to a subject. `details` are flat, without names, tokens or personal data."""

    actor: Actor
    action: str
    subject_kind: str
    subject_id: str
    reason: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedAct:
    """A row of the audit log; `hash` covers it and every row before it."""

    id: int
    at: datetime
    act: Act
    hash: bytes


def logged(row: Any) -> LoggedAct:
    """A row of the table as a record."""
    who = Actor(row.actor, row.role)
    act = Act(who, row.action, row.subject_kind, row.subject_id, row.reason, row.details)
    return LoggedAct(row.id, row.at, act, row.hash)


def next_hash(previous: bytes, id: int, at: datetime, act: Act) -> bytes:
    """Hash of a row after the hash of the one before it, 32 bytes. No field can hold a zero byte in PostgreSQL."""
    details = msgspec.json.encode(dict(act.details), order="deterministic").decode()
    fields = (
        FORM, id, exact_ms(at), act.actor.id, act.actor.role, act.action, act.subject_kind, act.subject_id, act.reason,
        details,
    )  # fmt: skip
    return hashlib.sha256(previous + "\0".join(map(str, fields)).encode()).digest()


async def log_act(connection: AsyncConnection, act: Act) -> int:
    """Write down what is done in the caller's transaction, as its last step; the row's number.

    Other writers wait from here to the end of the transaction.
    """
    head = (await connection.execute(HEAD)).one()
    id = head.last + 1
    hashed = next_hash(head.hash, id, head.at, act)
    values = {
        "id": id, "at": head.at, "actor": act.actor.id, "role": act.actor.role, "action": act.action,
        "subject_kind": act.subject_kind, "subject_id": act.subject_id, "reason": act.reason,
        "details": dict(act.details), "hash": hashed,
    }  # fmt: skip
    await connection.execute(insert(audit_log).values(values))
    await connection.execute(update(audit_head).values(last=id, hash=hashed))
    return int(id)


async def find_acts(
    engine: AsyncEngine,
    by: Actor,
    *,
    subject: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = PAGE_MAX,
) -> list[LoggedAct]:
    """Rows of the log, newest first: about one subject's id, of one person, of one action; those before a number.

    What was done in cases about whoever reads, `by`, is left out.
    """
    columns = audit_log.c
    own = exists().where(
        columns.subject_kind == "case", case_file.c.id == columns.subject_id, case_file.c.person == by.id
    )
    query = select(audit_log).where(~own).order_by(columns.id.desc()).limit(max(1, min(limit, PAGE_MAX)))
    for column, wanted in ((columns.subject_id, subject), (columns.actor, actor), (columns.action, action)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(columns.id < before)
    async with engine.connect() as connection:
        return [logged(row) for row in await connection.execute(query)]
