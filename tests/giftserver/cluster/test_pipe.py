"""Calls behind each other on one connection: each gets its own reply, or nobody knows."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisSilent

from giftserver.cluster import pipe as pipe_module
from giftserver.cluster.pipe import NotSent, Pipe
from giftserver.engines import open_redis

TIMEOUT_S = 0.3


@pytest.fixture
async def pipe(ledger_redis: Redis) -> AsyncIterator[Pipe]:
    """A pipe to the ledger's Redis."""
    opened = Pipe(ledger_redis.connection_pool, TIMEOUT_S)
    yield opened
    await opened.close()


async def ended(calls: list["asyncio.Future[Any]"]) -> list[Any]:
    """What became of calls."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def paused(redis: Redis, ms: int) -> None:
    """Let the server answer nobody for a while."""
    waiting: Awaitable[Any] = redis.execute_command("CLIENT", "PAUSE", ms, "ALL")
    await waiting


async def test_each_call_gets_its_own_reply(pipe: Pipe) -> None:
    """Replies find their calls by their order, over one connection."""
    assert await ended([pipe.call("ECHO", number) for number in range(500)]) == [str(n).encode() for n in range(500)]
    connections = await ended([pipe.call("CLIENT ID") for _ in range(10)])
    assert len(set(connections)) == 1


async def test_an_error_is_one_calls_own(pipe: Pipe) -> None:
    """A command that the server refuses does not spoil its neighbours."""
    before, wrong, after = await ended([pipe.call("ECHO", "a"), pipe.call("ECHO"), pipe.call("ECHO", "b")])
    assert (before, after) == (b"a", b"b")
    assert isinstance(wrong, ResponseError)


async def test_a_cancelled_call_keeps_its_place(pipe: Pipe) -> None:
    """Its reply is read and goes to nobody."""
    await pipe.call("PING")
    calls = [pipe.call("ECHO", number) for number in range(6)]
    for number in (0, 2, 5):
        calls[number].cancel()
    assert [await calls[number] for number in (1, 3, 4)] == [b"1", b"3", b"4"]
    assert await pipe.call("ECHO", "next") == b"next"


async def test_silence_ends_the_connection(pipe: Pipe, ledger_redis: Redis) -> None:
    """After the time limit nobody knows what became of the calls, and the connection is never used again."""
    first = await pipe.call("CLIENT ID")
    await paused(ledger_redis, 800)
    outcomes = await ended([pipe.call("INCR", "counter") for _ in range(5)])
    assert {type(outcome) for outcome in outcomes} == {RedisSilent}
    async with asyncio.timeout(5):
        for number in itertools.count():
            [reply] = await ended([pipe.call("ECHO", number)])
            if not isinstance(reply, Exception):
                break
    assert reply == str(number).encode()
    assert await pipe.call("CLIENT ID") != first


async def test_a_slow_server_is_waited_for(pipe: Pipe, ledger_redis: Redis) -> None:
    """An answer within the limit is an answer."""
    await pipe.call("PING")
    await paused(ledger_redis, 150)
    assert await ended([pipe.call("ECHO", "early"), pipe.call("ECHO", "late")]) == [b"early", b"late"]


async def test_a_lost_connection_repeats_nothing(pipe: Pipe, ledger_redis: Redis) -> None:
    """Calls on it are unknown and are not sent again; the next call has a new connection."""
    await pipe.call("DEL", "counter")
    number = await pipe.call("CLIENT ID")
    suicide = ("CLIENT", "KILL", "ID", number, "SKIPME", "no")
    calls = [pipe.call("INCR", "counter"), pipe.call(*suicide), pipe.call("INCR", "counter")]
    assert isinstance((await ended(calls))[2], RedisAway)
    assert await pipe.call("INCR", "counter") == 2


async def test_too_many_calls_are_refused(pipe: Pipe, ledger_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has a limit."""
    monkeypatch.setattr(pipe_module, "CALLS_MAX", 3)
    outcomes = await ended([pipe.call("PING") for _ in range(5)])
    assert [isinstance(outcome, RedisAway) for outcome in outcomes] == [False, False, False, True, True]


async def test_a_server_that_is_away(ledger_redis: Redis) -> None:
    """Its calls fail at once; when it comes, the next call reaches it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = open_redis(f"redis://127.0.0.1:{port}", 1.0)
    pipe = Pipe(away.connection_pool, TIMEOUT_S)
    assert isinstance((await ended([pipe.call("PING")]))[0], NotSent)
    away.connection_pool.connection_kwargs.update(ledger_redis.connection_pool.connection_kwargs)
    assert await pipe.call("ECHO", "back") == b"back"
    await pipe.close()
    await away.aclose()


async def test_closing_leaves_nobody_waiting(pipe: Pipe, ledger_redis: Redis) -> None:
    """A call without a reply ends with an error."""
    await pipe.call("PING")
    await paused(ledger_redis, 300)
    waiting = pipe.call("PING")
    await asyncio.sleep(0)
    await pipe.close()
    async with asyncio.timeout(5):
        assert isinstance((await ended([waiting]))[0], RedisAway)
    assert isinstance((await ended([pipe.call("PING")]))[0], NotSent)
