"""What a buyer does with bought coins."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import text

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


async def back_by_hand(shop: Shop, payment: dict[str, Any], amount_minor: int) -> str:
    """Money is given back at the provider, whoever does it there; the refund's id."""
    path = f"/v1/sessions/{await shop.session(payment)}/refunds"
    made = await shop.control("POST", path, {"amount_minor": amount_minor}, **{"idempotency-key": new_key()})
    return str(made["id"])


async def bounce(shop: Shop, payment: dict[str, Any], refund: str) -> None:
    """A refund that was paid comes back to the provider."""
    await shop.control("POST", f"/v1/sessions/{await shop.session(payment)}/refunds/{refund}/fail")


async def claims_of(shop: Shop, payment: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """Kind, state, amount and coins of a payment's claims, oldest first."""
    query = text("SELECT kind, state, amount_minor, coins FROM claim WHERE payment = :id ORDER BY opened_at, id")
    async with shop.web.engines.database.connect() as connection:
        return [tuple(row) for row in await connection.execute(query, {"id": payment["id"]})]


SOON = (
    "UPDATE claim SET next_at = now() WHERE next_at > now()",
    "UPDATE provider_event SET next_at = now() WHERE outcome IS NULL",
    "UPDATE payment SET ask_again_at = now() WHERE ask_again_at < now() + interval '61 seconds'",
)
WAITING = """
    SELECT (SELECT count(*) FROM provider_event WHERE outcome IS NULL)
        + (SELECT count(*) FROM payment WHERE ask_again_at <= now())
        + (SELECT count(*) FROM claim JOIN payment AS p ON p.id = payment WHERE p.transfer IS NOT NULL
            AND wanted IN ('won', 'lost') AND claim.state NOT IN ('won', wanted))
        + (SELECT count(*) FROM claim WHERE wanted = 'won' AND claim.state = 'lost')
        + (SELECT count(*) FROM claim JOIN payment AS p ON p.id = payment WHERE p.transfer IS NOT NULL
            AND wanted = 'open' AND (claim.kind = 'refund' OR claim.state <> 'frozen'))
"""


async def all_done(shop: Shop) -> None:
    """Work until nothing is left to do: all was heard, asked and booked. What waits a while waits no longer."""
    async with asyncio.timeout(20):
        while True:
            async with shop.web.engines.database.begin() as connection:
                for statement in SOON:
                    await connection.execute(text(statement))
            await shop.work()
            await shop.reconciler().step()
            await shop.web.settle()
            await shop.claims.step()
            async with shop.web.engines.database.connect() as connection:
                if not await connection.scalar(text(WAITING)):
                    return
            await asyncio.sleep(0.005)
