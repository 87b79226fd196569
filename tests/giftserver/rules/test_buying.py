"""Rules about buyers: nothing at the number, a case with its evidence just above it."""

from datetime import timedelta

from giftserver.recharge.states import State
from tests.giftserver.durable.orders import hear, order
from tests.giftserver.rules.conftest import Street


async def test_too_much_too_fast(street: Street) -> None:
    """More than ten purchases or twenty declines within an hour, or 35,000 coins within a day."""
    for minutes in (0, 61, *range(1, 10)):
        await street.buy("ana", 100, timedelta(minutes=minutes))
    await street.buy("ben", 35_000)
    await street.buy("ben", 1, timedelta(hours=25))
    tried = await order(street.book, "cy")
    for number in range(20):
        await hear(street.book, tried, State.PENDING, decline=("card_declined", "expired_card")[number % 2])
    assert await street.found("velocity") == {}
    await street.buy("ana", 100)
    await street.buy("ben", 1)
    await hear(street.book, tried, State.PENDING, decline="card_declined")
    found = await street.found("velocity")
    assert set(found) == {"ana", "ben", "cy"}
    assert found["ana"]["purchases_in_an_hour"] == 11
    assert (found["ben"]["coins_in_a_day"], found["ben"]["percent_of_the_limit"]) == (35_001, 100)
    assert found["cy"]["declines_in_an_hour"] == 21


async def test_much_right_after_the_first_purchase(street: Street) -> None:
    """More than 5,000 coins to one creator since a first purchase that is less than a day old."""
    await street.buy("ana", 700, timedelta(hours=23))
    await street.buy("cy", 700, timedelta(hours=25))
    await street.give("cy", "mira", 9_000)
    old = await street.buy("ben", 700, timedelta(days=3))
    await street.move(
        f"UPDATE payment SET id = 'pay_{'0' * 32}', created_at = created_at - interval '3 days' WHERE id = '{old.id}'"
    )
    await street.buy("ben", 700)
    await street.give("ben", "mira", 9_000)
    await street.give("ana", "mira", 2_000, timedelta(hours=24))  # before it
    await street.give("ana", "mira", 5_000)
    await street.give("ana", "tomas", 4_000)
    assert await street.found("new_account") == {}
    await street.give("ana", "mira", 1)
    found = await street.found("new_account")
    assert set(found) == {"ana"}
    assert (found["ana"]["creator"], found["ana"]["coins"]) == ("mira", 5_001)
    first = street.now - timedelta(hours=23)
    assert abs(found["ana"]["first_purchase_at_ms"] - first.timestamp() * 1_000) < 1


async def test_dispute_after_dispute(street: Street) -> None:
    """Two within 60 days, of whatever payments of the buyer's; a warning is none yet."""
    first, second = await street.buy("ana", 700), await street.buy("ana", 700)
    await street.dispute(first)
    await street.dispute(second, "warning")
    await street.dispute(await street.buy("ben", 700))
    assert await street.found("many_disputes") == {}
    await street.dispute(second)
    found = await street.found("many_disputes")
    assert set(found) == {"ana"}
    assert found["ana"]["disputes"] == 2
    assert found["ana"]["claims"] == [f"dp_{first.id}", f"dp_{second.id}"]
    assert found["ana"]["payments"] == sorted([first.id, second.id])
    await street.move("UPDATE claim SET opened_at = now() - interval '61 days'")
    await street.move("DELETE FROM case_file")
    assert await street.found("many_disputes") == {}
