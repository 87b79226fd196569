"""The live ledger against real Valkey and PostgreSQL: each rule has a test that breaks it."""

import asyncio
import time
import uuid
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from giftserver.durable.credits import credit
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import Engines
from giftserver.ledger import keys
from giftserver.ledger.events import GiftEvent, decode_event, encode_event
from giftserver.ledger.guarded import GuardedScript, run_of
from giftserver.ledger.ledger import BATCH_MAX, Ledger
from giftserver.ledger.limits import NONE
from giftserver.ledger.outcomes import Accepted, GiftOrder, Reason, Refused

NEIGHBOUR = next(name for name in (f"u{i}" for i in range(1_000)) if keys.shard_of(name) == keys.shard_of("ana"))
"""Somebody of ana's shard."""


def uuid7(at_ms: int | None = None) -> str:
    """A UUIDv7 made at a time (ms)."""
    ms = int(time.time() * 1_000) if at_ms is None else at_ms
    value = (ms << 80) | (0x7 << 76) | (uuid.uuid4().int & ((1 << 76) - 1))
    return str(uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62)))


def order(sender: str = "ana", coins: int = 5, **changes: Any) -> GiftOrder:
    """A gift order; `request_hash`, `key`, `key_ms`, `creator`, `diamonds` may be changed."""
    key = changes.get("key", uuid7())
    values: dict[str, Any] = {
        "key": key,
        "key_ms": uuid.UUID(key).int >> 80,
        "request_hash": "h1",
        "sender": sender,
        "creator": "mira",
        "coins": coins,
        "diamonds": coins,
    } | changes
    event = GiftEvent(
        values["key"],
        values["request_hash"],
        sender,
        sender,
        values["creator"],
        "harbour",
        "dewdrop",
        coins,
        coins,
        values["diamonds"],
        1,
        1,
        "",
    )
    return GiftOrder(payload=encode_event(event), **values)


async def state_of(redis: Redis) -> dict[bytes, Any]:
    """Everything the ledger's Redis holds, comparable."""
    found: dict[bytes, Any] = {}
    for key in await redis.keys("*"):
        found[key] = await redis.dump(key)
    return found


async def accepted(ledger: Ledger, gift: GiftOrder) -> Accepted:
    """Send a gift that must be accepted."""
    outcome = await ledger.send(gift)
    assert isinstance(outcome, Accepted), outcome
    return outcome


async def test_gift_moves_coins_and_diamonds_once(ledger: Ledger, ledger_redis: Redis) -> None:
    """A gift debits the sender, credits the creator's slice and appends one numbered event."""
    outcome = await accepted(ledger, order(coins=30))
    shard = keys.shard_of("ana")
    assert (outcome.balance_coins, outcome.seq, outcome.repeated) == (70, 1, False)
    assert await ledger_redis.hget(keys.wallet(shard, "ana"), "coins") == b"70"
    [(stream_id, fields)] = await ledger_redis.xrange(keys.events(shard))
    assert stream_id == f"{outcome.epoch}-1".encode()
    assert decode_event(fields[b"e"]).coins == 30
    slices = await ledger_redis.keys(f"{{s{shard:02d}}}:earned:*")
    assert await ledger_redis.hgetall(slices[0]) == {b"mira": b"30"}


async def test_same_key_returns_the_same_receipt(ledger: Ledger, ledger_redis: Redis) -> None:
    """A resend charges nothing and answers what the first one answered, also when sent at the same time."""
    gift = order(coins=30)
    outcomes = await asyncio.gather(*(ledger.send(gift) for _ in range(20)))
    assert sum(isinstance(o, Accepted) and not o.repeated for o in outcomes) == 1
    assert len({(o.seq, o.balance_coins, o.at_ms) for o in outcomes if isinstance(o, Accepted)}) == 1
    assert await ledger_redis.xlen(keys.events(keys.shard_of("ana"))) == 1


async def test_same_key_with_another_body_is_refused(ledger: Ledger) -> None:
    """A key stands for one request."""
    gift = order(coins=30)
    await accepted(ledger, gift)
    assert await ledger.send(order(key=gift.key, request_hash="h2")) == Refused(Reason.KEY_REUSED)
    assert await ledger.balance("ana") == 70


