"""The connection to PostgreSQL never waits for ever, and the snapshot a wallet is loaded from."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable import explain as explain_module
from giftserver.durable import flush as flush_module
from giftserver.durable import store
from giftserver.durable import verify as verify_module
from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard
from giftserver.durable.statement import AccountName
from giftserver.durable.store import (
    WalletSnapshot,
    WalletState,
    flush_cursors,
    open_database,
    settled_coins,
    wallet_snapshot,
)
from giftserver.ledger import keys
from tests.torture.proxy import TcpProxy

SHARD = keys.shard_of("ana")
SLEEP = text("SELECT pg_sleep(0.6)")


@contextlib.asynccontextmanager
async def behind_a_proxy(url: str, statement_timeout_ms: int) -> AsyncIterator[tuple[AsyncEngine, TcpProxy]]:
    """An engine whose server can be made to say nothing."""
    port = make_url(url).port
    assert port is not None
    proxy = TcpProxy(port)
    await proxy.start()
    through = make_url(url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    engine = open_database(through, statement_timeout_ms=statement_timeout_ms)
    try:
        yield engine, proxy
    finally:
        await engine.dispose()
        await proxy.stop()


async def test_connections_that_the_server_ended_are_made_anew(book, until):
    """All that waited in the pool: whoever comes next notices nothing."""
    engine = open_database(book.url, pool_size=3)
    waiting = [await engine.connect() for _ in range(3)]
    drivers = [(await one.get_raw_connection()).driver_connection for one in waiting]
    for one in waiting:
        await one.close()
    await book.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND datname = current_database() AND application_name = 'giftserver'"
    )

    async def ended() -> bool:
        return all(driver.is_closed() for driver in drivers)

    await until(ended)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            connection = await stack.enter_async_context(engine.connect())
            assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


async def test_a_server_that_hangs_is_given_up(book, monkeypatch):
    """Whether it hangs in the middle of a transaction or in the pool: an error in time, then work goes on."""
    monkeypatch.setattr(store, "ANSWER_MARGIN_S", 0.1)
    async with behind_a_proxy(book.url, 200) as (engine, proxy):
        await settled_coins(engine, "ana")
        proxy.mute = True
        started_s = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4):
                await settled_coins(engine, "ana")
        assert time.monotonic() - started_s < 2.8
        proxy.behave()
        assert await settled_coins(engine, "ana") == 0


async def test_the_server_cuts_first(book, monkeypatch):
    """One that works ends a long statement itself, so nobody is left in doubt; 0 is no limit on either side."""
    monkeypatch.setattr(store, "ANSWER_MARGIN_S", 0.1)
    for limit_ms in (300, 0):
        engine = open_database(book.url, statement_timeout_ms=limit_ms)
        async with engine.connect() as connection:
            if limit_ms:
                with pytest.raises(Exception, match="statement timeout"):
                    await connection.execute(SLEEP)
            else:
                await connection.execute(SLEEP)
        await engine.dispose()


async def test_proofs_take_as_long_as_they_need(book, monkeypatch):
    """Verify and explain are not cut by the limits of the engine they are given."""
    monkeypatch.setattr(store, "ANSWER_MARGIN_S", 0.1)
    await book.fund("ana", 10)
    engine = open_database(book.url, statement_timeout_ms=300)

    async def slow(connection, *_):
        await connection.execute(SLEEP)

    monkeypatch.setattr(verify_module, "CHECKS", {"nobody is below zero": slow})
    assert (await verify_module.verify(engine, book.redis)).holds
    real = explain_module.find_account

    async def slowly(connection, name):
        await connection.execute(SLEEP)
        return await real(connection, name)

    monkeypatch.setattr(explain_module, "find_account", slowly)
    name = AccountName("wallet", "ana")
    assert await explain_module.explain(engine, book.redis, name, 5) is not None
    await engine.dispose()


async def test_a_commit_that_is_not_answered_in_time_is_settled_by_the_cursor(book, monkeypatch):
    """The server hangs, or its answer is lost, after COMMIT was sent: unknown, so the cursor is read again."""
    await book.fund("ana", 100)
    await book.gift("ana")
    monkeypatch.setattr(store, "ANSWER_MARGIN_S", 0.1)
    async with behind_a_proxy(book.url, 400) as (engine, proxy):
        real_post, real_read = flush_module.post_gifts, flush_module.read_cursor
        doubts = []

        async def then_silent(connection, *rest):
            posted = await real_post(connection, *rest)
            proxy.mute = True
            return posted

        async def read(*args):
            if proxy.mute:
                doubts.append("COMMIT")
                proxy.behave()
            return await real_read(*args)

        monkeypatch.setattr(flush_module, "post_gifts", then_silent)
        monkeypatch.setattr(flush_module, "read_cursor", read)
        async with asyncio.timeout(4):
            assert (await flush_shard(engine, book.redis, SHARD)).status == "posted"
        assert doubts == ["COMMIT"]
    assert await book.balance("ana") == 90
    assert await book.flush() == 0


async def test_a_user_never_seen(book):
    """Someone without an account has no coins and no credits, at the shard's cursor."""
    assert await wallet_snapshot(book.engine, ["ana"], SHARD) == WalletSnapshot((0, 0), {"ana": WalletState(0, 0)})
    assert await wallet_snapshot(book.engine, [], SHARD) == WalletSnapshot((0, 0), {})


async def test_coins_credits_and_cursor_of_one_instant(book):
    """All credits and all gifts up to the cursor are in the coins; gifts still in the stream are not."""
    await book.fund("ana", 100)
    await credit(book.engine, "ana", 50, "grant", "second")
    await book.gift("ana", coins=10)
    await book.flush()
    await book.gift("ana", coins=10)
    snapshot = await wallet_snapshot(book.engine, ["ana", "nobody"], SHARD)
    assert snapshot == WalletSnapshot((1, 1), {"ana": WalletState(140, 2), "nobody": WalletState(0, 0)})
    assert await settled_coins(book.engine, "ana") == 140
    assert (await flush_cursors(book.engine))[SHARD] == (1, 1)
    assert len(await flush_cursors(book.engine)) == keys.SHARDS
