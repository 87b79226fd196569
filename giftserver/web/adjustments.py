"""Adjustments for operators: propose coins to give or take, and decide about what somebody else proposed."""

import re
from typing import Annotated, Any, Final

import msgspec
import structlog
from msgspec import Meta
from sqlalchemy.exc import IntegrityError

from giftserver.away import constraint_of
from giftserver.durable import adjustments as stored
from giftserver.durable.adjustments import (
    COINS_MAX,
    PAGE_MAX,
    AdjustmentRecord,
    Decided,
    DoesNotFit,
    NewAdjustment,
    NotStill,
    State,
)
from giftserver.durable.evidence import is_known
from giftserver.durable.history import at_ms
from giftserver.durable.store import flush_cursors, wallet_snapshot
from giftserver.errors import ADJUSTMENT_DECIDED, ADJUSTMENT_REFUSED, KEY_REUSED, WALLET_NOT_STILL, Refusal
from giftserver.gifts.messages import PRINTED, Identifier, Key
from giftserver.ledger.keys import shard_of
from giftserver.services import Services
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.prices import OPERATORS
from rooms.codes import BAD_REQUEST, FORBIDDEN, NOT_FOUND

log = structlog.get_logger()

ID: Final = re.compile(r"adj_[0-9a-f]{32}")
RETRY_AFTER_MS: Final = 1_000

Words = Annotated[str, Meta(max_length=200, pattern=PRINTED)]


class AdjustmentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Coins to give, or below zero to take. Sent again with the same `key` it is the same proposal."""

    key: Key
    user: Identifier
    coins: Annotated[int, Meta(ge=-COINS_MAX, le=COINS_MAX)]
    reason: Words
    case: Identifier | None = None


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is approved or rejected, for the audit log."""

    reason: Words


class AdjustmentAnswer(msgspec.Struct, frozen=True):
    """An adjustment; `transfer` is where it stands in the statement once it is booked."""

    id: str
    user: str
    coins: int
    reason: str
    case: str | None
    state: State
    proposed_by: str
    proposed_at_ms: int
    decided_by: str | None
    decided_at_ms: int | None
    transfer: str | None


