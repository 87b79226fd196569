"""The proof: silent on a right ledger, also while gifts flow, and loud at each kind of tampering."""

import asyncio
import time

import pytest

from giftserver.durable.audit_log import Actor
from giftserver.durable.cases import Subject, ban_case, open_case
from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard
from giftserver.durable.holds import mark_state, place_hold
from giftserver.durable.proof import live as live_module
from giftserver.durable.verify import verify
from giftserver.ledger import keys
from giftserver.recharge.provider import DisputeNews
from tests.giftserver.durable.orders import hear, order

SHARD = keys.shard_of("ana")
TODAY = time.strftime("%Y%m%d", time.gmtime())
WALLETS = "Redis coins = PostgreSQL - unflushed - unapplied credits"
EARNED = "earned slices = diamonds posted + unflushed"
STREAMS = "every accepted gift is flushed or in its stream"
BALANCES = "balance = sum of entries"
ZERO_SUM = "entries sum to zero per transfer and asset"
GIFTS = "entries are what the gifts say"
SEQUENCES = "sequences are contiguous"
BELOW_ZERO = "nobody is below zero"
DAYS = "daily sums = gifts"
RULES = "the database enforces the rules"
CREDITS = "credits are numbered without a hole"
UNIQUE = "(sender, key) is unique"
CHAIN = "each gift's hash follows from the one before"


async def lived_in(book) -> None:
    """Some history: credits, flushed gifts of several people, gifts still in the streams, a creator who is banned."""
    for person in ("ana", "ben", "chloe"):
        await book.fund(person, 1000)
    for n in range(12):
        await book.gift(("ana", "ben", "chloe")[n % 3], creator=("mira", "tomas")[n % 2], coins=10 + n, diamonds=n)
    await book.flush()
    await hear(book, await order(book, "emeka"), disputes=(DisputeNews("dp_1", 100, "warning", "fraudulent"),))
    await book.gift("ana", coins=7)
    await book.gift("ben", coins=8, creator="ines")
    async with book.engine.begin() as connection:
        rule = Actor("rule:test", "rule")
        case = await open_case(connection, "rule", Subject("user", "ines", "ines"), rule, {}, "a test")
    await ban_case(book.engine, case, 1, Actor("olga", "admin"), "a test")


async def violated(book) -> dict[str, list[str]]:
    report = await verify(book.engine, book.redis)
    assert report.exit_code == (0 if report.holds else 1)
    return {invariant.name: invariant.violations for invariant in report.invariants if not invariant.holds}


async def test_an_empty_ledger_holds(book):
    """Nothing is not a violation, and nothing in Redis is not either."""
    assert await violated(book) == {}
    await book.redis.flushall()
    assert await violated(book) == {}


async def test_a_right_ledger_holds_and_everything_was_checked(book):
    """With flushed and unflushed gifts and an unapplied credit every invariant holds, and each looked at something."""
    await lived_in(book)
    await credit(book.engine, "ana", 500, "top_up", "not yet in Redis")
    report = await verify(book.engine, book.redis)
    assert report.holds, report.render()
    assert all(invariant.checked > 0 for invariant in report.invariants), report.render()
    assert "All invariants hold." in report.render()


async def test_it_holds_at_every_moment_while_gifts_flow(book):
    """Gifts, credits and flushes go on during the proof; it neither stops them nor sees a false alarm."""
    people = [f"viewer{n}" for n in range(8)]
    for person in people:
        await book.fund(person, 100_000)
    done = asyncio.Event()

    async def send() -> None:
        n = 0
        while not done.is_set():
            n += 1
            await book.gift(people[n % 8], creator=f"creator{n % 3}", coins=1 + n % 9, diamonds=n % 4)

    async def flush() -> None:
        while not done.is_set():
            for shard in range(keys.SHARDS):
                await flush_shard(book.engine, book.redis, shard, limit=5)

    async def top_up() -> None:
        n = 0
        while not done.is_set():
            n += 1
            await credit(book.engine, people[n % 8], 5, "grant", f"flow-{n}")

    tasks = [asyncio.create_task(work()) for work in (send, flush, top_up)]
    try:
        for _ in range(8):
            report = await verify(book.engine, book.redis)
            assert report.holds, report.render()
    finally:
        done.set()
        await asyncio.gather(*tasks)
    assert (await book.rows("SELECT count(*) FROM transfer WHERE kind = 'gift'"))[0][0] > 20


