"""What claims book: coins frozen, lost or given back, the money beside them, and the creators' share of a loss."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.bookkeeping import (
    COINS_SOLD,
    DIAMONDS_ISSUED,
    OWED_TO_PLATFORM,
    PROMOTIONS,
    Name,
    charged_back,
    clearing,
    disputed,
    earnings,
    frozen,
    owed,
    revenue,
    wallet,
)
from giftserver.durable.claim_tables import claim, claim_gift
from giftserver.durable.claims import ClaimRecord, booked, change, let_go, locked
from giftserver.durable.clawed import in_turn
from giftserver.durable.credits import add_to_outbox
from giftserver.durable.earnings import PENDING_DAYS
from giftserver.durable.lots import OPENED, WON, lot_of
from giftserver.durable.payment_tables import payment
from giftserver.durable.payments import add_step
from giftserver.durable.posting import open_accounts, post
from giftserver.durable.tables import account, transfer
from giftserver.recharge.states import State

GIFTS: Final = text("""
    SELECT t.id, t.creator, t.room, t.shard, t.coins, t.diamonds, (t.event_at AT TIME ZONE 'UTC')::date AS day
    FROM transfer AS t WHERE t.id = ANY(CAST(:gifts AS bigint[])) ORDER BY t.id
""")

TAKEN: Final = text("""
    SELECT g.gift, sum(g.coins)::bigint AS coins FROM claim_gift AS g JOIN claim AS c ON c.id = g.claim
    WHERE c.payment = :payment AND c.state = 'lost' GROUP BY g.gift
""")

# Before the accounts, as the flusher does, and in one order.
CLAW: Final = text("""
    UPDATE gift_day SET clawed_diamonds = clawed_diamonds + :diamonds
    WHERE creator = :creator AND day = :day AND room = :room AND shard = :shard
