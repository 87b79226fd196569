"""The cluster's client: every command reaches its key, and is never carried out twice."""

import asyncio
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import ClusterCrossSlotError, TryAgainError
from redis.exceptions import TimeoutError as RedisSilent

from giftserver.cluster.client import server_of
from giftserver.engines import ClusterUrlNeeded, open_engines, open_redis
from giftserver.errors import WrongSetting
from giftserver.settings import Settings
from tests.cluster.nodes import HOST, Node, Nodes, wait_for

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1]) + redis.call('INCRBY', KEYS[2], ARGV[1])"


def pair(nodes: Nodes, tag: str) -> tuple[int, Node, Node]:
    """A tag's slot, the server that has it, and another one."""
    slot = key_slot(tag.encode())
    source = nodes.owner(slot)
    return slot, source, next(node for node in nodes.primaries if node is not source)


async def test_keys_are_found_on_all_servers(nodes: Nodes, redis: Any) -> None:
    """A command goes to the server of its key; a scan sees all of them."""
    await asyncio.gather(*(redis.set(f"key:{n}", n) for n in range(100)))
    assert await asyncio.gather(*(redis.get(f"key:{n}") for n in range(100))) == [b"%d" % n for n in range(100)]
    assert all(node.ask.dbsize() > 10 for node in nodes.primaries)
    assert {name async for name in redis.scan_iter(match="key:*", count=10)} == {b"key:%d" % n for n in range(100)}


async def test_moved_is_followed_and_remembered(nodes: Nodes, redis: Any) -> None:
    """A wrong map costs one answer, and is right afterwards."""
    slot, source, other = pair(nodes, "m")
    await redis.set("{m}", "here")
    redis.topology.moved(slot, (HOST, other.port))
    before = nodes.answered("MOVED")
    assert await redis.get("{m}") == b"here"
    assert nodes.answered("MOVED") == before + 1
    assert await redis.topology.owner(slot) == (HOST, source.port)


async def test_ask_is_followed_on_one_connection(nodes: Nodes, redis: Any) -> None:
    """While a slot moves, a key that moved already is found, however many connections are free."""
    slot, source, target = pair(nodes, "a")
    await redis.set("{a}", "there")
    await asyncio.gather(*(redis.get(f"warm:{n}") for n in range(60)))
    before = nodes.answered("ASK")
    nodes.begin_move(slot, source, target)
    try:
        nodes.move_keys(source, target, "{a}")
        assert await asyncio.gather(*(redis.get("{a}") for _ in range(20))) == [b"there"] * 20
        assert await redis.register_script("return redis.call('GET', KEYS[1])")(keys=["{a}"]) == b"there"
    finally:
        nodes.end_move(slot, source, target)
        give_back(nodes, slot, source, target, "{a}")
    assert nodes.answered("ASK") >= before + 21


def give_back(nodes: Nodes, slot: int, source: Node, target: Node, *names: str) -> None:
    """Undo a move."""
    nodes.begin_move(slot, target, source)
    nodes.move_keys(target, source, *names)
    nodes.end_move(slot, target, source)


async def test_try_again_is_waited_for_and_carried_out_once(nodes: Nodes, redis: Any) -> None:
    """A script whose keys are on both sides waits until they are together."""
    slot, source, target = pair(nodes, "t")
    await redis.mset({"{t}1": 0, "{t}2": 0})
    before = nodes.answered("TRYAGAIN")
    nodes.begin_move(slot, source, target)
    nodes.move_keys(source, target, "{t}1")
    call = asyncio.create_task(redis.register_script(ADD)(keys=["{t}1", "{t}2"], args=[1]))
    await asyncio.to_thread(wait_for, lambda: nodes.answered("TRYAGAIN") > before, "the script has to wait")
    nodes.move_keys(source, target, "{t}2")
    nodes.end_move(slot, source, target)
    assert await call == 2
    assert [await redis.get("{t}1"), await redis.get("{t}2")] == [b"1", b"1"]
    give_back(nodes, slot, source, target, "{t}1", "{t}2")


async def test_try_again_that_lasts_is_told(nodes: Nodes, redis: Any) -> None:
    """Patience ends; nothing was carried out."""
    slot, source, target = pair(nodes, "l")
    await redis.mset({"{l}1": 0, "{l}2": 0})
    nodes.begin_move(slot, source, target)
    nodes.move_keys(source, target, "{l}1")
    with pytest.raises(TryAgainError):
        await redis.register_script(ADD)(keys=["{l}1", "{l}2"], args=[1])
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incr("{l}1")
        pipe.incr("{l}2")
        with pytest.raises(TryAgainError):
            await pipe.execute()
    nodes.move_keys(source, target, "{l}2")
    nodes.end_move(slot, source, target)
    assert await redis.mget("{l}1", "{l}2") == [b"0", b"0"]
    give_back(nodes, slot, source, target, "{l}1", "{l}2")


async def test_scripts_are_loaded_where_they_are_missing(nodes: Nodes, redis: Any) -> None:
    """A script runs on every server, also after one forgot it."""
    script = redis.register_script("return redis.call('INCR', KEYS[1])")
    assert await asyncio.gather(*(script(keys=[f"n{n}"]) for n in range(30))) == [1] * 30
    await redis.script_flush()
    assert await asyncio.gather(*(script(keys=[f"n{n}"]) for n in range(30))) == [2] * 30


