"""A room that closes between the look and the debit: the gift stands, is given back, and those concerned see it."""

from functools import partial

import pytest
from sqlalchemy import text

from giftserver.durable.closings import time_closings
from giftserver.durable.rooms import set_live
from giftserver.ledger.clock import latest_ms
from giftserver.metrics import Metrics
from giftserver.refunder import Refunder
from giftserver.worker import CreditCarrier
from tests.giftserver.conftest import Web
from tests.giftserver.web.sockets import NewKey, joined
from tests.torture.waiting import clock_passes


async def closed_for_good(web: Web) -> None:
    """Close harbour behind the back of the process that looked at it just now, and let a moment pass."""
    await web.services.rooms.get("harbour")
    await set_live(web.engines.database, "harbour", False)
    await time_closings(web.engines.database, partial(latest_ms, web.engines.ledger_redis))
    await clock_passes(web.engines.ledger_redis, await latest_ms(web.engines.ledger_redis))


@pytest.fixture
def refunder(rich: Web) -> Refunder:
    """A refunder as the worker runs it."""
    return Refunder(rich.engines, rich.services.history, Metrics())


async def test_a_gift_into_a_room_that_closed_comes_back(rich: Web, refunder: Refunder, new_key: NewKey) -> None:
    """Accepted, booked, given back: told to the sender and the studio, in the wallet, the status and the earnings."""
    key = new_key()
    mira = rich.bearer("mira", "creator")
    async with joined(rich) as ana, joined(rich, "mira", role="creator") as studio, joined(rich, "ben") as ben:
        await closed_for_good(rich)
        reply = await ana.gift(1, key, gift="rose", quantity=2)
        transfer, coins = reply["result"]["transfer"], reply["result"]["coins"]
        assert (await rich.http.get("/v1/studio/harbour", headers=mira)).json()["diamonds_today"] > 0
        await rich.settle()
        assert await refunder.step() == 1
        for client in (ana, studio):
            told = await client.wait("refunded")
            assert (told["transfer"], told["coins"], told["reason"]) == (transfer, coins, "room_closed")
        carrier = CreditCarrier(rich.engines, rich.services.ledger, Metrics())
        assert await carrier.carry() == 2  # the coins of the fixture, and these
        assert (await ana.wait("balance"))["coins"] == 1_000
        assert not any(message["type"] == "refunded" for message in ben.seen)
    assert (await rich.http.get("/v1/rooms/harbour/top")).json() == {"items": []}

    ana_says = rich.bearer("ana")
    assert (await rich.http.get(f"/v1/gifts/{key}", headers=ana_says)).json()["state"] == "refunded"
    assert (await rich.http.get("/v1/wallet", headers=ana_says)).json()["coins"] == 1_000
    entry = (await rich.http.get("/v1/wallet/history", headers=ana_says)).json()["entries"][0]
    assert (entry["kind"], entry["amount_coins"], entry["room"]) == ("refund", coins, "harbour")
    desk = (await rich.http.get("/v1/studio/harbour", headers=mira)).json()
    assert (desk["diamonds_today"], desk["gifts_today"], desk["refunded"]) == (0, 0, [transfer])
    earnings = (await rich.http.get("/v1/studio/harbour/earnings", headers=mira)).json()
    assert (earnings["pending_diamonds"], earnings["paid_diamonds"], earnings["days"]) == (0, 0, [])
    assert await refunder.step() == 0


async def test_a_room_that_is_closed_here_takes_no_gift(rich: Web, refunder: Refunder, new_key: NewKey) -> None:
    """The usual case: refused before anything is charged, and nothing to give back."""
    await rich.services.rooms.set_live("harbour", False)
    async with joined(rich) as ana:
        assert (await ana.gift(1, new_key()))["code"] == "room_not_live"
    await rich.settle()
    assert await refunder.step() == 0
    await rich.services.rooms.set_live("harbour", True)
    async with rich.engines.database.connect() as connection:
        closed_ms, opened_ms = (await connection.execute(text("SELECT closed_ms, opened_ms FROM room_closing"))).one()
    assert 0 < closed_ms <= opened_ms


async def test_a_refused_refund_holds_up_no_other(rich: Web, refunder: Refunder, new_key: NewKey) -> None:
    """Diamonds that the creator does not have any more: that gift stays due, counted, and the next is given back."""
    await rich.give_coins("ben", 1_000)
    await closed_for_good(rich)
    await rich.send_gift("ana", new_key(), "kite")
    await rich.send_gift("ben", new_key(), "dewdrop")
    await rich.settle()
    async with rich.engines.database.begin() as connection:
        await connection.execute(text("UPDATE account SET balance = 1 WHERE kind = 'earnings'"))
    assert await refunder.step() == 1
    assert refunder._metrics.refunds_refused._value.get() == 1
    assert await refunder.step() == 0
    async with rich.engines.database.begin() as connection:
        await connection.execute(text("DELETE FROM refund_due WHERE refund IS NULL"))  # a person settled it
    assert await refunder.step() == 0
    assert refunder._metrics.refunds_refused._value.get() == 0


async def test_the_worker_times_a_closing_that_nobody_timed(rich: Web, refunder: Refunder) -> None:
    """The process that closed the room died before it could."""
    await set_live(rich.engines.database, "harbour", False)
    await refunder.step()
    async with rich.engines.database.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM room_closing WHERE closed_ms IS NULL")) == 0