""")


@dataclass(frozen=True, slots=True)
class Reached:
    """A gift that a lost claim reaches: coins of the purchase in it; diamonds taken back, or lost to the platform."""

    gift: Any
    coins: int
    clawed_diamonds: int
    lost_diamonds: int


async def freeze(engine: AsyncEngine, due: ClaimRecord) -> int | None:
    """Freeze what is unspent of the claimed coins; how many. None when the claim has moved meanwhile.

    The buyer's wallet must be on hold, with all gifts from before in PostgreSQL. Raises IntegrityError.
    """
    async with engine.begin() as connection:
        if not await locked(connection, due):
            return None
        coins = await _claimed_coins(connection, due)
        lot = await lot_of(connection, due.user, due.transfer)
        balance = await _balance(connection, wallet(due.user))
        taken = max(0, min(coins, lot.left, balance))
        amounts = {wallet(due.user): -taken, frozen(due.user): taken}
        if due.kind == "dispute":
            owing, keeping = clearing(due.provider, due.currency), disputed(due.provider, due.currency)
            amounts |= {owing: -due.amount_minor, keeping: due.amount_minor}
        number = await _transfer(connection, due, "claim_open", f"{OPENED}{due.id}", amounts, coins)
        if number is not None and taken:
            await add_to_outbox(connection, due.user, number, -taken)
        await change(connection, due.id, state="frozen", coins=coins, frozen_coins=taken)
        if due.kind == "dispute":
            await _tell(connection, due, "disputed")
        elif due.wanted == "open":  # the coins are out of the wallet; the rest is the buyer's while the provider pays
            await let_go(connection, due)
        return taken


async def lose(engine: AsyncEngine, due: ClaimRecord) -> bool:
    """The money is gone: frozen coins end, creators give back what is pending, the buyer owes what was spent.

    False when the claim has moved meanwhile. Raises IntegrityError when a creator has the diamonds no more.
    """
    async with engine.begin() as connection:
        if not await locked(connection, due):
            return False
        await in_turn(connection, due.user)
        spent = due.coins - due.frozen_coins
        reached = await _reached(connection, due, spent)
        await _claw(connection, reached, 1)
        await _transfer(connection, due, "claim_lost", f"claim-lost:{due.id}", await _loss(connection, due, reached))
        for one in reached:
            values = {"claim": due.id, "gift": one.gift.id, "coins": one.coins, "diamonds": one.clawed_diamonds}
            await connection.execute(insert(claim_gift).values(values))
        await change(
            connection, due.id, state="lost", owed_coins=spent,
            clawed_diamonds=sum(one.clawed_diamonds for one in reached),
            lost_diamonds=sum(one.lost_diamonds for one in reached),
        )  # fmt: skip
        if not spent:
            await let_go(connection, due)
        await _tell(connection, due, "dispute lost" if due.kind == "dispute" else "", refunded=due.kind == "refund")
        return True


async def win(engine: AsyncEngine, due: ClaimRecord) -> bool:
    """Nothing is taken: whatever this claim has booked is booked back. False when it has moved meanwhile."""
    async with engine.begin() as connection:
        if not await locked(connection, due):
            return False
        amounts: Counter[Name] = Counter()
        repaid = 0
        if due.state == "lost":
            await in_turn(connection, due.user)
            repaid = await _repaid(connection, due)
            reached = await _given_back(connection, due)
            await _claw(connection, reached, -1)
            amounts.subtract(await _loss(connection, due, reached))
            await connection.execute(claim_gift.delete().where(claim_gift.c.claim == due.id))
        back = due.frozen_coins + repaid
        amounts.update({frozen(due.user): -due.frozen_coins, wallet(due.user): back, COINS_SOLD: -repaid})
        amounts.update({owed(due.user): repaid, OWED_TO_PLATFORM: -repaid})
        if due.kind == "dispute":
            owing, keeping = clearing(due.provider, due.currency), disputed(due.provider, due.currency)
            amounts.update({keeping: -due.amount_minor, owing: due.amount_minor})
        number = await _transfer(connection, due, "claim_won", f"{WON}{due.id}", amounts)
        if number is not None and back:
            await add_to_outbox(connection, due.user, number, back)
        nothing = dict.fromkeys(("frozen_coins", "owed_coins", "repaid_coins", "clawed_diamonds", "lost_diamonds"), 0)
        await change(connection, due.id, state="won", **nothing)
        await let_go(connection, due)
        detail = "dispute won" if due.kind == "dispute" else "refund failed"
        await _tell(connection, due, detail, refunded=due.kind == "refund" and due.state == "lost")
        return True


async def _repaid(connection: AsyncConnection, due: ClaimRecord) -> int:
    """Coins of the debt that were paid off: read once the claim is locked, for purchases change them."""
    return int(await connection.scalar(select(claim.c.repaid_coins).where(claim.c.id == due.id)) or 0)


async def _loss(connection: AsyncConnection, due: ClaimRecord, reached: list[Reached]) -> dict[Name, int]:
    """What a loss moves on every account."""
    total = int(await connection.scalar(select(transfer.c.coins).where(transfer.c.id == due.transfer)) or 0)
    bonus = total - int(await connection.scalar(select(payment.c.coins).where(payment.c.id == due.payment)) or 0)
    free = due.frozen_coins * bonus // total
    spent = due.coins - due.frozen_coins
    amounts = {
        frozen(due.user): -due.frozen_coins, COINS_SOLD: due.frozen_coins - free, PROMOTIONS: free,
        owed(due.user): spent, OWED_TO_PLATFORM: -spent,
    }  # fmt: skip
    for one in reached:
        place = earnings(one.gift.creator)
        amounts[place] = amounts.get(place, 0) - one.clawed_diamonds
        amounts[DIAMONDS_ISSUED] = amounts.get(DIAMONDS_ISSUED, 0) + one.clawed_diamonds
    if due.kind == "dispute":
        lost = {disputed(due.provider, due.currency): -1, charged_back(due.currency): 1}
    else:
        lost = {clearing(due.provider, due.currency): -1, revenue(due.currency): 1}
    return amounts | {name: sign * due.amount_minor for name, sign in lost.items()}


async def _claw(connection: AsyncConnection, reached: list[Reached], sign: int) -> None:
    """Take diamonds out of the creators' days, or with -1 put them back; in the flusher's order."""
    for one in sorted(reached, key=lambda one: (one.gift.creator, one.gift.day, one.gift.room)):
        if one.clawed_diamonds:
            gift = one.gift
            values = {"creator": gift.creator, "day": gift.day, "room": gift.room, "shard": gift.shard}
            await connection.execute(CLAW, {**values, "diamonds": sign * one.clawed_diamonds})


async def _reached(connection: AsyncConnection, due: ClaimRecord, spent: int) -> list[Reached]:
    """The gifts that took the spent coins, pro rata, without what other lost claims of the purchase reached."""
    if not spent:
        return []
    lot = await lot_of(connection, due.user, due.transfer)
    taken = {row.gift: row.coins for row in await connection.execute(TAKEN, {"payment": due.payment})}
    left = {gift: coins - taken.get(gift, 0) for gift, coins in lot.gifts.items() if coins > taken.get(gift, 0)}
    shares = pro_rata(left, spent)
    rows = (await connection.execute(GIFTS, {"gifts": list(shares)})).all()
    since = datetime.now(UTC).date() - timedelta(days=PENDING_DAYS - 1)
    creators = {row.creator for row in rows}
    balances = {creator: await _balance(connection, earnings(creator)) for creator in creators}
    return [_share(row, shares[row.id], since, balances) for row in rows]


def _share(gift: Any, coins: int, since: date, balances: dict[str, int]) -> Reached:
    diamonds = gift.diamonds * coins // gift.coins
    clawed = min(diamonds, balances[gift.creator]) if gift.day >= since else 0
    balances[gift.creator] -= clawed
    return Reached(gift, coins, clawed, diamonds - clawed)


def pro_rata(left: Mapping[int, int], spent: int) -> dict[int, int]:
    """Share `spent` coins among gifts in proportion to theirs, whole coins, what is left over to the first ones."""
    total = sum(left.values())
    if total <= spent:
        return dict(left)
    shares = {gift: coins * spent // total for gift, coins in left.items()}
    over = spent - sum(shares.values())
    for gift, coins in left.items():
        if over and shares[gift] < coins:
            shares[gift] += 1
            over -= 1
    return {gift: coins for gift, coins in shares.items() if coins}


async def _given_back(connection: AsyncConnection, due: ClaimRecord) -> list[Reached]:
    rows = (await connection.execute(select(claim_gift).where(claim_gift.c.claim == due.id))).all()
    kept = {row.gift: row for row in rows}
    gifts = (await connection.execute(GIFTS, {"gifts": list(kept)})).all()
    return [Reached(gift, kept[gift.id].coins, kept[gift.id].diamonds, 0) for gift in gifts]


async def _claimed_coins(connection: AsyncConnection, due: ClaimRecord) -> int:
    """Coins that the claimed part of the money bought, so that all parts together are all coins."""
    total = int(await connection.scalar(select(transfer.c.coins).where(transfer.c.id == due.transfer)) or 0)
    before, taken = await booked(connection, due)
    before = min(before, due.paid_minor)
    upto = min(before + due.amount_minor, due.paid_minor)
    return max(0, min(total * upto // due.paid_minor - total * before // due.paid_minor, total - taken))


async def _balance(connection: AsyncConnection, name: Name) -> int:
    query = select(account.c.balance).filter_by(**name._asdict())
    return int(await connection.scalar(query) or 0)


async def _transfer(
    connection: AsyncConnection, due: ClaimRecord, kind: str, reference: str, amounts: Mapping[Name, int],
    coins: int | None = None,
) -> int | None:  # fmt: skip
    """Book these amounts as one transfer, whose accounts are locked together; None when nothing moves."""
    lines = [(name, amount) for name, amount in amounts.items() if amount]
    if not lines:
        return None
    about = max(1, due.coins if coins is None else coins)
    values = {"kind": kind, "coins": about, "reference": reference, "note": due.reason[:200], "event_at": func.now()}
    number = (await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one()
    await open_accounts(connection, [name for name, _ in lines])
    await post(connection, number, lines)
    return int(number)


async def _tell(connection: AsyncConnection, due: ClaimRecord, detail: str, *, refunded: bool = False) -> None:
    """Write a step of the payment; with `refunded` the payment's state says how much of it was given back."""
    now = State(await connection.scalar(select(payment.c.state).where(payment.c.id == due.payment)) or "")
    if refunded:
        back = select(func.sum(claim.c.amount_minor)).where(
            claim.c.payment == due.payment, claim.c.kind == "refund", claim.c.state == "lost"
        )
        given = int(await connection.scalar(back) or 0)
        now = State.PARTIALLY_REFUNDED if given else State.CREDITED
        now = State.REFUNDED if given >= due.paid_minor else now
        values = {"state": now, "updated_at": func.now()}
        await connection.execute(update(payment).where(payment.c.id == due.payment).values(values))
    await add_step(connection, due.payment, now, "ledger", detail)
