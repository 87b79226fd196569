"""The whole way of a gift with ledger and rooms on a cluster."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from giftserver.auth.tokens import Identity
from giftserver.settings import Settings
from rooms.codec import MSGPACK_SUBPROTOCOL
from tests.cluster.platform import Givers, assert_proven, new_key, platform
from tests.giftserver.conftest import Web
from tests.giftserver.web.sockets import expect_refusal, joined


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Web, worker and flusher on the cluster."""
    async with platform(settings) as started:
        yield started


async def test_a_gift_reaches_everybody_and_the_books(web: Web) -> None:
    """Receipt, balance, room, combo, `settled` and proof, as on one Redis."""
    await web.give_coins("ana", 1_000)
    async with joined(web, codec=MSGPACK_SUBPROTOCOL) as ana, joined(web, None) as guest:
        assert ana.seen[0]["you"]["balance_coins"] == 1_000
        await guest.wait("snapshot")
        reply = await ana.gift(1, new_key(), quantity=3)
        assert reply["result"]["balance_coins"] == 997
        again = await ana.gift(2, new_key(), quantity=2)
        assert again["result"]["balance_coins"] == 995
        for client in (ana, guest):
            gift = await client.wait("gift", transfer=again["result"]["transfer"])
            assert (gift["quantity"], gift["combo_quantity"], gift["offset"]) == (2, 5, 2)
            assert (await client.wait("combo_ended"))["quantity"] == 5
        sent = {reply["result"]["transfer"], again["result"]["transfer"]}
        while sent - {name for message in ana.seen if message["type"] == "settled" for name in message["transfers"]}:
            await ana.read()
        await guest.wait("viewers", count=2)
    await assert_proven(web)


async def test_a_client_that_comes_back_gets_what_it_missed(web: Web) -> None:
    """Resuming from an offset is exact."""
    await web.give_coins("ana", 1_000)
    async with joined(web, None) as guest:
        welcome = guest.seen[0]
    async with joined(web) as ana:
        transfers = [(await ana.gift(n, new_key()))["result"]["transfer"] for n in range(1, 6)]
        await ana.wait("gift", transfer=transfers[-1])  # from here on it is history, gift by gift
    async with joined(web, None, query=f"?epoch={welcome['epoch']}&offset=0") as guest:
        assert guest.seen[0]["resumed"] is True
        await guest.wait("gift", transfer=transfers[-1])
        gifts = [message for message in guest.seen if message["type"] == "gift"]
        assert [gift["transfer"] for gift in gifts] == transfers
        assert [gift["offset"] for gift in gifts] == [1, 2, 3, 4, 5]


async def test_tickets_studio_and_readiness(web: Web) -> None:
    """A ticket works once, the studio counts all shards, the process is ready."""
    ticket = await web.services.tickets.issue(Identity("ana", "Ana", "viewer", None, time.time() + 60))
    async with joined(web, None, query=f"?ticket={ticket}") as ana:
        assert ana.seen[0]["you"]["id"] == "ana"
    await expect_refusal(web, 401, "unauthorized", user=None, query=f"?ticket={ticket}")
    givers = Givers(web)
    await givers.start()
    await asyncio.gather(*(givers.more(shard, 2) for shard in range(16)))
    await givers.stop()
    answer = await web.http.get("/v1/studio/harbour", headers=web.bearer("mira", "creator", "harbour"))
    assert answer.status_code == 200, answer.text
    assert sum(receipt.diamonds for receipt in givers.receipts.values()) in answer.json().values()
    ready = await web.http.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert await givers.booked() == {key: receipt.coins for key, receipt in givers.receipts.items()}
    await assert_proven(web)
