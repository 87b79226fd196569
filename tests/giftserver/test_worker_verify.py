"""The worker proves the ledger on a schedule, beside its other work."""

import asyncio

from structlog.testing import capture_logs

from giftserver.engines import Engines
from giftserver.settings import Settings
from giftserver.worker import work


async def events_of(settings: Settings, engines: Engines, until: str) -> list[str]:
    """Names of the log events of a worker that runs until one of them was written."""
    stop = asyncio.Event()
    with capture_logs() as lines:
        task = asyncio.create_task(work(settings, engines, stop))
        async with asyncio.timeout(20):
            while until not in [line["event"] for line in lines]:
                assert not task.done()
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(task, 10)
        return [line["event"] for line in lines]


async def test_the_worker_verifies(settings: Settings, engines: Engines) -> None:
    """Every `verify_every_s`; an empty ledger holds."""
    events = await events_of(settings.model_copy(update={"verify_every_s": 0.05}), engines, "verify_finished")
    assert "verify_violated" not in events
