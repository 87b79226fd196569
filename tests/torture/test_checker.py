"""The checker itself: whatever is wrong in a ledger or in an answer must be found."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from giftserver.durable.refunds import refund_gift
from tests.torture.checker import Checker, Verdict
from tests.torture.history import Credit, Fault, Gift, History, Receipt
from tests.torture.model import Body
from tests.torture.workload import new_key
from tests.torture.world import World

USER = "viewer0"
Tell = Callable[[World, History], Awaitable[None]]


@pytest.fixture
async def world(engine_urls: Any, template: str) -> Any:
    """A ledger of its own."""
    opened = World(engine_urls, template)
    await opened.open()
    yield opened
    await opened.close()


async def a_day(world: World) -> History:
    """Two credits, three gifts and a refusal, as they should be."""
    history = History()
    for coins in (60, 40):
        reference = f"payment-{coins}"
        await world.credit(USER, coins, reference)
        history.credits.append(Credit(USER, coins, reference, "ok"))
    for price in (10, 20, 30, 500):
        await send(world, history, price)
    await settle(world)
    return history


async def send(world: World, history: History, coins: int) -> Gift:
    """A gift and what its sender is told."""
    number = len(history.gifts)
    key_ms = time.time_ns() // 1_000_000
    gift = Gift(number, USER, new_key(key_ms), key_ms, "harbour", "mira", "dewdrop", 1, coins)
    attempt = gift.begin()
    [told] = await world.send([(gift.key, Body(USER, "mira", coins))])
    if told.result == "OK":
        gift.end(attempt, "ok", "", Receipt(await world.transfer(USER, gift.key), coins, coins, told.balance or 0))
        gift.final = "ok"
    else:
        gift.end(attempt, "fail", told.result)
        gift.final = "fail"
    return history.add(gift)


async def settle(world: World) -> None:
    """Everything reaches PostgreSQL and the wallets."""
    for shard in range(16):
        await world.flush(shard, 1_000, 1)
    await world.carry()


async def verdict_of(world: World, history: History, *, proof: bool = False) -> Verdict:
    """What the checker says."""
    return await Checker(history, world.engines.database, world.engines.ledger_redis).check(proof=proof)


async def tamper(world: World, statement: str) -> None:
    """Change PostgreSQL as only a superuser can."""
    async with world.engines.database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement))


async def test_a_good_day_is_clean(world: World) -> None:
    """Nothing is found where nothing is wrong, and everything is counted."""
    history = await a_day(world)
    verdict = await verdict_of(world, history, proof=True)
    assert verdict.violations == []
    assert (verdict.gifts, verdict.coins, verdict.lost) == (3, 60, [])


async def forget_answer(world: World, history: History) -> None:
    """The history does not know a gift that the ledger has."""
    history.gifts.pop(1)


async def lose_gift(world: World, history: History) -> None:
    """A receipt was given for a gift that the ledger does not have."""
    await tamper(world, f"DELETE FROM transfer WHERE key = '{history.gifts[1].key}'")


async def lie_about_refusal(world: World, history: History) -> None:
    """The client was told that nothing was charged."""
    gift = history.gifts[1]
    gift.final, gift.attempts[0].outcome, gift.attempts[0].receipt = "fail", "fail", None


async def change_body(world: World, history: History) -> None:
    """The ledger has another body than the one that was sent."""
    await tamper(world, f"UPDATE transfer SET quantity = 2 WHERE key = '{history.gifts[1].key}'")


async def two_receipts(world: World, history: History) -> None:
    """A resend was answered with another receipt."""
    gift = history.gifts[1]
    receipt = gift.receipts[0]
    gift.end(gift.begin(), "ok", "", receipt._replace(transfer="00-1-999"))


async def other_balance(world: World, history: History) -> None:
    """A resend was answered with another balance."""
    gift = history.gifts[1]
    gift.end(gift.begin(), "ok", "", gift.receipts[0]._replace(balance_coins=1))


async def wrong_order(world: World, history: History) -> None:
    """A balance that no order of gifts and credits explains."""
    gift = history.gifts[1]
    gift.attempts[0].receipt = gift.receipts[0]._replace(balance_coins=69)


async def accept_reused_key(world: World, history: History) -> None:
    """A gift was taken that had to be refused."""
    history.gifts[1].expect = "key_reused"


async def invent_credit(world: World, history: History) -> None:
    """Coins that nobody paid for."""
    await world.credit(USER, 7, "nobody")
    await world.carry()


async def lose_credit(world: World, history: History) -> None:
    """A paid credit that the ledger does not have."""
    history.credits.append(Credit(USER, 7, "paid", "ok"))


async def wrong_balance(world: World, history: History) -> None:
    """A wallet in PostgreSQL with a coin too many."""
    await tamper(world, f"UPDATE account SET balance = balance + 1 WHERE owner = '{USER}'")


async def wrong_live_balance(world: World, history: History) -> None:
    """A wallet in Redis with a coin too many."""
    name = next(iter([name async for name in world.redis.scan_iter(match="*:wallet:*")]))
    await world.redis.hincrby(name, "coins", 1)


async def unapplied_credit(world: World, history: History) -> None:
    """A credit that never reached the wallet."""
    await world.credit(USER, 7, "late")
    history.credits.append(Credit(USER, 7, "late", "ok"))


async def give_back(world: World, history: History) -> None:
    """The second gift is given back, as it should be when its room had closed."""
    database = world.engines.database
    async with database.begin() as connection:
        gift = await connection.scalar(text("SELECT id FROM transfer WHERE key = :k"), {"k": history.gifts[1].key})
        await connection.execute(text("INSERT INTO refund_due (gift, reason) VALUES (:g, 'room_closed')"), {"g": gift})
    assert await refund_gift(database, gift) is not None
    await world.carry()


async def give_back_more(world: World, history: History) -> None:
    """The refund is of more coins than the gift."""
    await give_back(world, history)
    await tamper(world, "UPDATE credit_outbox SET coins = 21 WHERE coins = 20")


async def give_back_unseen(world: World, history: History) -> None:
    """The refund never reached the wallet."""
    await give_back(world, history)
    await tamper(world, "UPDATE credit_outbox SET applied_at = NULL WHERE coins = 20")


async def endless_attempt(world: World, history: History) -> None:
    """An attempt nobody knows the end of."""
    history.gifts[1].begin()


WRONG = {
    forget_answer: "nobody sent it",
    lose_gift: "acknowledged and lost",
    lie_about_refusal: "every answer said that nothing was",
    change_body: "nobody sent it so",
    two_receipts: "receipts of one key differ",
    other_balance: "receipts of one key differ",
    wrong_order: "no sum of credits",
    accept_reused_key: "must be refused",
    invent_credit: "nobody made it",
    lose_credit: "gone",
    wrong_balance: "the history says",
    wrong_live_balance: "coins in Redis",
    unapplied_credit: "was not brought",
    give_back_more: "not what was given",
    give_back_unseen: "was not brought",
    endless_attempt: "without an end",
}


async def test_a_gift_that_was_given_back_is_counted(world: World) -> None:
    """Its coins are in the wallet and in no creator's earnings, and nothing is found."""
    history = await a_day(world)
    await give_back(world, history)
    verdict = await verdict_of(world, history, proof=True)
    assert verdict.violations == []
    assert (verdict.gifts, verdict.refunds) == (3, 1)


@pytest.mark.parametrize("tell", WRONG, ids=lambda tell: tell.__name__)
async def test_what_is_wrong_is_found(world: World, tell: Tell) -> None:
    """Each lie of a ledger or of an answer is found and named."""
    history = await a_day(world)
    await tell(world, history)
    verdict = await verdict_of(world, history)
    assert any(WRONG[tell] in violation for violation in verdict.violations), verdict.violations


async def test_a_lossy_fault_excuses_what_came_before_it(world: World) -> None:
    """What power loss took is counted, not hidden; what was begun after it must be there."""
    history = await a_day(world)
    await lose_gift(world, history)
    before_s, after_s = history.gifts[1].told_s - 1, history.gifts[1].told_s + 1
    history.faults.append(Fault(after_s, "torn tail", lossy=True))
    assert len((await verdict_of(world, history)).lost) == 1
    history.faults[:] = [Fault(before_s, "torn tail", lossy=True)]
    assert (await verdict_of(world, history)).lost == []
