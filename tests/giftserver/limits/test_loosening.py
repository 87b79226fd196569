"""Nothing gets looser within a day of any decision: one's own limits, a guardian's and the platform's together."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.limits import Amount, Scope, Standing, Waiting, decide_amounts, standing_of, standings
from giftserver.settings import Settings
from tests.giftserver.conftest import Web
from tests.giftserver.limits.test_decisions import hours_later
from tests.giftserver.limits.test_guardians import ask, link
from tests.giftserver.limits.test_sending import of, put

DEFAULT: Final = 400
DAY_H: Final = 24
SCOPES: Final[tuple[Scope, Scope]] = ("own", "guardian")
PEOPLE: Final = 50
STEPS: Final = 14


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A platform's limit that is below what people choose here."""
    return settings.model_copy(update={"limit_day_coins": DEFAULT})


async def by_guardian(web: Web, **coins: int | None) -> dict[str, Any]:
    """Change limits as the guardian's page would; the answer."""
    answer = await ask(web, "PUT", "/wards/ana/limits", "gus", coins)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def shown(web: Web) -> dict[str, Any]:
    """Limits as the person sees them."""
    found: dict[str, Any] = (await web.http.get("/v1/limits", headers=web.bearer("ana"))).json()
    return found


async def test_a_guardians_stricter_limit_above_the_platforms_begins_at_once(web: Web) -> None:
    """It is stricter than what holds, the person's own."""
    await link(web)
    await put(web, day_coins=5_000)
    await hours_later(web, 24)
    limits = await by_guardian(web, day_coins=2_000)
    assert (of(limits, "day")["coins"], limits["waiting"]) == (2_000, [])


async def test_the_end_of_a_guardians_limit_waits_where_ones_own_is_above_the_platforms(web: Web) -> None:
    """Whoever ends it; afterwards the person's own holds."""
    await link(web)
    await put(web, day_coins=5_000)
    await by_guardian(web, day_coins=2_000)
    await hours_later(web, 24)
    assert (await ask(web, "DELETE", "", "ana")).status_code == 200
    await hours_later(web, 23)
    limits = await shown(web)
    assert (of(limits, "day")["coins"], limits["waiting"][0]["scope"]) == (2_000, "guardian")
    await hours_later(web, 1)
    assert of(await shown(web), "day")["coins"] == 5_000


async def test_an_own_limit_is_dropped_late_where_a_guardians_is_above_it(web: Web) -> None:
    """And at once where what holds then is the platform's, which is stricter."""
    await link(web)
    await put(web, day_coins=2_000)
    await hours_later(web, 24)
    await by_guardian(web, day_coins=5_000)
    assert of(await put(web, day_coins=None), "day")["coins"] == 2_000
    await hours_later(web, 24)
    assert of(await shown(web), "day")["coins"] == 5_000
    assert of(await by_guardian(web, day_coins=None), "day")["coins"] == DEFAULT


async def test_what_waits_beside_a_decision_counts_too(web: Web) -> None:
    """The guardian's limit hides behind a lower one of the person's, whose raise is under way."""
    await link(web)
    await by_guardian(web, day_coins=300, gift_coins=300)
    await put(web, day_coins=200, gift_coins=200)
    await put(web, day_coins=350, gift_coins=350)
    await hours_later(web, 12)
    await by_guardian(web, day_coins=None, gift_coins=None)
    await hours_later(web, 12)
    limits = await shown(web)
    assert (of(limits, "day")["coins"], of(limits, "gift")["coins"]) == (300, 300)
    await hours_later(web, 12)
    limits = await shown(web)
    assert (of(limits, "day")["coins"], of(limits, "gift")["coins"]) == (350, 350)


@dataclass
class Person:
    """Somebody of whom decisions are made, and what was known before each."""

    name: str
    known: list[tuple[int, Standing, list[Waiting], dict[tuple[str, str], int]]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def in_force(amount: Amount, *decided: int | None) -> float:
    """What these limits come to, of one's own and the guardian's."""
    default = DEFAULT if amount == "day" else float("inf")
    return min((coins for coins in decided if coins is not None), default=default)


def loosest(
    amount: Amount, standing: Standing, waiting: list[Waiting], begins: dict[tuple[str, str], int], hour: int
) -> float:
    """The loosest that anything decided until some moment allows at this hour."""
    choices: dict[str, set[int | None]] = {scope: {standing.coins.get((scope, amount))} for scope in SCOPES}
    for one in waiting:
        if one.field == amount and begins[one.scope, amount] <= hour:
            choices[one.scope].add(one.coins)
    return max(in_force(amount, own, guardian) for own in choices["own"] for guardian in choices["guardian"])


async def decide(web: Web, connection: AsyncConnection, person: Person, hour: int, chance: random.Random) -> None:
    """One decision of somebody, after a look at what was decided before."""
    standing, waiting = await standing_of(web.engines.database, person.name)
    now = datetime.now(UTC)
    begins = {(one.scope, one.field): hour + round((one.from_at - now).total_seconds() / 3_600) for one in waiting}
    person.known.append((hour, standing, waiting, begins))
    scope = chance.choice(SCOPES)
    wishes: dict[Amount, int | None] = {
        amount: chance.choice((None, 100, 300, DEFAULT, 600, 900))
        for amount in chance.choice((("day",), ("gift",), ("month",), ("gift", "day", "month")))
    }
    person.told.append(f"hour {hour}: {scope} {wishes}")
    await decide_amounts(connection, person.name, scope, "anybody", wishes, DEFAULT)


async def looser(web: Web, people: list[Person], hour: int) -> list[Any]:
    """What holds now and is looser than what had been decided before some decision of the last day."""
    async with web.engines.database.connect() as connection:
        now = await standings(connection, [person.name for person in people])
    found: list[Any] = []
    amounts: tuple[Amount, ...] = ("gift", "day", "month")
    for person in people:
        standing = now[person.name]
        for amount in amounts:
            holds = in_force(amount, *(standing.coins.get((scope, amount)) for scope in SCOPES))
            for since, before, waiting, begins in person.known:
                if hour < since + DAY_H:
                    most = loosest(amount, before, waiting, begins, hour)
                    if holds > most:
                        found.append((amount, holds, most, f"since hour {since}, at {hour}", person.told))
    return found


async def test_nothing_gets_looser_within_a_day_of_any_decision(web: Web) -> None:
    """Many sequences of decisions of one person and their guardian, looked at after each and in between."""
    chance = random.Random(17)
    people = [Person(f"p{n}") for n in range(PEOPLE)]
    hour = 0
    for _ in range(STEPS):
        async with web.engines.database.begin() as connection:
            for person in people:
                if chance.random() < 0.8:
                    await decide(web, connection, person, hour, chance)
        assert await looser(web, people, hour) == []
        for hours in (chance.randint(1, 10), chance.randint(1, 10)):
            await hours_later(web, hours)
            hour += hours
            assert await looser(web, people, hour) == []
