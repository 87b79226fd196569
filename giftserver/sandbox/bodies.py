"""Bodies of requests: read with a limit, decoded strictly, so that no bool, float or text is taken for a number."""

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from giftserver.sandbox.addresses import problem_of
from giftserver.sandbox.objects import DisputeState, PayoutState, Reason, Refused
from giftserver.sandbox.receivers import ADDRESS

BODY_BYTES_MAX: Final = 65_536
AMOUNT_MINOR_MAX: Final = 999_999_999_999

Amount = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MINOR_MAX)]
Body = TypeVar("Body")


class NewSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/sessions`."""

    payment: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    amount_minor: Amount
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
    description: Annotated[str, msgspec.Meta(max_length=200)]
    return_url: str
    webhook_url: str
    expires_in_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)]

    def __post_init__(self) -> None:
        for name in ("return_url", "webhook_url"):
            if problem := problem_of(getattr(self, name)):
                raise ValueError(f"`{name}` {problem}")


class NewRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/sessions/{id}/refunds`."""

    amount_minor: Amount


class NewDispute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/sessions/{id}/disputes`; without an amount it is about everything."""

    reason: Reason
    amount_minor: Amount | None = None
    state: Literal["warning", "open"] = "open"


class MoveDispute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/disputes/{id}`."""

    state: DisputeState


class Settle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/sessions/{id}/settle`."""

    result: Literal["settled", "bounced"] = "settled"


class NewPayout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/payouts`; without `webhook_url` nobody is told what becomes of it."""

    payout: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    amount_minor: Amount
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
    address: Annotated[str, msgspec.Meta(pattern=rf"^{ADDRESS}\Z")]
    description: Annotated[str, msgspec.Meta(max_length=200)] = ""
    webhook_url: str = ""

    def __post_init__(self) -> None:
        if self.webhook_url and (problem := problem_of(self.webhook_url)):
            raise ValueError(f"`webhook_url` {problem}")


class SettlePayout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/payouts/{id}/settle`."""

    state: PayoutState = "paid"


class Resend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/webhooks/resend`."""

    event: str


async def read_bytes(request: Request, bytes_max: int) -> bytes | Refused:
    """The body, or 413 as soon as it is longer than `bytes_max`."""
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > bytes_max:
                return Refused(413, "too_large", f"The body is longer than {bytes_max} bytes.")
    except ClientDisconnect:
        return Refused(400, "bad_request", "The body ended early.")
    return bytes(data)


async def read_body(request: Request, kind: type[Body]) -> Body | Refused:
    """The JSON body as its type, or why not. An empty body stands for `{}`."""
    data = await read_bytes(request, BODY_BYTES_MAX)
    if isinstance(data, Refused):
        return data
    try:
        return msgspec.json.decode(data or b"{}", type=kind, strict=True)
    except RecursionError:
        return Refused(400, "bad_request", "The body is nested too deep.")
    except (msgspec.DecodeError, UnicodeError) as problem:
        return Refused(400, "bad_request", f"The body is wrong: {str(problem)[:200]}.")