async def test_anothers_key_is_another_key(ledger: Ledger, engines: Engines) -> None:
    """Keys are scoped per user, also in one shard."""
    await credit(engines.database, NEIGHBOUR, 10, "top_up", "test:neighbour")
    gift = order(coins=30)
    await accepted(ledger, gift)
    assert not (await accepted(ledger, order(NEIGHBOUR, coins=4, key=gift.key))).repeated


async def test_exactly_the_affordable_is_spent(ledger: Ledger, ledger_redis: Redis) -> None:
    """Many gifts at once on one wallet never overspend it."""
    outcomes = await asyncio.gather(*(ledger.send(order(coins=3)) for _ in range(200)))
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 33
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert {refusal.reason for refusal in refusals} == {Reason.INSUFFICIENT}
    assert {refusal.balance_coins for refusal in refusals} == {1}
    assert await ledger_redis.hget(keys.wallet(keys.shard_of("ana"), "ana"), "coins") == b"1"


@pytest.mark.parametrize("age_ms", [601_000, -61_000])
async def test_keys_out_of_time_are_refused(ledger: Ledger, age_ms: int) -> None:
    """A key must be younger than 10 minutes and at most 60 s ahead."""
    assert await ledger.send(order(key=uuid7(int(time.time() * 1_000) - age_ms))) == Refused(Reason.KEY_EXPIRED)
    assert await ledger.balance("ana") == 100


async def test_self_gift_is_refused(ledger: Ledger) -> None:
    """Nobody sends gifts to themselves."""
    assert await ledger.send(order(creator="ana")) == Refused(Reason.SELF_GIFT)


@pytest.mark.parametrize("coins", [0, -1, 10**12 + 1, 2**63, "1.5", "nan", ""])
async def test_amounts_out_of_range_are_refused_by_the_script(ledger: Ledger, coins: Any) -> None:
    """The script does not trust its caller with amounts."""
    await ledger.balance("ana")
    assert await ledger.send(replace(order(), coins=coins)) == Refused(Reason.BAD_AMOUNT)
    assert await ledger.balance("ana") == 100


async def test_frozen_wallets_do_not_spend(ledger: Ledger, ledger_redis: Redis) -> None:
    """A wallet that is not active is refused."""
    await ledger.balance("ana")
    await ledger_redis.hset(keys.wallet(keys.shard_of("ana"), "ana"), "state", "held")
    assert await ledger.send(order()) == Refused(Reason.FROZEN)


@pytest.mark.parametrize(("field", "value"), [("state", "fenced"), ("schema", "99"), ("lease_ms", "1")])
async def test_a_shard_that_is_not_open_takes_nothing(
    ledger: Ledger, ledger_redis: Redis, field: str, value: str
) -> None:
    """Fenced, of another schema or with an ended lease: try again, nothing changes."""
    await ledger.balance("ana")
    await ledger_redis.hset(keys.meta(keys.shard_of("ana")), field, value)
    before = await state_of(ledger_redis)
    outcome = await ledger.send(order())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.TRY_AGAIN
    assert await state_of(ledger_redis) == before


async def test_a_new_epoch_is_learned_and_the_gift_sent_again(ledger: Ledger, ledger_redis: Redis) -> None:
    """A stale epoch is healed inside, with the same key."""
    await accepted(ledger, order())
    await ledger_redis.hset(keys.meta(keys.shard_of("ana")), "epoch", "2")
    outcome = await accepted(ledger, order())
    assert (outcome.epoch, outcome.seq) == (2, 2)


