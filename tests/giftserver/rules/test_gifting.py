"""Rules about who gives whom: nothing at the number, a case with its evidence just above it."""

import asyncio
from datetime import timedelta

import pytest

from giftserver.durable.gift_pairs import add_pairs, first_day
from giftserver.durable.proof.gift_pairs import pairs_are_the_gifts
from giftserver.durable.proof.invariant import Invariant
from giftserver.rules.loops import Coins, given_on
from giftserver.rules.numbers import LOOP_HOURS
from giftserver.rules.rings import find_rings
from tests.giftserver.rules.conftest import Street

SOON = timedelta(minutes=1)


async def test_most_of_a_creators_income_from_one_sender(street: Street) -> None:
    """More than 70 % of a week's diamonds, where these are 10,000; older gifts and those given back do not count."""
    await street.give("ben", "mira", 50_000, street.now - first_day(street.now) + SOON)  # the week before
    closed_ms = int(street.now.timestamp() * 1_000)
    await street.book.run(
        "INSERT INTO room (id, creator, creator_name, title) VALUES ('attic', 'mira', 'Mira', 'Attic')",
        f"INSERT INTO room_closing (room, closed_ms) VALUES ('attic', {closed_ms - 10})",
    )
    await street.give("ana", "mira", 40_000, room="attic")  # after its room had closed
    await street.give("ana", "tomas", 9_999)
    await street.give("ben", "mira", 3_000)
    await street.give("ana", "mira", 7_000)
    assert await street.found("income_share") == {}
    await street.give("ana", "mira", 1)
    ((person, facts),) = (await street.found("income_share")).items()
    assert person == "mira"
    assert (facts["sender"], facts["sender_diamonds"], facts["all_diamonds"]) == ("ana", 7_001, 10_001)
    assert (facts["share_percent"], facts["numbers"]) == (70, 1)
    await street.give("ana", "tomas", 1)
    assert (await street.found("income_share"))["tomas"]["all_diamonds"] == 10_000


async def test_coins_in_a_circle(street: Street) -> None:
    """A thousand from each to the next within a day, over two people or four; one case of the smallest id."""
    for sender, creator, coins, hours in (
        ("ben", "ana", 1_000, 23), ("ana", "ben", 999, 0),
        ("cy", "dan", 9_000, 25), ("dan", "cy", 9_000, 0),
        ("gus", "hal", 1_000, 2), ("hal", "eva", 1_000, 3), ("eva", "fay", 1_000, 4), ("fay", "gus", 999, 5),
    ):  # fmt: skip
        await street.give(sender, creator, coins, timedelta(hours=hours))
    assert await street.found("ring") == {}
    await street.give("ana", "ben", 1)
    await street.give("fay", "gus", 1)
    found = await street.found("ring")
    assert {person: facts["members"] for person, facts in found.items()} == {
        "ana": ["ana", "ben"], "eva": ["eva", "fay", "gus", "hal"],
    }  # fmt: skip
    assert found["ana"]["coins"] == 2_000
    assert found["eva"]["gifts"][3] == {"from": "hal", "to": "eva", "coins": 1_000}


@pytest.mark.parametrize(
    ("edges", "rings"),
    [
        ("ab bc cd de ea", []),
        ("ab bc ca", ["abc"]),
        ("ba ac cb", ["acb"]),
        ("ab ba bc cb", ["ab", "bc"]),
        ("ab bc cd da ca", ["abc"]),
        ("ab bb", []),
    ],
)
def test_circles_are_found_once(edges: str, rings: list[str]) -> None:
    """Of at most four people, each told from its smallest id, the shortest first; nobody is in one twice."""
    found = find_rings({(pair[0], pair[1]): 1_000 for pair in edges.split()})
    assert ["".join(ring) for ring in found] == rings


async def test_what_is_bought_goes_to_one_creator_again_and_again(street: Street) -> None:
    """Three times 90 % of a purchase within a day, and more than half of the creator's week."""
    await street.give("ben", "mira", 9_450)
    await street.give("ana", "mira", 100, SOON)  # before she bought
    bought = [await street.buy("ana", 3_500) for _ in range(3)]
    for _ in range(3):
        await street.buy("cy", 3_499)
    await street.give("cy", "tomas", 10_497)
    for coins in (3_500, 3_500, 3_149):
        await street.give("ana", "mira", coins)
    assert await street.found("loop") == {}  # the third is a coin short
    await street.give("ben", "mira", 600)
    await street.give("ana", "mira", 1)
    assert await street.found("loop") == {}  # 10,150 of 20,300: half
    await street.give("ana", "mira", 1)
    ((person, facts),) = (await street.found("loop")).items()
    assert (person, facts["creator"], facts["coins"]) == ("ana", "mira", 10_151)
    assert facts["all_coins_of_the_creator"] == 20_301
    assert [(one["payment"], one["given_on"]) for one in facts["purchases"]] == [
        (bought[0].id, 3_500), (bought[1].id, 3_500), (bought[2].id, 3_151),
    ]  # fmt: skip


def test_coins_are_given_on_once_and_soon(street: Street) -> None:
    """A gift's coins are of one purchase, the oldest that has some left; not of one before a day, nor of one after."""
    at, day = street.now, timedelta(hours=LOOP_HOURS)
    twice = [Coins(at, 100), Coins(at, 100)]
    assert given_on(twice, [Coins(at + SOON, 120)]) == [100, 20]
    assert given_on(twice, [Coins(at - SOON, 500), Coins(at + day + SOON, 500)]) == [0, 0]
    assert given_on([Coins(at - SOON, 100), Coins(at, 100)], [Coins(at + day, 150)]) == [0, 100]


async def test_sums_of_who_gave_whom_are_proved(street: Street) -> None:
    """Each gift is added once, by two workers at once too; older days are forgotten; the proof finds a wrong sum."""

    async def violations() -> list[str]:
        invariant = Invariant("sums")
        async with street.book.engine.connect() as connection:
            await pairs_are_the_gifts(connection, invariant)
        return invariant.violations

    for coins in (5, 6, 7):
        await street.give("ana", "mira", coins)
        await asyncio.gather(*(add_pairs(street.book.engine, street.now) for _ in range(5)))
    assert await street.book.rows("SELECT sender, gifts, coins, diamonds FROM gift_pair_day") == [("ana", 3, 18, 18)]
    assert await violations() == []
    await street.book.run("UPDATE gift_pair_day SET coins = 19")
    assert len(await violations()) == 1
    await street.keeper(later=timedelta(days=7)).step()
    assert await street.book.rows("SELECT 1 FROM gift_pair_day") == []
