"""A limit in the way, in words and for programs."""

from typing import Any, Final

from giftserver.errors import AGE_RESTRICTED, LIMIT_REACHED, Refusal
from giftserver.ledger.limits import LimitReached

WINDOWS: Final = {"day": ("a day", "today"), "month": ("a month", "this month"), "session": ("for now", "of it")}

TOO_YOUNG: Final = Refusal(AGE_RESTRICTED, "Coins are for adults here. Nothing was charged.")


def too_many(limit: LimitReached, coins: int, *, buying: bool = False) -> Refusal:
    """The refusal of a gift, or an order, of so many coins."""
    what = "order" if buying else "gift"
    left = max(0, limit.coins - limit.spent_coins)
    match limit.kind:
        case "locked":
            words = "You are taking a break from sending and buying."
        case "gift":
            words = f"Your limit is {limit.coins:,} coins a gift; this one is {coins:,}."
        case "new":
            words = f"At first you can buy {limit.coins:,} coins, of which {left:,} are left; a day after that more."
        case kind:
            span, now = WINDOWS[kind]
            words = f"Your limit is {limit.coins:,} coins {span}; {left:,} are left {now} and this {what} is {coins:,}."
    details: dict[str, Any] = {"limit": limit.kind, "limit_coins": limit.coins, "left_coins": left}
    if limit.until_s:
        details["resets_at_ms"] = limit.until_s * 1_000
    return Refusal(LIMIT_REACHED, f"{words} Nothing was charged.", details)
