"""All payouts are stopped: by an operator, and by the worker when a provider knows what this database lost."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from giftserver.durable.payout_moves import begin
from giftserver.durable.payout_stops import PayoutsStopped
from giftserver.ledger import keys
from giftserver.recharge import payout_watch
from giftserver.recharge.provider import PayoutNews, ProviderAway
from tests.giftserver.conftest import assert_refused
from tests.giftserver.payouts.office import Office
from tests.giftserver.shop import new_key

WORDS = "Payouts are stopped while the books are checked. Nothing was sent, and your diamonds are safe."


async def restored(office: Office, id: str) -> None:
    """PostgreSQL is as it was before this payout was asked for; the provider knows it."""
    async with office.shop.web.engines.database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        of_it = {"one": f"payout-%:{id}"}
        for statement in (
            "UPDATE account AS a SET balance = a.balance - e.amount FROM entry AS e JOIN transfer AS t "
            "ON t.id = e.transfer WHERE t.reference LIKE :one AND a.id = e.account",
            "DELETE FROM entry USING transfer AS t WHERE t.id = transfer AND t.reference LIKE :one",
            "DELETE FROM transfer WHERE reference LIKE :one",
        ):
            await connection.execute(text(statement), of_it)
        for statement in ("DELETE FROM payout_step WHERE payout = :id", "DELETE FROM payout WHERE id = :id"):
            await connection.execute(text(statement), {"id": id})


async def worker_starts(office: Office) -> None:
    """Another worker, which does its first round."""
    office.open_keeper()
    await office.work()


async def lost(office: Office) -> str:
    """A payout that the provider has, and this database does not."""
    id = await office.sent()
    await office.settle(id, "paid")
    await restored(office, id)
    assert (await office.terms())["available_diamonds"] == 30_000
    return id


async def test_an_operator_stops_all_payouts(office: Office) -> None:
    """Nothing is asked for, sent or taken back; what was sent is followed; lifted, everything goes on."""
    sent, waiting = await office.sent(), await office.asked()
    for _ in range(2):
        stop = await office.decree("stop")
        assert stop is not None
        assert (stop["reason"], stop["placed_by"]) == ("the books are checked", "olga")
    assert await office.stop() == stop
    assert assert_refused(await office.ask(), 409, "payouts_stopped")["message"] == WORDS
    assert_refused(await office.cancel(waiting), 409, "payouts_stopped")
    await office.settle(sent, "paid")
    await office.until(sent, "paid")
    assert (await office.payout(waiting))["state"] == "requested"
    assert await office.at_provider(waiting) == []
    for _ in range(2):
        assert await office.decree("go") is None
    assert await office.stop() is None
    await office.until(waiting, "sending")
    await office.asked()
    headers = office.shop.web.bearer("olga", "admin")
    acts = (await office.shop.web.http.get("/v1/ops/audit?subject=all", headers=headers)).json()["acts"]
    assert [act["action"] for act in acts] == ["go_on_with_payouts", "stop_payouts"]
    creators = await office.shop.web.http.post("/v1/ops/payouts/go", json={"reason": "mine"}, headers=office.bearer())
    assert_refused(creators, 403, "forbidden")
    await office.shop.proved()


async def test_what_is_sending_is_not_sent_again_while_payouts_are_stopped(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider says that there is none: it is asked again, and sent again once payouts go on."""
    provider: Any = office.shop.inquiry.providers["sandbox"]
    asked: list[str] = []
    real = provider.payout

    async def lost_on_the_way(order: Any) -> PayoutNews:
        asked.append(order.payout)
        if len(asked) == 1:
            raise ProviderAway("no answer")
        news: PayoutNews = await real(order)
        return news

    monkeypatch.setattr(provider, "payout", lost_on_the_way)
    id = await office.asked()
    await office.work()
    await office.decree("stop")
    await office.work()
    assert asked == [id]
    await office.decree("go")
    await office.work()
    assert asked == [id, id]


async def test_a_lost_payout_is_not_paid_twice(office: Office) -> None:
    """PostgreSQL was restored: the worker sees at its start what the provider paid, before it sends anything."""
    id = await lost(office)
    again = await office.asked(key=new_key())
    await worker_starts(office)
    stop = await office.stop()
    assert stop is not None
    assert (id in stop["reason"], stop["placed_by"]) == (True, "keeper")
    assert_refused(await office.ask(), 409, "payouts_stopped")
    assert await office.at_provider(again) == []
    assert await office.decree("go", reason="booked by hand") is None
    await worker_starts(office)  # what somebody has looked at stops nothing again
    assert await office.stop() is None
    assert len(await office.at_provider(again)) == 1


