"""A worker that dies while it sends: the next one finds out what became of it, and there is one payout."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from giftserver.durable.payout_moves import due_payouts
from giftserver.durable.verify import verify
from tests.giftserver.payouts.office import Office
from tests.giftserver.shop import SECRET, WEBHOOK_SECRET

START_S = 30


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    """Return when the condition holds; fails at the deadline."""
    async with asyncio.timeout(START_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def start(office: Office, failpoints: str = "") -> asyncio.subprocess.Process:
    """A worker on the office's engines and its sandbox."""
    settings = office.shop.web.settings
    names = ("ledger_redis_url", "rooms_redis_url", "database_url")
    environment = os.environ | {f"GIFTSERVER_{name.upper()}": str(getattr(settings, name)) for name in names}
    environment |= {
        "GIFTSERVER_FAILPOINTS": failpoints, "GIFTSERVER_VERIFY_EVERY_S": "0", "GIFTSERVER_PAYMENTS": "sandbox",
        "GIFTSERVER_SANDBOX_URL": office.shop.stage.url, "GIFTSERVER_SANDBOX_SECRET": SECRET,
        "GIFTSERVER_SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET, "GIFTSERVER_PUBLIC_URL": str(settings.public_url),
    }  # fmt: skip
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "giftserver", "worker", env=environment, stdout=asyncio.subprocess.DEVNULL
    )


@pytest.mark.parametrize(("failpoint", "made"), [("payout.after_sending", 0), ("payout.after_answer", 1)])
async def test_a_worker_that_dies_while_it_sends(office: Office, failpoint: str, made: int) -> None:
    """Before the provider was asked, or after it answered: the payout is sent once, and paid once."""
    id = await office.asked()
    worker = await start(office, failpoint)
    async with asyncio.timeout(START_S):
        assert await worker.wait() == -signal.SIGKILL
    assert (await office.payout(id))["state"] == "sending"
    assert len(await office.at_provider(id)) == made
    await office.sql("UPDATE payout SET ask_at = now()")  # the time that was the dead worker's is over
    worker = await start(office)
    try:
        await until(partial(office.at_provider, id))
        await office.settle(id, "paid")

        async def paid() -> bool:
            return (await office.payout(id))["state"] == "paid"

        await until(paid)
    finally:
        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(START_S):
            await worker.wait()
    assert len(await office.at_provider(id)) == 1
    assert await office.balances() == (20_000, 0, 10_000)
    engines = office.shop.web.engines
    report = await verify(engines.database, engines.ledger_redis)
    assert report.holds, report.render()


async def test_nobody_else_looks_while_somebody_may(office: Office) -> None:
    """What was given to a worker is another's only once its time is over."""
    database, id = office.shop.web.engines.database, await office.asked()
    (given,) = await due_payouts(database, 10, 60.0)
    assert given.id == id
    assert await due_payouts(database, 10, 60.0) == []
    await office.sql("UPDATE payout SET ask_at = ask_at - interval '60 seconds'")
    assert len(await due_payouts(database, 10, 60.0)) == 1
