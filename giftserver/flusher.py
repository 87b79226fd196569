"""The flusher process: event streams → PostgreSQL, `settled` to senders, and gifts that no web process showed."""

import asyncio
import contextlib
import signal
from importlib.resources import files
from typing import Any

import structlog
from prometheus_client import start_http_server
from redis.exceptions import RedisError

from giftserver.app import open_history
from giftserver.durable.flusher import Flusher
from giftserver.durable.intake import FlushedGift
from giftserver.durable.metrics import PrometheusFlushMetrics
from giftserver.engines import Engines, open_engines
from giftserver.gifts.catalog import load_catalog
from giftserver.gifts.catchup import CatchUp
from giftserver.gifts.notices import GiftsSettled, send_notice
from giftserver.metrics import Metrics
from giftserver.settings import Settings

log = structlog.get_logger()


async def flush(settings: Settings, engines: Engines, stop: asyncio.Event) -> None:
    """Flush and catch up until `stop`; what is under way is finished."""
    metrics = Metrics()
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.host, metrics.registry)

    async def tell_senders(shard: int, gifts: list[FlushedGift]) -> None:
        transfers: dict[str, list[str]] = {}
        for gift in gifts:
            transfers.setdefault(gift.event.sender, []).append(gift.transfer)
        with contextlib.suppress(RedisError, OSError):  # a hint: clients can ask for the state
            await send_notice(engines.rooms_redis, GiftsSettled(transfers))

    flusher = Flusher(
        engines.database, engines.ledger_redis, PrometheusFlushMetrics(metrics.registry), on_flushed=tell_senders
    )
    redis: Any = engines.ledger_redis
    advance = redis.register_script((files("giftserver.ledger") / "scripts" / "advance_mark.lua").read_text())
    catch_up = CatchUp(
        engines.ledger_redis,
        open_history(settings, engines.rooms_redis),
        load_catalog(),
        advance,
        metrics.announced.labels("flusher").inc,
    )
    behind = asyncio.create_task(catch_up.run(stop), name="catch up")
    flushing = asyncio.create_task(flusher.run(), name="flusher")
    await stop.wait()
    flusher.stop()
    await asyncio.gather(behind, flushing, return_exceptions=True)


def run(settings: Settings) -> None:
    """Run the flusher until SIGTERM or SIGINT. The engine URLs must be set."""
    run_until_signal(settings, flush)


def run_until_signal(settings: Settings, work: Any, *, keeps_limits: bool = False) -> None:
    """Run `work(settings, engines, stop)` on an event loop whose SIGTERM and SIGINT set `stop`."""

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with open_engines(settings, keeps_limits=keeps_limits) as engines:
            await work(settings, engines, stop)

    asyncio.run(main())
