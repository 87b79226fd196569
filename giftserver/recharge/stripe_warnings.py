"""Stripe's early fraud warnings: a bank says that a payment looks stolen, before anybody disputes it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from giftserver.recharge.provider import DisputeNews, ProviderRefused

PAGE: Final = 100

Ask = Callable[[Awaitable[Any], Any], Awaitable[Any]]


class _Warning(msgspec.Struct, frozen=True):
    id: str
    fraud_type: str
    actionable: bool


class _Warnings(msgspec.Struct, frozen=True):
    data: list[_Warning]


async def list_warnings(api: Any, ask: Ask, intent: str, captured_minor: int) -> list[DisputeNews]:
    """Warnings about a payment: of all its money, and over once Stripe says that nothing can be done.

    A key that may not read them has none. Raises what `ask` raises otherwise.
    """
    try:
        call = api.radar.early_fraud_warnings.list_async({"payment_intent": intent, "limit": PAGE})
        listed: _Warnings = await ask(call, _Warnings)
    except ProviderRefused:
        return []
    return [
        DisputeNews(one.id, captured_minor, "warning" if one.actionable else "won", one.fraud_type)
        for one in listed.data
    ]
