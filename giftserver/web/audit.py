"""The audit log for operators: who did what to which subject, and why."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.audit_log import PAGE_MAX, LoggedAct, find_acts
from giftserver.durable.history import at_ms
from giftserver.gifts.messages import Identifier
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.prices import OPERATORS


class ActAnswer(msgspec.Struct, frozen=True):
    """Something that was done; `hash` (hex) covers it and everything before it."""

    id: int
    at_ms: int
    actor: str
    role: str
    action: str
    subject_kind: str
    subject_id: str
    reason: str
    details: dict[str, str | int | bool | None]
    hash: str


class AuditQuery(msgspec.Struct, frozen=True):
    """Which acts: about a subject (its id), of a person, of one action; `before` is the last id of the page before."""

    subject: Identifier | None = None
    actor: Identifier | None = None
    action: Annotated[str, Meta(max_length=32, pattern=r"^[a-z_]+$(?!\n)")] | None = None
    before: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class AuditAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next` is null on the last page."""

    acts: list[ActAnswer]
    next: int | None


def act_answer(logged: LoggedAct) -> ActAnswer:
    """An act as operators see it."""
    act = logged.act
    return ActAnswer(
        logged.id, at_ms(logged.at), act.actor.id, act.actor.role, act.action, act.subject_kind, act.subject_id,
        act.reason, dict(act.details), logged.hash.hex(),
    )  # fmt: skip


async def list_acts(call: Call[None, AuditQuery]) -> AuditAnswer:
    """The audit log, without what was done in cases about the caller."""
    query = call.query
    found = await find_acts(
        call.services.database, call.actor, subject=query.subject, actor=query.actor, action=query.action,
        before=query.before, limit=query.limit,
    )  # fmt: skip
    more = len(found) == query.limit
    return AuditAnswer([act_answer(one) for one in found], found[-1].id if more else None)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/ops/audit", "What operators did", list_acts, AuditAnswer, query=AuditQuery, roles=OPERATORS),
)
