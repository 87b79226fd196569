"""The gifts of one sender are decided in the order in which they came."""

import asyncio

import pytest

from giftserver.auth.tokens import Identity
from giftserver.durable.rooms import RoomRecord
from giftserver.errors import Refusal
from giftserver.gifts.messages import Receipt, SendGift
from tests.giftserver.conftest import Web
from tests.giftserver.web.sockets import NewKey


async def test_a_gift_does_not_overtake_one_that_waits_for_its_room(rich: Web, new_key: NewKey) -> None:
    """The second comes at the moment when the room is known and the first has not gone on yet."""
    service, rooms = rich.services.gifts, rich.services.rooms
    sender = Identity("ana", "Ana", "viewer", None, float("inf"))
    told: list[asyncio.Future[object]] = [asyncio.get_running_loop().create_future() for _ in range(2)]
    await rich.send_gift("ana", new_key())  # the wallet is loaded
    rooms.forget("harbour")
    service.post(sender, "harbour", SendGift(id=1, key=new_key(), gift="dewdrop", quantity=1), told[0].set_result)
    while rooms.fresh("harbour") is None:
        await asyncio.sleep(0)
        assert not told[0].done()
    service.post(sender, "harbour", SendGift(id=2, key=new_key(), gift="dewdrop", quantity=2), told[1].set_result)
    first, second = await asyncio.gather(*told)
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.coins, second.coins) == (1, 2)
    assert first.balance_coins > second.balance_coins


async def test_of_two_that_wait_the_first_is_decided_first(rich: Web, new_key: NewKey) -> None:
    """Also when the second finds at once what the first waits for."""
    service, rooms = rich.services.gifts, rich.services.rooms
    sender = Identity("ana", "Ana", "viewer", None, float("inf"))
    await rich.send_gift("ana", new_key())
    look_up, read, gate, asked = rooms.get, asyncio.Event(), asyncio.Event(), []

    async def get(room_id: str) -> RoomRecord | None:
        asked.append(room_id)
        if len(asked) == 1:
            await gate.wait()
        else:
            read.set()
        return await look_up(room_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "get", get)
        patch.setattr(rooms, "fresh", lambda room_id: None)
        order: list[int] = []
        told = [asyncio.get_running_loop().create_future() for _ in range(3)]
        for number, quantity in enumerate((1, 2, -1)):
            command = SendGift(id=number + 1, key=new_key(), gift="dewdrop" if quantity > 0 else "none", quantity=1)

            def take(reply: object, number: int = number) -> None:
                order.append(number)
                told[number].set_result(reply)

            service.post(sender, "harbour", command, take)
        await asyncio.wait_for(read.wait(), 5)
        for _ in range(100):
            await asyncio.sleep(0)
        assert order == []
        gate.set()
        replies = await asyncio.wait_for(asyncio.gather(*told), 5)
    assert isinstance(replies[0], Receipt)
    assert isinstance(replies[1], Receipt)
    assert replies[0].balance_coins > replies[1].balance_coins
    assert isinstance(replies[2], Refusal)
    assert not service._slow