async def test_movements_are_read_every_ten_minutes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a minute after a provider gave no answer."""
    provider: Any = office.shop.inquiry.providers["sandbox"]
    real, calls, clock = provider.movements, [], [time.monotonic()]

    async def counted(since_s: float, until_s: float) -> Any:
        calls.append(since_s)
        if len(calls) == 2:
            raise ProviderAway("no answer")
        return await real(since_s, until_s)

    monkeypatch.setattr(provider, "movements", counted)
    monkeypatch.setattr(payout_watch, "monotonic", lambda: clock[0])
    counts = []
    for later_s in (0, 599, 1, 59, 1):
        clock[0] += later_s
        await office.keeper.step()
        counts.append(len(calls))
    assert counts == [1, 1, 2, 2, 3]


async def test_a_webhook_of_a_lost_payout_stops_all(office: Office) -> None:
    """At once, not when its tries have ended; nothing else about payouts we know of does."""
    id = await office.sent()
    await office.settle(id, "paid")
    async with asyncio.timeout(10):
        while not await office.sql("SELECT 1 FROM provider_event WHERE outcome = 'done'"):
            await office.shop.events.step()
            await asyncio.sleep(0.01)
    assert await office.stop() is None
    await office.sql("UPDATE provider_event SET outcome = NULL, tries = 0, next_at = now()")
    await restored(office, id)
    await office.shop.events.step()
    stop = await office.stop()
    assert stop is not None
    assert id in stop["reason"]


async def test_a_provider_that_knows_what_was_never_sent(office: Office) -> None:
    """The restored database has it as it was before it was sent: taken back it would be paid and given back."""
    id = await office.sent()
    async with office.shop.web.engines.database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE payout SET state = 'requested', sent_at = NULL, provider_ref = NULL"))
    await office.settle(id, "paid")
    await worker_starts(office)
    assert_refused(await office.cancel(id), 409, "payouts_stopped")
    await office.decree("go")
    await office.until(id, "paid")
    assert len(await office.at_provider(id)) == 1
    await office.shop.proved()


@pytest.mark.parametrize("behind", [{"state": "replaying"}, {"state": "fenced"}, {"flushed": "1000"}])
async def test_nothing_is_paid_out_while_postgresql_is_filled(office: Office, behind: dict[str, str]) -> None:
    """A shard is not open, or more of it was flushed than PostgreSQL has: refused in words, sent afterwards."""
    id = await office.asked()
    redis: Any = office.shop.web.engines.ledger_redis
    before = await redis.hmget(keys.meta(3), list(behind))
    await redis.hset(keys.meta(3), mapping=behind)
    assert assert_refused(await office.ask(), 409, "payouts_stopped")["message"] == WORDS
    await office.work()
    assert (await office.payout(id))["state"] == "requested"
    for field, value in zip(behind, before, strict=True):
        await (redis.hdel(keys.meta(3), field) if value is None else redis.hset(keys.meta(3), field, value))
    await office.work()
    assert (await office.payout(id))["state"] == "sending"


async def test_a_stop_of_the_same_moment_is_not_slipped_past(office: Office) -> None:
    """It is placed and not committed yet: the step to `sending` waits for it, and does not send."""
    id = await office.asked()
    database = office.shop.web.engines.database
    async with database.connect() as connection, connection.begin():
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('payouts are stopped', 0))"))
        await connection.execute(text("INSERT INTO payout_stop (reason, placed_by) VALUES ('a test', 'olga')"))
        step: asyncio.Task[Any] = asyncio.create_task(begin(database, id))
        async with asyncio.timeout(10), database.connect() as other:
            while not await other.scalar(text("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")):
                assert not step.done(), "it did not wait"
                await other.rollback()
                await asyncio.sleep(0.01)
    with pytest.raises(PayoutsStopped):
        await step
    assert (await office.payout(id))["state"] == "requested"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM payout_stop", "UPDATE payout_stop SET reason = 'another'", "TRUNCATE payout_stop",
        "UPDATE payout_stop SET lifted_by = NULL, lifted_at = NULL",
    ],
)  # fmt: skip
async def test_stops_stay_as_they_were_written(office: Office, statement: str) -> None:
    """A stop is lifted once, and nothing else of it ever changes."""
    await office.decree("stop")
    await office.decree("go")
    with pytest.raises(DBAPIError, match="payout_stop"):
        await office.sql(statement)
