"""What the pages say about declines and ends."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DECLINES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "card_declined": "Your card was declined. Try another card or another way to pay.",
        "insufficient_funds": "There is not enough money on this card. Try another card.",
        "expired_card": "Your bank says this card has expired. Try another card.",
        "incorrect_cvc": "The security code is wrong. Check it and try again.",
        "processing_error": "Your bank could not process this. Try again in a moment.",
        "lost_card": "This card cannot be used. Try another card.",
        "highest_risk": "This payment was stopped because it looks risky. Try another way to pay.",
        "authentication_failed": "Your bank did not get your confirmation. Nothing was paid; try again.",
        "transfer_bounced": "The bank transfer did not arrive.",
    }
)
"""Decline codes in words."""

ENDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "authorised": ("Your transfer is on its way", "We wait for your bank. You can go back now."),
        "captured": ("This is already paid", "Thank you. There is nothing more to do here."),
        "expired": ("The time for this payment is over", "Nothing was paid. Start again in the shop."),
        "cancelled": ("This payment was cancelled", "Nothing was paid. Start again in the shop."),
        "failed": ("This payment failed", "Nothing was paid. Start again in the shop."),
    }
)
"""Title and sentence of the page of a session that takes no payment any more, by state."""
