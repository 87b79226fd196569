"""What claims book: coins frozen, lost or given back, the money beside them, and the creators' share of a loss."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from giftserver.durable.claim_shares import Shared, share, share_anew
from giftserver.durable.claim_tables import claim, claim_gift
from giftserver.durable.claims import ClaimRecord, booked, change, hold_reference, let_go, locked
from giftserver.durable.clawed import in_turn
from giftserver.durable.credits import add_to_outbox
from giftserver.durable.earnings import PENDING_DAYS
from giftserver.durable.holds import hold_again
from giftserver.durable.lots import OPENED, WON, lot_of
from giftserver.durable.payment_tables import payment
from giftserver.durable.payments import add_step
from giftserver.durable.posting import open_accounts, post
from giftserver.durable.tables import account, transfer
from giftserver.recharge.states import State

Day = tuple[str, date, str, int]
"""A row of a creator's sums by day: creator, UTC day, room, shard."""

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
    """Freeze what is unspent of the claimed coins; how many. None when the claim has moved meanwhile, or when another
    one of the payment is about to give coins back, of which it may be.

    The buyer's wallet must be on hold, with all gifts from before in PostgreSQL. Raises IntegrityError.
    """
    async with engine.begin() as connection:
        if not await locked(connection, due):
            return None
        others = await booked(connection, due)
        if any(one.wanted == "won" for one in others):
            return None
        claimed_minor = due.amount_minor + sum(one.amount_minor for one in others)
        all_coins = share(await _total(connection, due), due.paid_minor, claimed_minor)
        coins = max(0, all_coins - sum(int(one.coins) for one in others))
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
        await in_turn(connection, due.user)
        if not await locked(connection, due):
            return False
        spent = due.coins - due.frozen_coins
        reached = await _reached(connection, due, spent, Counter())
        await _claw(connection, _by_day(reached))
        await _transfer(connection, due, "claim_lost", f"claim-lost:{due.id}", await _loss(connection, due, reached))
        await change(connection, due.id, state="lost", **await _keep_reached(connection, due, reached))
        if not spent:
            await let_go(connection, due)
        await _tell(connection, due, "dispute lost" if due.kind == "dispute" else "", refunded=due.kind == "refund")
        return True


async def win(engine: AsyncEngine, due: ClaimRecord) -> bool:
    """Nothing is taken: whatever this claim has booked is booked back. False when it has moved meanwhile.

    Coins that other claims of the payment have too few of are theirs; the buyer gets the rest.
    """
    async with engine.begin() as connection:
        await in_turn(connection, due.user)
        if not await locked(connection, due):
            return False
        book, clawed = Counter[Name](), Counter[Day]()
        repaid = 0
        if due.state == "lost":
            repaid = await _repaid(connection, due)
            reached = await _given_back(connection, due)
            clawed.subtract(_by_day(reached))
            book.subtract(await _loss(connection, due, reached))
            await connection.execute(claim_gift.delete().where(claim_gift.c.claim == due.id))
        unspent = due.frozen_coins
        total = await _total(connection, due)
        for one in share_anew(await booked(connection, due), total, due.paid_minor, unspent):
            unspent -= one.frozen_coins - one.claim.frozen_coins
            repaid += await _shared(connection, due, one, book, clawed)
        back = unspent + repaid
        book.update({frozen(due.user): -unspent, wallet(due.user): back, COINS_SOLD: -repaid})
        book.update({owed(due.user): repaid, OWED_TO_PLATFORM: -repaid})
        if due.kind == "dispute":
            owing, keeping = clearing(due.provider, due.currency), disputed(due.provider, due.currency)
            book.update({keeping: -due.amount_minor, owing: due.amount_minor})
        await _claw(connection, clawed)
        number = await _transfer(connection, due, "claim_won", f"{WON}{due.id}", book)
        if number is not None and back:
            await add_to_outbox(connection, due.user, number, back)
        nothing = dict.fromkeys(("frozen_coins", "owed_coins", "repaid_coins", "clawed_diamonds", "lost_diamonds"), 0)
        await change(connection, due.id, state="won", **nothing)
        await let_go(connection, due)
        detail = "dispute won" if due.kind == "dispute" else "refund failed"
        await _tell(connection, due, detail, refunded=due.kind == "refund" and due.state == "lost")
        return True


