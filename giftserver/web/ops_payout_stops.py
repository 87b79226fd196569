"""Stopping all payouts, and letting them go on, for operators."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.history import at_ms
from giftserver.durable.payout_stops import let_payouts_go, stop_in_force, stop_payouts
from giftserver.gifts.messages import PRINTED
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.prices import OPERATORS


class PayoutStopRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why all payouts are stopped, or go on: for the audit log."""

    reason: Annotated[str, Meta(max_length=200, pattern=PRINTED)]


class OpsPayoutStop(msgspec.Struct, frozen=True):
    """Why nobody is paid out; `placed_by` is an operator, or `keeper`: the worker, which found something wrong."""

    reason: str
    placed_by: str
    placed_at_ms: int


class OpsPayoutStopAnswer(msgspec.Struct, frozen=True):
    """The stop that is in force, null when payouts go on."""

    stop: OpsPayoutStop | None


async def payout_stop(call: Call[Any, Any]) -> OpsPayoutStop | None:
    """The stop that is in force."""
    found = await stop_in_force(call.services.database)
    return None if found is None else OpsPayoutStop(found.reason, found.placed_by, at_ms(found.placed_at))


async def stop_all_payouts(call: Call[PayoutStopRequest, None]) -> OpsPayoutStopAnswer:
    """Nothing is asked for and nothing is sent from now on; what was sent is followed. A second time it stays so."""
    await stop_payouts(call.services.database, call.actor, call.body.reason)
    return OpsPayoutStopAnswer(await payout_stop(call))


async def go_on_with_payouts(call: Call[PayoutStopRequest, None]) -> OpsPayoutStopAnswer:
    """Lift the stop. Compare the books with the providers first: what this database has lost would be paid twice."""
    await let_payouts_go(call.services.database, call.actor, call.body.reason)
    return OpsPayoutStopAnswer(await payout_stop(call))


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "POST", "/v1/ops/payouts/stop", "Stop all payouts", stop_all_payouts, OpsPayoutStopAnswer,
        body=PayoutStopRequest, roles=OPERATORS,
    ),
    Endpoint(
        "POST", "/v1/ops/payouts/go", "Go on with payouts", go_on_with_payouts, OpsPayoutStopAnswer,
        body=PayoutStopRequest, roles=OPERATORS,
    ),
)  # fmt: skip
