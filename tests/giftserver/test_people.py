"""Sockets are counted in and out, and each limit says which one it is."""

import asyncio

from giftserver.errors import Refusal
from giftserver.people import People
from rooms.protocol import Viewers
from tests.rooms.conftest import Listener


def people(**changes: int) -> People:
    """Limits wide enough not to matter, but for those given."""
    limits = {"sockets_per_user": 100, "sockets_per_address": 100, "gifts_per_s": 1_000}
    return People(**(limits | changes))


def refusal(found: Refusal | None) -> str:
    """The refusal's words; there must be one."""
    assert found is not None
    assert found.code.name == "rate_limited"
    return found.message


def test_sockets_of_a_user_and_of_an_address_are_limited() -> None:
    """The refused socket is not counted; leaving makes room; guests count by address alone."""
    counted = people(sockets_per_user=2, sockets_per_address=3)
    assert counted.admit("ana", "a") is None
    assert counted.admit("ana", "b") is None
    assert "one user" in refusal(counted.admit("ana", "c"))
    counted.leave("ana", "b")
    assert counted.admit("ana", "a") is None
    assert counted.admit(None, "a") is None
    assert "one address" in refusal(counted.admit(None, "a"))
    assert counted.admit(None, "b") is None


def test_gifts_of_a_user_are_limited_over_all_sockets() -> None:
    """The allowance is the person's, not the socket's."""
    counted = people(gifts_per_s=2)
    assert [counted.take_gift("ana") == 0 for _ in range(5)] == [True] * 4 + [False]
    assert counted.take_gift("ben") == 0


async def test_a_message_reaches_every_socket_of_a_person() -> None:
    """And nobody else; a socket that left gets nothing."""
    counted = people()
    one, two, gone = Listener(), Listener(), Listener()
    for listener in (one, two, gone):
        counted.add(listener.connection)
    counted.remove(gone.connection)
    counted.tell("ana", Viewers(1))
    counted.tell("ben", Viewers(2))
    await asyncio.sleep(0)
    assert [len(listener.messages) for listener in (one, two, gone)] == [1, 1, 0]
