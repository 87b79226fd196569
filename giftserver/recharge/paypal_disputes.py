"""PayPal's disputes as claims of their payments."""

from typing import Any, Final

from giftserver.recharge.paypal_reading import sum_minor, text_at, value_at
from giftserver.recharge.provider import DisputeNews, ProviderAway

OUTCOMES: Final = {
    "RESOLVED_BUYER_FAVOUR": "lost", "ACCEPTED": "lost", "RESOLVED_SELLER_FAVOUR": "won", "RESOLVED_WITH_PAYOUT": "won",
    "CANCELED_BY_BUYER": "won", "DENIED": "won", "NONE": "won",
}  # fmt: skip
"""How a dispute that is over ended for us: with a payout of PayPal's own the merchant keeps the money."""

RUNNING: Final = frozenset(
    {"OPEN", "WAITING_FOR_BUYER_RESPONSE", "WAITING_FOR_SELLER_RESPONSE", "UNDER_REVIEW", "OTHER"}
)  # fmt: skip


def dispute_news(dispute: Any, currency: str, captured_minor: int) -> DisputeNews:
    """What PayPal's answer about one dispute says. From its first day on PayPal holds the money, so it is open.

    An amount in another currency is all of the money. Raises ProviderAway when it cannot be read.
    """
    id, status = text_at(dispute, "dispute_id"), text_at(dispute, "status")
    outcome = text_at(dispute, "dispute_outcome", "outcome_code")
    state = "open" if status in RUNNING else OUTCOMES.get(outcome or "NONE") if status == "RESOLVED" else None
    if not id or state is None:
        raise ProviderAway(f"unknown state of a dispute {status[:32]} {outcome[:32]}")
    claimed = value_at(dispute, "dispute_amount")
    whole = text_at(claimed, "currency_code") != currency
    amount = captured_minor if whole else sum_minor([{"amount": claimed}], currency)
    return DisputeNews(id, amount, state, text_at(dispute, "reason")[:64].lower())
