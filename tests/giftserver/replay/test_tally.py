"""Counting by the protocol's rule, folded or not."""

import asyncio
from typing import Any

from giftserver.replay.api import Api
from giftserver.replay.people import DemoPeople
from giftserver.replay.proof import Proof
from giftserver.replay.tally import Tally
from tests.demo_server import DemoServer, wait_until

WELCOME: dict[str, Any] = {"type": "welcome", "epoch": "e", "offset": 7, "resumed": False}


def gift(offset: int, transfer: str, quantity: int) -> dict[str, Any]:
    """A gift push; `combo_quantity` must not matter."""
    return {
        "type": "gift", "offset": offset, "transfer": transfer, "gift": "rose", "quantity": quantity,
        "combo_quantity": 99,
    }  # fmt: skip


def test_a_resumed_welcome_keeps_the_place() -> None:
    """What was missed follows a resumed welcome, so the position waits for it."""
    tally = Tally({"rose": 3})
    tally.take(WELCOME)
    tally.take(gift(8, "07-1-1", 2))
    tally.take({**WELCOME, "offset": 10, "resumed": True})
    assert tally.position == ("e", 8)
    tally.take(gift(9, "07-1-2", 1))
    tally.take({"type": "combo_ended", "offset": 10, "quantity": 3})
    assert tally.position == ("e", 10)
    assert (tally.coins_of({"07-1-1", "07-1-2"}), tally.resumed, tally.lost) == (9, 1, 0)


def test_a_lost_place_is_remarked() -> None:
    """A welcome that could not resume means that something was missed."""
    tally = Tally({"rose": 3})
    tally.take(WELCOME)
    tally.take({**WELCOME, "offset": 5_000})
    assert tally.lost == 1
    assert "could not resume" in " ".join(tally.remarks())


async def test_folded_gifts_are_told_apart_by_the_history(demo: DemoServer) -> None:
    """Of a sum without transfers, what others gave over the same offsets is taken off."""
    path = "/v1/rooms/harbour/gifts?limit=40"
    wait_until(lambda: len(demo.ask("GET", path)["gifts"]) > 10, 60.0)
    page = demo.ask("GET", path)
    gifts = page["gifts"]
    mine = {one["transfer"] for one in gifts[::2]}
    prices = {one["gift"]: one["coins"] // one["quantity"] for one in gifts}
    tally = Tally(prices)
    tally.take({**WELCOME, "epoch": page["epoch"], "offset": gifts[0]["offset"] - 1})
    for one in gifts[:-3]:
        tally.take(one)
    items = [{"gift": one["gift"], "quantity": one["quantity"]} for one in gifts[-3:]]
    tally.take({"type": "gifts_folded", "offset": gifts[-1]["offset"], "items": items})
    api = Api(demo.url)
    proof = Proof(api, DemoPeople(api), asyncio.get_running_loop().time() + 10)
    coins = await proof.coins_of(tally, "harbour", mine)
    assert coins == sum(one["coins"] for one in gifts[::2])