async def test_pipelines_are_split_by_server(nodes: Nodes, redis: Any) -> None:
    """Without a transaction every server gets its part; replies keep their order, errors their place."""
    async with redis.pipeline(transaction=False) as pipe:
        for n in range(50):
            pipe.set(f"p{n}", n)
            pipe.get(f"p{n}")
        replies = await pipe.execute()
    assert replies == [part for n in range(50) for part in (True, b"%d" % n)]
    slot, _, other = pair(nodes, "p7")
    redis.topology.moved(slot, (HOST, other.port))
    async with redis.pipeline(transaction=False) as pipe:
        pipe.get("p7")
        pipe.lpush("p7", "x")
        pipe.get("p8")
        seven, wrong, eight = await pipe.execute(raise_on_error=False)
    assert (seven, eight) == (b"7", b"8")
    assert "WRONGTYPE" in str(wrong)


async def test_transactions_are_of_one_slot(nodes: Nodes, redis: Any) -> None:
    """All or nothing, on the right server even with an old map; several slots are refused before anything is sent."""
    slot, source, other = pair(nodes, "x")
    redis.topology.moved(slot, (HOST, other.port))
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset("{x}h", "f", 1)
        pipe.hgetall("{x}h")
        assert await pipe.execute() == [1, {b"f": b"1"}]
    assert await redis.topology.owner(slot) == (HOST, source.port)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.set("p1", 1)
        pipe.set("p2", 1)
        with pytest.raises(ClusterCrossSlotError):
            await pipe.execute()
    assert await redis.get("p1") is None


async def test_a_call_without_an_answer_is_not_repeated(nodes: Nodes) -> None:
    """A timeout leaves the outcome unknown; the client never sends the command again."""
    client: Any = open_redis(nodes.url(), 0.1)
    source = nodes.owner(key_slot(b"slow"))
    assert await client.get("slow") is None
    source.ask.execute_command("CLIENT PAUSE", 5_000, "WRITE")
    with pytest.raises(RedisSilent):
        await client.incr("slow")
    source.ask.execute_command("CLIENT UNPAUSE")
    await asyncio.to_thread(wait_for, lambda: source.ask.get("slow") is not None, "the first call is carried out")
    assert await client.get("slow") == b"1"
    await client.aclose()


async def test_a_cancelled_call_leaves_its_answer_to_nobody(nodes: Nodes, redis: Any) -> None:
    """The connection of a cancelled call is not used again."""
    await redis.mset({"{c}1": "one", "{c}2": "two"})
    source = nodes.owner(key_slot(b"c"))
    for _ in range(5):
        source.ask.execute_command("CLIENT PAUSE", 60, "ALL")
        calls = [asyncio.create_task(redis.get("{c}1")) for _ in range(5)]
        await asyncio.sleep(0.01)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert await asyncio.gather(*(redis.get("{c}2") for _ in range(20))) == [b"two"] * 20


async def test_what_belongs_to_a_server_is_asked_of_it(nodes: Nodes, redis: Any) -> None:
    """Clock and run are of the server that has the key; without a key there is no answer."""
    source = nodes.owner(key_slot(b"s"))
    server: Any = await server_of(redis, "{s}")
    assert (await server.info("server"))["run_id"] == source.ask.info("server")["run_id"]
    for call in (redis.time, redis.info, redis.scan):
        with pytest.raises(ValueError, match="server_of"):
            await call()
    assert await redis.ping()


async def test_a_url_of_the_wrong_kind_is_refused(nodes: Nodes, settings: Settings, engine_urls: Any) -> None:
    """A process does not start with it, and the sentence names the right form."""
    node = f"{HOST}:{nodes.nodes[0].port}"
    form = r"GIFTSERVER_ROOMS_REDIS_URL: .*redis\+cluster://user:password@host1:port1,host2:port2"
    with pytest.raises(WrongSetting, match=form):
        async with open_engines(settings.model_copy(update={"rooms_redis_url": f"redis://{node}"})):
            pass
    single = engine_urls.ledger_redis_url.replace("redis://", "redis+cluster://")
    with pytest.raises(WrongSetting, match=r"LEDGER_REDIS_URL: .*write its URL with redis://"):
        async with open_engines(settings.model_copy(update={"ledger_redis_url": single})):
            pass


async def test_a_server_found_to_be_of_a_cluster_later_is_refused_too(nodes: Nodes) -> None:
    """Whatever a plain client asks is answered with the sentence, not with a part of the keys."""
    plain: Any = open_redis(f"redis://{HOST}:{nodes.nodes[0].port}", 2.0)
    with pytest.raises(ClusterUrlNeeded, match="its URL is written"):
        await plain.get("any")
    await plain.aclose()


async def test_a_server_that_hangs_delays_only_its_keys(nodes: Nodes) -> None:
    """While one server answers nothing, the others' keys are read as ever, and all is well once it is back."""
    client: Any = open_redis(nodes.url(), 0.3)
    hung = nodes.owner(key_slot(b"h0"))
    names = [f"h{n}" for n in range(30)]
    await asyncio.gather(*(client.set(name, 1) for name in names))
    quick = [name for name in names if nodes.owner(key_slot(name.encode())) is not hung]
    hung.ask.execute_command("CLIENT PAUSE", 3_000, "ALL")
    with pytest.raises(RedisSilent):
        await client.get("h0")
    async with client.pipeline(transaction=False) as pipe:
        for name in ("h0", quick[0]):
            pipe.get(name)
        silent, answered = await pipe.execute(raise_on_error=False)
    assert isinstance(silent, RedisSilent)
    assert answered == b"1"
    async with asyncio.timeout(2):
        assert await asyncio.gather(*(client.get(name) for name in quick)) == [b"1"] * len(quick)
    await asyncio.to_thread(wait_for, lambda: hung.ask.get("h0") == "1", "the server answers again")
    assert await client.get("h0") == b"1"
    await client.aclose()
