"""Every error code of giftserver in one table, and the refusal that carries one to a client."""

from dataclasses import dataclass, field
from typing import Any, Final

from rooms import codes
from rooms.codes import ErrorCode

INSUFFICIENT_COINS: Final = ErrorCode(
    "insufficient_coins", 402, False, "The wallet holds fewer coins than the gift costs"
)
LIMIT_REACHED: Final = ErrorCode("limit_reached", 403, False, "A spending limit would be passed")
LIMIT_STAYS: Final = ErrorCode("limit_stays", 409, False, "A break or a budget that runs can only be made stricter")
AGE_RESTRICTED: Final = ErrorCode("age_restricted", 403, False, "The caller is not of age for this")
GUARDIAN_REFUSED: Final = ErrorCode("guardian_refused", 409, False, "The code is not valid, or there is a guardian")
NOT_YOUR_WARD: Final = ErrorCode("not_your_ward", 404, False, "The caller does not look after this person")
ROOM_NOT_LIVE: Final = ErrorCode("room_not_live", 409, False, "Gifts are taken only while the room is live")
BANNED_FROM_LIVE: Final = ErrorCode("banned_from_live", 403, False, "The room's creator may not be live, for now")
GIFT_UNAVAILABLE: Final = ErrorCode("gift_unavailable", 404, False, "There is no such gift, or not here or not now")
PRICE_CHANGED: Final = ErrorCode("price_changed", 409, False, "It costs something else than the caller was shown")
SELF_GIFT: Final = ErrorCode("self_gift", 403, False, "Nobody sends gifts to themselves")
KEY_REUSED: Final = ErrorCode("key_reused", 409, False, "The key was used for something else; make a new key")
KEY_EXPIRED: Final = ErrorCode("key_expired", 400, False, "The key's time is not within the last 10 minutes")
WALLET_FROZEN: Final = ErrorCode("wallet_frozen", 403, False, "The wallet is held; nothing was charged")
UNKNOWN_OUTCOME: Final = ErrorCode(
    "unknown_outcome", 504, True, "No answer in time; resend the same key to learn the outcome"
)
NOT_SETTLED: Final = ErrorCode("not_settled", 409, True, "The gift is not booked yet; ask again after retry_after_ms")
RECEIPTS_OFF: Final = ErrorCode("receipts_off", 404, False, "This server signs no receipts")
RECHARGES_OFF: Final = ErrorCode("recharges_off", 404, False, "This server has no such way to pay")
NOT_SOLD_HERE: Final = ErrorCode("not_sold_here", 403, False, "Coins are not sold in this country")
PROMOTION_REFUSED: Final = ErrorCode("promotion_refused", 409, False, "The offer is over, or was used already")
PRICES_OVERTAKEN: Final = ErrorCode("prices_overtaken", 409, False, "A newer price list is in force; propose it anew")
PAYMENT_NOT_FOUND: Final = ErrorCode("payment_not_found", 404, False, "The caller has no payment of this id")
REFUND_TOO_LARGE: Final = ErrorCode("refund_too_large", 409, False, "The payment has not so much left to give back")
CASE_CHANGED: Final = ErrorCode("case_changed", 409, False, "The case is not as the caller saw it; look at it again")
ADJUSTMENT_DECIDED: Final = ErrorCode("adjustment_decided", 409, False, "Somebody has decided it already")
ADJUSTMENT_REFUSED: Final = ErrorCode(
    "adjustment_refused", 409, False, "The wallet has not the coins to be taken, or no room for those to be given"
)
WALLET_NOT_STILL: Final = ErrorCode(
    "wallet_not_still", 409, True, "Coins are taken only from a wallet on hold whose gifts are all booked"
)
REVIEW_REFUSED: Final = ErrorCode(
    "review_refused", 409, False, "The payment cannot be decided so; nothing was credited"
)
PAYOUTS_OFF: Final = ErrorCode("payouts_off", 404, False, "This server has no such way to be paid out")
PAYOUTS_STOPPED: Final = ErrorCode(
    "payouts_stopped", 409, False, "Nobody is paid out while the books are checked; nothing was sent"
)
PAYOUT_NOT_FOUND: Final = ErrorCode(
    "payout_not_found", 404, False, "There is no payout of this id that the caller may see"
)
PAYOUT_TOO_SMALL: Final = ErrorCode("payout_too_small", 409, False, "It is less than the least that is paid out")
PAYOUT_TOO_LARGE: Final = ErrorCode(
    "payout_too_large", 409, False, "The caller has not so many diamonds that can be paid out"
)
PAYOUT_DAY_FULL: Final = ErrorCode("payout_day_full", 409, False, "The day's maximum of payouts would be passed")
PAYOUT_ACCOUNT_NEEDED: Final = ErrorCode(
    "payout_account_needed", 409, False, "There is no account yet to pay out to; set one first"
)
PAYOUT_ACCOUNT_NEW: Final = ErrorCode("payout_account_new", 409, False, "The account was changed less than a day ago")
PAYOUT_ADDRESS_REFUSED: Final = ErrorCode(
    "payout_address_refused", 400, False, "The provider pays out to no such address"
)
PAYOUT_UNDER_WAY: Final = ErrorCode(
    "payout_under_way", 409, False, "The payout was sent or is over, and cannot be stopped"
)
WEBHOOK_REFUSED: Final = ErrorCode("webhook_refused", 400, False, "The webhook is not believed; nothing was kept")
METHOD_NOT_ALLOWED: Final = ErrorCode("method_not_allowed", 405, False, "The path is right, the method is not")
TOO_LARGE: Final = ErrorCode("too_large", 413, False, "The body is longer than the server reads")
UNSUPPORTED_TYPE: Final = ErrorCode("unsupported_type", 415, False, "The body is not JSON")
INTERNAL: Final = ErrorCode("internal", 500, True, "The server failed; it was logged there")

