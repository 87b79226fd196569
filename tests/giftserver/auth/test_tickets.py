"""Tickets: single use, 30 seconds, and nothing to steal in Redis."""

import math
import time
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from giftserver.auth.tickets import TICKET_TTL_S, Tickets
from giftserver.auth.tokens import Identity
from giftserver.engines import Engines

ANA = Identity("ana", "Ana", "viewer", None, time.time() + 600)


@pytest.fixture
def redis(engines: Engines) -> Redis:
    return engines.rooms_redis


async def test_a_ticket_brings_its_identity_once(redis: Redis) -> None:
    """The second use of a ticket is refused."""
    tickets = Tickets(redis)
    ticket = await tickets.issue(ANA)
    assert await tickets.redeem(ticket) == ANA
    assert await tickets.redeem(ticket) is None


async def test_tickets_differ_and_carry_256_bits(redis: Redis) -> None:
    """No two tickets are alike, and each is 32 random bytes."""
    made = {await Tickets(redis).issue(ANA) for _ in range(20)}
    assert len(made) == 20
    assert {len(ticket) for ticket in made} == {43}


async def test_redis_knows_only_the_hash(redis: Redis) -> None:
    """Whoever reads Redis cannot use what is there."""
    ticket = await Tickets(redis).issue(ANA)
    found = [key async for key in redis.scan_iter("*")]
    assert len(found) == 1
    key = found[0].decode()
    assert ticket not in key
    assert ticket.encode() not in (await redis.get(key) or b"")
    assert await Tickets(redis).redeem(key.removeprefix("ticket:")) is None
    assert 0 < await redis.ttl(key) <= TICKET_TTL_S


async def test_an_expired_ticket_is_refused(redis: Redis) -> None:
    """Redis forgets a ticket when its time is over."""
    ticket = await Tickets(redis).issue(ANA)
    (key,) = [key async for key in redis.scan_iter("*")]
    await redis.pexpire(key, 0)
    assert await Tickets(redis).redeem(ticket) is None


async def test_a_ticket_does_not_outlive_its_token(redis: Redis) -> None:
    """An identity that ended in the meantime is refused."""
    ticket = await Tickets(redis).issue(replace(ANA, expires_s=time.time() - 1))
    assert await Tickets(redis).redeem(ticket) is None


async def test_an_overlay_never_expires(redis: Redis) -> None:
    """Infinity survives the way through Redis."""
    overlay = Identity(None, "Overlay", "overlay", "harbour", math.inf)
    assert await Tickets(redis).redeem(await Tickets(redis).issue(overlay)) == overlay


@pytest.mark.parametrize("ticket", ["", "x" * 42, "x" * 43, "x" * 44, "ä" * 43, "x" * 100_000])
async def test_rubbish_is_refused(redis: Redis, ticket: str) -> None:
    """Text that never was a ticket is refused."""
    assert await Tickets(redis).redeem(ticket) is None
