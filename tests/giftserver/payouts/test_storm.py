"""Everything that can go wrong with payouts, at random and side by side: one payout each, and the books agree."""

import asyncio
import random
from typing import Any

import pytest

from giftserver.recharge import balances
from tests.giftserver.payouts.office import Office
from tests.giftserver.payouts.test_books import compared

ENDS = {"paid": ("paid",), "failed": ("failed",), "returned": ("paid", "returned")}


async def disturb(office: Office, chance: random.Random, ids: list[str]) -> None:
    """Something that happens to a payout or at the provider."""
    match chance.randrange(8):
        case 0:
            await office.shop.mischief(payouts_unanswered=chance.randrange(3), create_fails=chance.randrange(3))
        case 1:
            await office.shop.mischief(fetch_fails=1, drop=0.5, copies=2)
        case 2 | 3:
            ids.append(await office.asked(10_000 + 2 * len(ids)))
        case 4 if ids:
            await office.cancel(chance.choice(ids))
        case 5 if ids:
            await office.void(chance.choice(ids))
        case _:
            await asyncio.gather(office.shop.events.step(), office.keeper.step(), office.work())


async def bank(office: Office, chance: random.Random, ids: list[str], wanted: dict[str, str]) -> None:
    """The banks at the other end decide about what is on its way."""
    for id in ids:
        for made in await office.at_provider(id):
            end = wanted.setdefault(id, chance.choice(list(ENDS)))
            for state in ENDS[end]:
                if made["state"] != end:
                    await office.shop.control("POST", f"/v1/payouts/{made['id']}/settle", {"state": state})


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_storm(office: Office, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Answers lost, calls refused, webhooks twice or never, taken back and voided meanwhile; then it is quiet."""
    monkeypatch.setattr(balances, "ON_ITS_WAY_S", 0.0)
    chance, ids, wanted = random.Random(seed), [], dict[str, str]()
    await office.earn(170_000)
    for _ in range(40):
        await disturb(office, chance, ids)
    await office.shop.mischief()
    states: dict[str, Any] = {}
    async with asyncio.timeout(60):
        while not states or {"requested", "sending"} & set(states.values()):
            await bank(office, chance, ids, wanted)
            await office.work()
            states = {id: (await office.payout(id))["state"] for id in ids}
    await bank(office, chance, ids, wanted)
    await office.work()
    assert ids
    for id in ids:
        made, state = await office.at_provider(id), (await office.payout(id))["state"]
        assert len(made) <= 1
        assert state == (made[0]["state"] if made else state)
        assert made or state in ("cancelled", "voided")
    await office.shop.proved()
    assert (await compared(office))["agrees"]
