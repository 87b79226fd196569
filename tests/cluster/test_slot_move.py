"""A shard moves to another server while people give."""

import asyncio

from redis.crc import key_slot
from redis.exceptions import ResponseError

from giftserver.ledger import keys
from giftserver.settings import Settings
from tests.cluster.nodes import Node, Nodes, wait_for
from tests.cluster.platform import COINS, Givers, assert_proven, platform

SHARD = 3
SLOT = key_slot(keys.meta(SHARD).encode())


def key_by_key(nodes: Nodes, target: Node) -> None:
    """The way of `--cluster reshard`: while it lasts the shard's gifts are answered TRYAGAIN."""
    before = nodes.answered("TRYAGAIN")
    waits = "gifts wait while the shard is on both sides"
    nodes.move_slot(SLOT, target, lambda: wait_for(lambda: nodes.answered("TRYAGAIN") > before + 20, waits))


def at_once(nodes: Nodes, target: Node) -> None:
    """The way of Valkey 9: the slot changes hands when all of it is there, and nobody is answered TRYAGAIN."""
    source = nodes.owner(SLOT)
    try:
        source.ask.execute_command("CLUSTER MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", target.id)
    except ResponseError:  # an older server
        nodes.move_slot(SLOT, target)
    wait_for(lambda: nodes.owner(SLOT) is target, "the slot is moved")


async def test_a_shard_that_moves_loses_and_doubles_nothing(settings: Settings, nodes: Nodes) -> None:
    """Moved away key by key and back at once, its gifts wait and go on; every receipt is in the books once."""
    home = nodes.owner(SLOT)
    target = next(node for node in nodes.primaries if node is not home)
    before = nodes.answered("MOVED")
    async with platform(settings) as web:
        givers = Givers(web)
        await givers.start()
        await givers.more(SHARD)
        for move, goal in ((key_by_key, target), (at_once, home)):
            await asyncio.to_thread(move, nodes, goal)
            assert nodes.owner(SLOT) is goal
            await givers.more(SHARD)
        await givers.stop()
        assert await givers.booked() == {key: receipt.coins for key, receipt in givers.receipts.items()}
        for user, given in givers.given.items():
            assert await web.services.ledger.balance(user) == COINS - given
        await assert_proven(web)
    assert nodes.answered("MOVED") > before
    assert givers.waited > 0, "nobody gave while the shard moved"
