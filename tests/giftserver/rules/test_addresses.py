"""Orders from one network address are counted, in memory alone, and refused in words when there are too many."""

from collections.abc import Callable

from giftserver.rules import addresses
from giftserver.rules.addresses import OrderAllowance
from giftserver.rules.numbers import ORDERS_HOUR
from tests.giftserver.conftest import Web, assert_refused
from tests.giftserver.shop import new_key


def test_an_address_has_so_many_orders_an_hour(clock: Callable[[float], None]) -> None:
    """Thirty at once, then one every two minutes; what is refused costs nothing, and others have their own."""
    allowance = OrderAllowance(ORDERS_HOUR)
    assert [allowance.take("192.0.2.1") for _ in range(ORDERS_HOUR)] == [0] * ORDERS_HOUR
    assert allowance.take("192.0.2.1") == allowance.take("192.0.2.1") == 120_000
    assert allowance.take("192.0.2.2") == 0
    clock(119)
    assert 0 < allowance.take("192.0.2.1") <= 1_001
    clock(2)
    assert allowance.take("192.0.2.1") == 0
    assert allowance.take("192.0.2.1") > 0
    clock(3_600)
    assert [allowance.take("192.0.2.1") for _ in range(ORDERS_HOUR)] == [0] * ORDERS_HOUR


def test_a_network_of_ipv6_is_one_address(clock: Callable[[float], None]) -> None:
    """By its first 64 bits; an IPv4 address is the same in both ways of writing it; who is unknown is not counted."""
    allowance = OrderAllowance(ORDERS_HOUR)
    for number in range(ORDERS_HOUR):
        assert allowance.take(f"2001:db8:1:2::{number:x}") == allowance.take("192.0.2.1") == 0
    assert allowance.take("2001:db8:1:2:ffff::1") > 0
    assert allowance.take("2001:db8:1:3::1") == 0
    assert allowance.take("::ffff:192.0.2.1") > 0
    assert {allowance.take("") for _ in range(100)} == {0}
    assert [allowance.take("a socket") for _ in range(ORDERS_HOUR + 1)][-1] > 0


def test_memory_has_a_limit(clock: Callable[[float], None], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """The address that was quiet for longest is forgotten."""
    monkeypatch.setattr(addresses, "KNOWN_MAX", 3)
    allowance = OrderAllowance(ORDERS_HOUR)
    for number in range(10):
        allowance.take(f"192.0.2.{number}")
    assert len(allowance._spent) == 3


async def test_orders_without_end_are_refused(web: Web) -> None:
    """The next one is told how long to wait; somebody behind another address of the proxy is not."""
    body = {"key": new_key(), "provider": "none", "amount_minor": 999, "currency": "USD", "pack": "coins-700"}
    for number in range(ORDERS_HOUR):
        answer = await web.http.post("/v1/payments", json=body, headers=web.bearer(f"user{number}"))
        assert_refused(answer, 404, "recharges_off")
    refused = assert_refused(
        await web.http.post("/v1/payments", json=body, headers=web.bearer("another")), 429, "rate_limited"
    )
    assert 0 < refused["retry_after_ms"] <= 120_000
    assert "network" in refused["message"]
    elsewhere = {**web.bearer("ana"), "x-forwarded-for": "198.51.100.7"}
    assert_refused(await web.http.post("/v1/payments", json=body, headers=elsewhere), 404, "recharges_off")
