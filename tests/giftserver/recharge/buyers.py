"""What a buyer does with bought coins."""

from typing import Any

import httpx

from giftserver.auth.tokens import Identity
from giftserver.errors import Refusal
from giftserver.gifts.messages import Receipt, SendGift
from tests.giftserver.shop import Shop, new_key


async def send(shop: Shop, quantity: int, user: str = "ana") -> Receipt | Refusal:
    """Send gifts of 100 coins to mira."""
    sender = Identity(user, user.title(), "viewer", None, float("inf"))
    return await shop.web.services.gifts.send(
        sender, "harbour", SendGift(id=1, key=new_key(), gift="fountain", quantity=quantity)
    )


async def is_held(shop: Shop) -> bool:
    """Whether a gift of ana is refused because of a hold."""
    reply = await send(shop, 1)
    return isinstance(reply, Refusal) and reply.code.name == "wallet_frozen"


async def refund(
    shop: Shop, payment: dict[str, Any], amount_minor: int, key: str | None = None,
    reason: str = "asked for within 14 days", operator: str = "olga",
) -> httpx.Response:  # fmt: skip
    """An operator gives money back."""
    body = {"key": key or new_key(), "amount_minor": amount_minor, "reason": reason}
    return await shop.web.http.post(
        f"/v1/ops/payments/{payment['id']}/refund", json=body, headers=shop.web.bearer(operator, "admin")
    )