class AdjustmentsQuery(msgspec.Struct, frozen=True):
    """Which adjustments; `before` is the last id of the page before it."""

    user: Identifier | None = None
    state: State | None = None
    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class AdjustmentsAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next` is null on the last page."""

    adjustments: list[AdjustmentAnswer]
    next: str | None


def adjustment_answer(found: AdjustmentRecord) -> AdjustmentAnswer:
    """An adjustment as operators see it."""
    return AdjustmentAnswer(
        found.id, found.user_id, found.coins, found.reason, found.case_id, found.state, found.proposed_by,
        at_ms(found.proposed_at), found.decided_by, at_ms(found.decided_at) if found.decided_at else None,
        None if found.transfer is None else str(found.transfer),
    )  # fmt: skip


async def list_adjustments(call: Call[None, AdjustmentsQuery]) -> AdjustmentsAnswer:
    """What was proposed, and what became of it."""
    query = call.query
    found = await stored.find_adjustments(
        call.services.database, query.user, query.state, None, query.before, query.limit
    )
    more = len(found) == query.limit
    return AdjustmentsAnswer([adjustment_answer(one) for one in found], found[-1].id if more else None)


async def propose_adjustment(call: Call[AdjustmentRequest, None]) -> AdjustmentAnswer | Refusal:
    """Propose coins to give or take. Nothing moves until somebody else approves."""
    body = call.body
    if body.coins == 0:
        return Refusal(BAD_REQUEST, "An adjustment of no coins changes nothing: give more than 0, or take less.")
    if not await is_known(call.services.database, body.user):
        return Refusal(NOT_FOUND, f"There is nobody called {body.user} here: name the person's id.")
    new = NewAdjustment(body.key, body.user, body.coins, body.reason, body.case)
    try:
        made = await stored.propose_adjustment(call.services.database, new, call.actor)
    except IntegrityError as problem:
        if constraint_of(problem) != "adjustment_case_fkey":
            raise
        return Refusal(NOT_FOUND, "There is no case of this id.")
    if not made.is_of(new):
        return Refusal(KEY_REUSED, "This key was used for another adjustment. Make a new key for each.")
    return adjustment_answer(made)


async def approve_adjustment(call: Call[DecisionRequest, None]) -> AdjustmentAnswer | Refusal:
    """Book what somebody else proposed. Coins are taken from a wallet on hold only, and no more than is there."""
    services, id = call.services, str(call.request.path_params["adjustment"])
    found = await stored.adjustment_by_id(services.database, id) if ID.fullmatch(id) else None
    if found is None:
        return _none()
    still = await _still(services, found.user_id) if found.coins < 0 and found.state == "proposed" else None
    try:
        done = await stored.approve_adjustment(services.database, id, call.actor, still, call.body.reason)
    except (PermissionError, Decided) as problem:
        return _not_yours(problem)
    except NotStill:
        return Refusal(
            WALLET_NOT_STILL,
            "Coins are taken only from a wallet on hold whose gifts are all booked. Put it on hold with a case, wait a "
            "moment, and approve again.",
            {"retry_after_ms": RETRY_AFTER_MS},
        )
    except DoesNotFit:
        words = "The wallet has fewer coins than that." if found.coins < 0 else "The wallet is full."
        return Refusal(ADJUSTMENT_REFUSED, f"{words} Reject it, and propose another number.")
    if done is None:
        return _none()
    log.info("adjustment_booked", adjustment=id, transfer=done.transfer, coins=done.coins)
    return adjustment_answer(done)


async def reject_adjustment(call: Call[DecisionRequest, None]) -> AdjustmentAnswer | Refusal:
    """Decide that what somebody else proposed is not booked."""
    database, id = call.services.database, str(call.request.path_params["adjustment"])
    try:
        done = await stored.reject_adjustment(database, id, call.actor, call.body.reason) if ID.fullmatch(id) else None
    except (PermissionError, Decided) as problem:
        return _not_yours(problem)
    return _none() if done is None else adjustment_answer(done)


def _not_yours(problem: Exception) -> Refusal:
    if isinstance(problem, Decided):
        return Refusal(ADJUSTMENT_DECIDED, f"It was {problem} already.")
    return Refusal(FORBIDDEN, "Who proposed an adjustment cannot decide about it. Ask a second person.")


def _none() -> Refusal:
    return Refusal(NOT_FOUND, "There is no adjustment of this id.")


async def _still(services: Services, user: str) -> int | None:
    """Number of the state under which the wallet is on hold in Redis, with every gift from before in PostgreSQL."""
    shard = shard_of(user)
    stood = (await wallet_snapshot(services.database, [user], shard)).wallets[user]
    if not stood.held:
        return None
    last = await services.ledger.wallets.set_state(user, stood.state_no, held=True)
    if last is None:
        return None
    _, flushed = (await flush_cursors(services.database))[shard]
    return stood.state_no if last <= flushed else None


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/ops/adjustments", "Adjustments", list_adjustments, AdjustmentsAnswer, query=AdjustmentsQuery,
        roles=OPERATORS,
    ),
    Endpoint(
        "POST", "/v1/ops/adjustments", "Propose an adjustment", propose_adjustment, AdjustmentAnswer,
        body=AdjustmentRequest, roles=OPERATORS, refusals=(NOT_FOUND, KEY_REUSED),
    ),
    Endpoint(
        "POST", "/v1/ops/adjustments/{adjustment}/approve", "Approve an adjustment", approve_adjustment,
        AdjustmentAnswer, body=DecisionRequest, roles=OPERATORS,
        refusals=(NOT_FOUND, ADJUSTMENT_DECIDED, ADJUSTMENT_REFUSED, WALLET_NOT_STILL),
    ),
    Endpoint(
        "POST", "/v1/ops/adjustments/{adjustment}/reject", "Reject an adjustment", reject_adjustment,
        AdjustmentAnswer, body=DecisionRequest, roles=OPERATORS, refusals=(NOT_FOUND, ADJUSTMENT_DECIDED),
    ),
)  # fmt: skip
