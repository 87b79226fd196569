"""Ending sessions: one's own everywhere, or, for admins, somebody else's."""

import time
from typing import Any, Final

import msgspec
import structlog
from redis.exceptions import RedisError

from giftserver.durable.session_ends import end_sessions
from giftserver.errors import Refusal
from giftserver.gifts.messages import Identifier
from giftserver.gifts.notices import SessionsEnded, send_notice
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.wallet import PEOPLE
from rooms.codes import FORBIDDEN

log = structlog.get_logger()


class EndRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose sessions; nobody named: the caller's own."""

    user: Identifier | None = None


class EndAnswer(msgspec.Struct, frozen=True):
    """Tokens of this person issued up to `before_s` (Unix seconds) count no more; sockets close within seconds."""

    user: str
    before_s: int


async def end_all_sessions(call: Call[EndRequest, None]) -> EndAnswer | Refusal:
    """Void every token of a person that was issued until now, and close their sockets."""
    assert call.identity is not None
    user = call.body.user or call.user
    if user != call.user and call.identity.role != "admin":
        return Refusal(FORBIDDEN, "Only an admin ends somebody else's sessions.")
    services = call.services
    before_s = await end_sessions(services.database, user, int(time.time()), call.actor)
    services.session_ends.hear(user, before_s)
    try:
        await send_notice(services.rooms_redis, SessionsEnded(user, before_s))
    except (RedisError, OSError):
        log.warning("session_end_not_told")  # the other processes read of it
    log.info("sessions_ended")
    return EndAnswer(user, before_s)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "POST", "/v1/sessions/end", "Sign out everywhere", end_all_sessions, EndAnswer, body=EndRequest, roles=PEOPLE
    ),
)
