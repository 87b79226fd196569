"""`giftserver explain`: an account in words or for programs, and a sentence when there is none."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from giftserver.ledger import keys
from giftserver.settings import Settings
from tests.giftserver.conftest import Web
from tests.giftserver.test_cli import giftserver, sentence


async def run(settings: Settings, *arguments: str) -> Any:
    """The command in a process of its own on the test's engines."""
    names = ("ledger_redis_url", "rooms_redis_url", "database_url")
    environment = {f"GIFTSERVER_{name.upper()}": str(getattr(settings, name)) for name in names}
    return await asyncio.to_thread(giftserver, "explain", *arguments, folder=settings.data_dir, **environment)


async def test_an_account_is_explained(web: Web, new_key: Callable[[], str]) -> None:
    """Status 0 when it adds up; --last and --json as documented."""
    await web.give_coins("ana", 100)
    key = new_key()
    await web.send_gift("ana", key)
    await web.settle()
    await web.send_gift("ana", new_key())
    done = await run(web.settings, "ana")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wallet:ana, in coins\n")
    assert key in done.stdout
    assert "gifts accepted, not yet booked: 1, -1" in done.stdout
    assert done.stdout.splitlines()[-1] == "It adds up: 99 booked - 1 in gifts not yet booked = 98 in Redis."
    done = await run(web.settings, "ana", "--json", "--last", "1")
    answer = json.loads(done.stdout)
    assert (answer["adds_up"], answer["expected_in_redis"]) == (True, 98)
    assert [line["reference"] for line in answer["explanation"]["lines"]] == [key]


async def test_status_1_when_it_does_not_add_up_or_is_not_there(web: Web, new_key: Callable[[], str]) -> None:
    """An account that was never there is a sentence with the way out; a wrong one is told in full."""
    await web.give_coins("ana", 100)
    await web.send_gift("ana", new_key())
    await web.engines.ledger_redis.hincrby(keys.wallet(keys.shard_of("ana"), "ana"), "coins", 1)
    done = await run(web.settings, "ana")
    assert done.returncode == 1
    assert "It does NOT add up" in done.stdout.splitlines()[-1]
    for account, said in (
        ("mira", "earnings:mira"), ("earnings:zoe", "no gift"), ("platform:x", "platform:gifts_spent"),
    ):  # fmt: skip
        done = await run(web.settings, account)
        assert done.returncode == 1
        assert said in sentence(done)