ERRORS: Final[tuple[ErrorCode, ...]] = (
    *codes.ERRORS,
    INSUFFICIENT_COINS,
    LIMIT_REACHED,
    LIMIT_STAYS,
    AGE_RESTRICTED,
    GUARDIAN_REFUSED,
    NOT_YOUR_WARD,
    ROOM_NOT_LIVE,
    BANNED_FROM_LIVE,
    GIFT_UNAVAILABLE,
    PRICE_CHANGED,
    SELF_GIFT,
    KEY_REUSED,
    KEY_EXPIRED,
    WALLET_FROZEN,
    UNKNOWN_OUTCOME,
    NOT_SETTLED,
    RECEIPTS_OFF,
    RECHARGES_OFF,
    NOT_SOLD_HERE,
    PROMOTION_REFUSED,
    PRICES_OVERTAKEN,
    PAYMENT_NOT_FOUND,
    REFUND_TOO_LARGE,
    CASE_CHANGED,
    ADJUSTMENT_DECIDED,
    ADJUSTMENT_REFUSED,
    WALLET_NOT_STILL,
    REVIEW_REFUSED,
    PAYOUTS_OFF,
    PAYOUTS_STOPPED,
    PAYOUT_NOT_FOUND,
    PAYOUT_TOO_SMALL,
    PAYOUT_TOO_LARGE,
    PAYOUT_DAY_FULL,
    PAYOUT_ACCOUNT_NEEDED,
    PAYOUT_ACCOUNT_NEW,
    PAYOUT_ADDRESS_REFUSED,
    PAYOUT_UNDER_WAY,
    WEBHOOK_REFUSED,
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    UNSUPPORTED_TYPE,
    INTERNAL,
)


class WrongSetting(ValueError):
    """A setting names something that cannot be used; the message says what and the way out, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An expected refusal: a code, a sentence for the person, and details for the program.

    It is a value, returned by services; the edges turn it into an `error` message or an HTTP response.
    """

    code: ErrorCode
    message: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """HTTP status of the refusal."""
        return self.code.status

    def body(self) -> dict[str, Any]:
        """What a client gets: code, message, temporary and the details."""
        return {"code": self.code.name, "message": self.message, "temporary": self.code.temporary, **self.details}
