"""The gifts of one sender are decided in the order in which they came."""

import asyncio

from giftserver.auth.tokens import Identity
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