async def _shared(
    connection: AsyncConnection, due: ClaimRecord, shared: Shared, book: Counter[Name], clawed: Counter[Day]
) -> int:
    """Let another claim of the payment have other coins than before; how many coins of its debt were paid for nothing.

    Adds to `book` and `clawed` what that moves. Who owes coins by it is on hold.
    """
    row = shared.claim
    new: dict[str, Any] = {"coins": shared.coins, "frozen_coins": shared.frozen_coins}
    if row.state != "lost":
        await change(connection, row.id, **new)
        return 0
    own = {"id": row.id, "kind": row.kind, "reason": row.reason, "amount_minor": row.amount_minor, "state": row.state}
    before = replace(due, coins=row.coins, frozen_coins=row.frozen_coins, owed_coins=row.owed_coins, **own)
    after = replace(before, **new, owed_coins=shared.coins - shared.frozen_coins)
    reached = await _given_back(connection, before)
    book.subtract(await _loss(connection, before, reached))
    if after.owed_coins != before.owed_coins:
        clawed.subtract(_by_day(reached))
        await connection.execute(claim_gift.delete().where(claim_gift.c.claim == row.id))
        reached = await _reached(connection, after, after.owed_coins, book)
        clawed.update(_by_day(reached))
        new |= await _keep_reached(connection, after, reached)
    book.update(await _loss(connection, after, reached))
    repaid = min(int(row.repaid_coins), after.owed_coins)
    await change(connection, row.id, repaid_coins=repaid, **new)
    if after.owed_coins > repaid:
        await hold_again(connection, due.user, hold_reference(row.id), f"payment {due.payment}: {row.kind}")
    else:
        await let_go(connection, after)
    return int(row.repaid_coins) - repaid


async def _repaid(connection: AsyncConnection, due: ClaimRecord) -> int:
    """Coins of the debt that were paid off: read once the claim is locked, for purchases change them."""
    return int(await connection.scalar(select(claim.c.repaid_coins).where(claim.c.id == due.id)) or 0)


async def _loss(connection: AsyncConnection, due: ClaimRecord, reached: list[Reached]) -> dict[Name, int]:
    """What a loss moves on every account."""
    total = await _total(connection, due)
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


def _by_day(reached: list[Reached]) -> Counter[Day]:
    days = Counter[Day]()
    for one in reached:
        days[one.gift.creator, one.gift.day, one.gift.room, one.gift.shard] += one.clawed_diamonds
    return days


async def _claw(connection: AsyncConnection, clawed: Counter[Day]) -> None:
    """Take diamonds out of the creators' days, below zero put them back; in the flusher's order."""
    for (creator, day, room, shard), diamonds in sorted(clawed.items()):
        if diamonds:
            values = {"creator": creator, "day": day, "room": room, "shard": shard, "diamonds": diamonds}
            await connection.execute(CLAW, values)


async def _keep_reached(connection: AsyncConnection, due: ClaimRecord, reached: list[Reached]) -> dict[str, int]:
    """Write down which gifts a loss reached; what the claim says of it."""
    for one in reached:
        values = {"claim": due.id, "gift": one.gift.id, "coins": one.coins, "diamonds": one.clawed_diamonds}
        await connection.execute(insert(claim_gift).values(values))
    return {
        "owed_coins": due.coins - due.frozen_coins,
        "clawed_diamonds": sum(one.clawed_diamonds for one in reached),
        "lost_diamonds": sum(one.lost_diamonds for one in reached),
    }


async def _reached(connection: AsyncConnection, due: ClaimRecord, spent: int, book: Counter[Name]) -> list[Reached]:
    """The gifts that took the spent coins, pro rata, without what other lost claims of the purchase reached.

    `book` is what the caller is about to move: diamonds that come back may be taken again.
    """
    if not spent:
        return []
    lot = await lot_of(connection, due.user, due.transfer)
    taken = {row.gift: row.coins for row in await connection.execute(TAKEN, {"payment": due.payment})}
    left = {gift: coins - taken.get(gift, 0) for gift, coins in lot.gifts.items() if coins > taken.get(gift, 0)}
    shares = pro_rata(left, spent)
    rows = (await connection.execute(GIFTS, {"gifts": list(shares)})).all()
    since = datetime.now(UTC).date() - timedelta(days=PENDING_DAYS - 1)
    creators = {row.creator for row in rows}
    balances = {
        creator: await _balance(connection, earnings(creator)) + book[earnings(creator)] for creator in creators
    }
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


async def _total(connection: AsyncConnection, due: ClaimRecord) -> int:
    """Coins that the payment bought, with its bonus."""
    return int(await connection.scalar(select(transfer.c.coins).where(transfer.c.id == due.transfer)) or 0)


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