async def test_a_flush_between_the_two_reads_changes_nothing(book, monkeypatch):
    """Gifts sent and flushed after Redis was read, before PostgreSQL is: taken out again, exactly."""
    await lived_in(book)
    real = live_module.snapshot

    def later(engine):
        class Later:
            async def __aenter__(self):
                await book.gift("ana", coins=3, diamonds=2)
                await book.flush()
                await book.gift("ana", coins=4, diamonds=2)
                self.inner = real(engine)
                return await self.inner.__aenter__()

            async def __aexit__(self, *problem):
                return await self.inner.__aexit__(*problem)

        return Later()

    monkeypatch.setattr(live_module, "snapshot", later)
    assert await violated(book) == {}


FIRST_GIFT = "(SELECT min(id) FROM transfer WHERE kind = 'gift')"

TAMPERED = {
    "an amount": (
        f"UPDATE entry SET amount = amount - 1 WHERE transfer = {FIRST_GIFT} AND n = 1", {ZERO_SUM, GIFTS, BALANCES}
    ),
    "both sides": (
        f"UPDATE entry SET amount = amount * 2 WHERE transfer = {FIRST_GIFT} AND n IN (1, 2)", {GIFTS, BALANCES}
    ),
    "an entry gone": (f"DELETE FROM entry WHERE transfer = {FIRST_GIFT} AND n = 2", {ZERO_SUM, GIFTS, BALANCES}),
    "entries gone": (f"DELETE FROM entry WHERE transfer = {FIRST_GIFT}", {ZERO_SUM, GIFTS, BALANCES}),
    "a balance": ("UPDATE account SET balance = balance + 1 WHERE owner = 'mira'", {BALANCES}),
    "a wallet": ("UPDATE account SET balance = balance + 1 WHERE owner = 'ana'", {BALANCES, WALLETS}),
    "a balance_after": (
        f"UPDATE entry SET balance_after = balance_after + 1 WHERE transfer = {FIRST_GIFT} AND n = 4", {BALANCES}
    ),
    "a transfer gone": (
        f"DELETE FROM transfer WHERE id = {FIRST_GIFT}", {ZERO_SUM, SEQUENCES, DAYS, CHAIN}
    ),
    "a cursor": (f"UPDATE flush_cursor SET seq = seq - 1 WHERE shard = {SHARD}", {SEQUENCES, STREAMS, WALLETS, EARNED}),
    "a cursor gone": ("DELETE FROM flush_cursor WHERE shard = 9", {SEQUENCES, STREAMS, EARNED}),
    "a day": ("UPDATE gift_day SET diamonds = diamonds + 1 WHERE creator = 'mira'", {DAYS, EARNED}),
    "a credit's number": ("UPDATE credit_outbox SET credit_no = 3 WHERE user_id = 'ana'", {CREDITS, WALLETS}),
    "a credit's coins": ("UPDATE credit_outbox SET coins = 1 WHERE user_id = 'ana'", {CREDITS}),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_with_postgresql_is_seen(book, what):
    """What a superuser changes behind the triggers' back shows in the invariants it breaks, and only there."""
    statement, broken = TAMPERED[what]
    await lived_in(book)
    await book.run(statement, tamper=True)
    found = await violated(book)
    assert set(found) == broken, found


async def test_a_balance_below_zero_is_seen(book):
    """With the rule switched off a wallet can be brought below zero; both the rule and the wallet are reported."""
    await lived_in(book)
    await book.run(
        "ALTER TABLE account DROP CONSTRAINT account_not_below_zero",
        "UPDATE account SET balance = -1 WHERE owner = 'ben' AND kind = 'wallet'",
    )
    found = await violated(book)
    assert {RULES, BELOW_ZERO, BALANCES, WALLETS} == set(found)


async def test_a_rule_switched_off_is_seen(book):
    """A disabled trigger or a dropped constraint is a violation even before anything was changed."""
    await book.run("ALTER TABLE entry DISABLE TRIGGER entry_must_balance")
    assert set(await violated(book)) == {RULES}
    await book.run(
        "ALTER TABLE entry ENABLE TRIGGER entry_must_balance",
        "ALTER TABLE transfer DROP CONSTRAINT transfer_sender_key",
    )
    assert set(await violated(book)) == {RULES, UNIQUE}


async def test_a_repeated_key_is_seen(book):
    """Two gifts of one key, possible only without the constraint, are named."""
    await lived_in(book)
    await book.run("ALTER TABLE transfer DROP CONSTRAINT transfer_sender_key")
    await book.run("UPDATE transfer SET key = 'same' WHERE sender = 'ana'", tamper=True)
    found = await violated(book)
    assert "sender ana, key same: 4 transfers" in found[UNIQUE][1]


@pytest.mark.parametrize("coins", ["+1", "-1", "-5000", "text"])
async def test_a_wallet_changed_in_redis_is_seen(book, coins):
    """One coin more or less in one wallet of Redis is found, whatever is unflushed."""
    await lived_in(book)
    wallet = keys.wallet(SHARD, "ana")
    if coins == "text":
        await book.redis.hset(wallet, "coins", "many")
    else:
        await book.redis.hincrby(wallet, "coins", int(coins))
    found = await violated(book)
    assert set(found) == ({WALLETS, BELOW_ZERO} if coins == "-5000" else {WALLETS})
    assert "ana" in found[WALLETS][0]


async def test_a_credit_that_redis_made_up_is_seen(book):
    """A wallet that counts a credit PostgreSQL never gave is a violation, also when the coins happen to agree."""
    await lived_in(book)
    await book.redis.hincrby(keys.wallet(SHARD, "ana"), "credit_no", 1)
    assert set(await violated(book)) == {WALLETS}


async def test_a_changed_earned_slice_is_seen(book):
    """One diamond more in a shard's slice, or a slice of nobody's gifts, is found."""
    await lived_in(book)
    await book.redis.hincrby(keys.earned(SHARD, TODAY), "mira", 1)
    await book.redis.hincrby(keys.earned(SHARD, TODAY), "nobody", 1)
    assert len((await violated(book))[EARNED]) == 2


async def test_lost_and_forged_events_are_seen(book):
    """An event gone from the stream, and a mark ahead of PostgreSQL, are found."""
    await lived_in(book)
    seq = int(await book.redis.hget(keys.meta(SHARD), "seq"))
    await book.redis.hset(keys.meta(SHARD), "flushed", seq)
    assert set(await violated(book)) == {STREAMS}
    await book.redis.xdel(keys.events(SHARD), f"1-{seq}")
    assert set(await violated(book)) == {STREAMS, WALLETS, EARNED}


async def test_an_event_that_halts_the_flush_is_named(book):
    """The report says which event a person must look at, rather than that something is missing."""
    await lived_in(book)
    await book.append(book.event("ana", note="a\0b"))
    named = f"shard {SHARD:02d} halted at 1-"
    for lines in (await violated(book)).values():
        assert any(line.startswith(named) and line.endswith("unlawful: a text has a NUL") for line in lines), lines


async def test_only_the_first_violations_are_listed(book):
    """A report stays short: twenty violations an invariant, and that there are more."""
    await book.redis.hset(keys.earned(3, TODAY), mapping={f"creator{n}": 1 for n in range(30)})
    report = await verify(book.engine, book.redis)
    earned = next(invariant for invariant in report.invariants if invariant.name == EARNED)
    assert (len(earned.violations), earned.more) == (20, True)
    assert "VIOLATED" in report.render()
    assert "… and more" in report.render()


async def test_a_hold_that_redis_has_otherwise_is_seen(book):
    """Lost, made up, or turned round; one that is on its way is right, whichever side is read first."""
    await lived_in(book)
    wallet = keys.wallet(keys.shard_of("ana"), "ana")
    async with book.engine.begin() as connection:
        await place_hold(connection, "ana", "look:1", "a test")
    assert await violated(book) == {}  # not brought to Redis yet
    await book.redis.hset(wallet, mapping={"state": "held", "state_no": 1})
    assert await violated(book) == {}  # brought, and not marked yet
    await mark_state(book.engine, "ana", 1)
    assert await violated(book) == {}
    for state, number, words in (
        ("active", 0, "has number 0, PostgreSQL brought 1"), ("held", 2, "has number 2"),
        ("active", 1, "free in Redis, on hold in PostgreSQL"), ("held", "text", "state_no b'text'"),
    ):  # fmt: skip
        await book.redis.hset(wallet, mapping={"state": state, "state_no": number})
        found = await violated(book)
        assert set(found) == {WALLETS}
        assert words in found[WALLETS][0]
    ben = keys.wallet(keys.shard_of("ben"), "ben")
    await book.redis.hset(wallet, mapping={"state": "held", "state_no": 1})
    await book.redis.hset(ben, mapping={"state": "held"})
    assert "wallet of ben: on hold in Redis" in (await violated(book))[WALLETS][0]
