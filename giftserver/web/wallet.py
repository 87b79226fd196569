"""The caller's own wallet: what is there, and the statement."""

import asyncio
from typing import Annotated, Any, Final

import msgspec
import structlog
from msgspec import Meta

from giftserver.auth.tokens import Role
from giftserver.away import DATABASE_ERRORS, is_away
from giftserver.durable.history import PAGE_MAX, wallet_history
from giftserver.durable.holds import Aside, set_aside
from giftserver.durable.store import settled_coins
from giftserver.errors import Refusal
from giftserver.gifts.service import DATABASE_S
from giftserver.web.endpoint import Call, Endpoint
from rooms.codes import UNAVAILABLE

log = structlog.get_logger()

PEOPLE: Final[tuple[Role, ...]] = ("viewer", "creator", "moderator", "admin")


class WalletAnswer(msgspec.Struct, frozen=True):
    """Coins that can be spent now, what the durable ledger says, and what is on its way between the two.

    `unsettled_coins` is `settled_coins` minus `coins`, not below zero: coins of accepted gifts that the durable ledger
    has not taken yet, plus credits it has that the live wallet has not taken yet. It goes to 0 within seconds. Both are
    null while the durable ledger cannot be read; `coins` are exact all the same.

    `on_hold`: nothing can be sent until it is over. `frozen_coins` are set aside while a payment is claimed back,
    `owed_coins` were spent and never paid for. All three are null while the durable ledger cannot be read.
    """

    coins: int
    settled_coins: int | None
    unsettled_coins: int | None
    on_hold: bool | None
    frozen_coins: int | None
    owed_coins: int | None


class StatementQuery(msgspec.Struct, frozen=True):
    """A page of the statement: `before` is the `next` of the page before it."""

    before: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class StatementEntry(msgspec.Struct, frozen=True):
    """One change of the wallet and the coins after it. Key, gift, quantity, room and creator are null but for gifts.

    `claim`: of coins that were set aside for a claim, how that claim stands now: `frozen`, `lost` or `won`.
    """

    transfer: str
    kind: str
    amount_coins: int
    balance_coins: int
    at_ms: int
    gift: str | None
    quantity: int | None
    room: str | None
    creator: str | None
    key: str | None
    claim: str | None = None


class StatementAnswer(msgspec.Struct, frozen=True):
    """Settled entries, newest first; `next` is null on the last page."""

    entries: list[StatementEntry]
    next: int | None


async def get_wallet(call: Call[None, None]) -> WalletAnswer | Refusal:
    """The caller's coins."""
    # Settled first: a gift that is sent between the two reads then counts as on its way, never as negative.
    settled: int | None = None
    aside = Aside(None, None, None)
    try:
        async with asyncio.timeout(DATABASE_S):
            settled = await settled_coins(call.services.database, call.user)
            aside = await set_aside(call.services.database, call.user)
    except DATABASE_ERRORS as problem:
        if not is_away(problem):
            raise
        log.warning("settled_coins_unknown", error=type(problem).__name__)
    coins = await call.services.ledger.balance(call.user)
    if coins is None:
        return Refusal(
            UNAVAILABLE, "Your balance is being checked: ask again in a moment. Your coins are safe.",
            {"retry_after_ms": 1_000},
        )  # fmt: skip
    unsettled = None if settled is None else max(0, settled - coins)
    return WalletAnswer(coins, settled, unsettled, aside.on_hold, aside.frozen_coins, aside.owed_coins)


async def get_statement(call: Call[None, StatementQuery]) -> StatementAnswer:
    """The caller's statement from the durable ledger."""
    page = await wallet_history(call.services.database, call.user, call.query.before, call.query.limit)
    return StatementAnswer(msgspec.convert(page.entries, list[StatementEntry], from_attributes=True), page.next)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/wallet", "Your coins", get_wallet, WalletAnswer, roles=PEOPLE),
    Endpoint(
        "GET", "/v1/wallet/history", "Your statement", get_statement, StatementAnswer, query=StatementQuery,
        roles=PEOPLE,
    ),
)  # fmt: skip