async def test_a_call_with_a_stale_epoch_writes_nothing(ledger: Ledger, ledger_redis: Redis) -> None:
    """The script itself refuses an epoch that is not the shard's, before anything is written."""
    shard = keys.shard_of("ana")
    await ledger.balance("ana")
    await ledger_redis.hset(keys.meta(shard), "epoch", "2")
    before = await state_of(ledger_redis)
    script, run = GuardedScript(ledger_redis, "send_gifts.lua"), await run_of(ledger_redis)
    gift = order()
    names = [
        keys.meta(shard),
        keys.events(shard),
        keys.earned(shard, "20260101"),
        keys.wallet(shard, "ana"),
        keys.receipt(shard, "ana", gift.key),
    ]
    day = int(time.time() // 86_400)
    terms = msgspec.msgpack.encode([(gift.key_ms, "h1", "ana", "mira", 5, 5, None)])
    args = [1, keys.SCHEMA, 1_000, 900_000, day, shard, NONE, gift.payload, terms]
    assert msgspec.msgpack.decode(await script(shard, run, names, args)) == [0, [False], [["STALE_EPOCH", "2"]]]
    assert await state_of(ledger_redis) == before


async def test_backlog_over_its_cap_is_refused(ledger: Ledger, ledger_redis: Redis) -> None:
    """With too much unflushed a gift is refused before anything is written."""
    await ledger.balance("ana")
    await ledger_redis.hset(keys.meta(keys.shard_of("ana")), mapping={"seq": 1_000, "flushed": 0})
    outcome = await ledger.send(order())
    assert outcome == Refused(Reason.TRY_AGAIN, "BACKLOG")


async def test_out_of_memory_changes_nothing(ledger: Ledger, ledger_redis: Redis) -> None:
    """XADD is the first write: when it fails, state is as before."""
    await ledger.balance("ana")
    before = await state_of(ledger_redis)
    await ledger_redis.config_set("maxmemory", 1)
    try:
        outcome = await ledger.send(order())
    finally:
        await ledger_redis.config_set("maxmemory", 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.TRY_AGAIN
    assert await state_of(ledger_redis) == before


async def test_a_rewound_sequence_changes_nothing(ledger: Ledger, ledger_redis: Redis) -> None:
    """An id that exists already fails XADD, and with it the gift."""
    await accepted(ledger, order())
    await ledger_redis.hset(keys.meta(keys.shard_of("ana")), "seq", 0)
    before = await state_of(ledger_redis)
    outcome = await ledger.send(order())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.TRY_AGAIN
    assert await state_of(ledger_redis) == before


async def test_one_bad_wallet_does_not_spoil_the_batch(ledger: Ledger, ledger_redis: Redis, engines: Engines) -> None:
    """Gifts of one call are judged each on its own."""
    shard = keys.shard_of("ana")
    await ledger.balance("ana")
    await ledger_redis.set(keys.wallet(shard, NEIGHBOUR), "not a hash")
    outcomes = await asyncio.gather(ledger.send(order()), ledger.send(order(NEIGHBOUR)), ledger.send(order()))
    assert [isinstance(outcome, Accepted) for outcome in outcomes] == [True, False, True]
    assert await ledger.balance("ana") == 90


async def test_gifts_of_one_turn_share_calls(engines: Engines, ledger: Ledger) -> None:
    """What one loop turn brings to a shard goes in as few calls as the batch size allows."""
    batches: list[int] = []
    counted = Ledger(
        engines.ledger_redis,
        DurableWallets(engines.database),
        backlog_max=1_000,
        timeout_s=2.0,
        on_batch=lambda gifts, seconds: batches.append(gifts),
    )
    await counted.balance("ana")
    await asyncio.gather(*(counted.send(order(coins=1)) for _ in range(BATCH_MAX)))
    assert batches == [BATCH_MAX]


async def test_a_lost_script_cache_is_reloaded(ledger: Ledger, ledger_redis: Redis) -> None:
    """NOSCRIPT is healed inside, with one execution."""
    await accepted(ledger, order())
    await ledger_redis.script_flush()
    assert (await accepted(ledger, order())).seq == 2


async def test_no_answer_in_time_is_unknown_and_the_key_tells(engines: Engines, ledger: Ledger) -> None:
    """A stalled Redis gives UNKNOWN; the resend of the key finds out, and its connection is not reused."""
    hasty = Ledger(engines.ledger_redis, DurableWallets(engines.database), backlog_max=1_000, timeout_s=0.2)
    await hasty.balance("ana")
    gift = order(coins=30)
    await engines.ledger_redis.execute_command("CLIENT", "PAUSE", "600", "ALL")
    outcome = await hasty.send(gift)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.UNKNOWN
    patient = await accepted(ledger, gift)
    assert patient.balance_coins == 70
    balances = await asyncio.gather(*(ledger.balance("ana") for _ in range(10)))
    assert set(balances) == {70}


async def test_cancelled_gift_never_gives_its_reply_to_another(ledger: Ledger) -> None:
    """A cancelled caller leaves no reply behind for the next one."""
    await ledger.balance("ana")
    for _ in range(20):
        task = asyncio.create_task(ledger.send(order(coins=1)))
        await asyncio.sleep(0)
        task.cancel()
        outcome = await ledger.send(order(coins=2))
        assert isinstance(outcome, Accepted)
        assert outcome.coins == 2


async def test_deleted_wallet_is_loaded_with_what_is_not_flushed(ledger: Ledger, ledger_redis: Redis) -> None:
    """A wallet that is gone is loaded from PostgreSQL less the stream's unflushed debits: never too rich."""
    await accepted(ledger, order(coins=30))
    await ledger_redis.delete(keys.wallet(keys.shard_of("ana"), "ana"))
    assert await ledger.balance("ana") == 70
    assert (await accepted(ledger, order(coins=60))).balance_coins == 10


async def test_unknown_user_has_no_coins(ledger: Ledger) -> None:
    """A first-time user is loaded with 0 coins, not refused as broken."""
    assert await ledger.send(order("nobody")) == Refused(Reason.INSUFFICIENT, balance_coins=0)


async def test_credits_are_applied_once_and_in_order(ledger: Ledger, engines: Engines) -> None:
    """Bringing credits twice, at once and after a loss gives each exactly once."""
    await ledger.balance("ana")
    for number in range(3):
        await credit(engines.database, "ana", 10, "top_up", f"more:{number}")
    results = await asyncio.gather(*(ledger.bring_credits("ana") for _ in range(5)))
    assert set(results) == {(130, 4)}
    await engines.ledger_redis.hset(keys.wallet(keys.shard_of("ana"), "ana"), mapping={"coins": 110, "credit_no": 2})
    assert await ledger.bring_credits("ana") == (130, 4)


@pytest.mark.parametrize(
    ("credit_no", "answer", "coins"),
    [(1, [b"REPEAT", b"100"], 100), (2, [b"OK", b"110"], 110), (3, [b"GAP", b"1"], 100)],
)
async def test_the_script_takes_the_next_credit_only(
    ledger: Ledger, ledger_redis: Redis, credit_no: int, answer: list[bytes], coins: int
) -> None:
    """A number that was applied is a repeat, one that skips another is a gap; neither changes the wallet."""
    await ledger.balance("ana")
    shard = keys.shard_of("ana")
    script, run = GuardedScript(ledger_redis, "apply_credit.lua"), await run_of(ledger_redis)
    wallet = keys.wallet(shard, "ana")
    assert await script(shard, run, [keys.meta(shard), wallet], [1, keys.SCHEMA, credit_no, 10]) == answer
    assert await ledger_redis.hget(wallet, "coins") == str(coins).encode()


async def test_everybody_may_ask_at_once(ledger: Ledger) -> None:
    """A thousand balances at the same time, most of them of wallets that are not loaded, are all known."""
    people = [*(f"guest{number}" for number in range(1_000)), "ana"]
    assert await asyncio.gather(*map(ledger.balance, people)) == [0] * 1_000 + [100]


async def test_receipt_of_a_key(ledger: Ledger) -> None:
    """A key's receipt can be asked for; an unknown key has none."""
    gift = order(coins=30)
    sent = await accepted(ledger, gift)
    found = await ledger.receipt("ana", gift.key)
    assert isinstance(found, Accepted)
    assert (found.seq, found.balance_coins, found.repeated) == (sent.seq, 70, True)
    assert await ledger.receipt("ana", uuid7()) is None
    assert await ledger.receipt(NEIGHBOUR, gift.key) is None
