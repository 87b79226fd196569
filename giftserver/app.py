"""The composition root: settings and engines in, a Starlette application out."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from giftserver.auth.session_ends import SessionEnds
from giftserver.auth.tickets import Tickets
from giftserver.auth.tokens import TokenVerifier
from giftserver.away import DATABASE_ERRORS
from giftserver.cluster.pipe import Pipes
from giftserver.conduct import Conduct
from giftserver.durable.same_limits import limits_that_differ
from giftserver.durable.session_ends import sessions_ended
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import ROOMS_TIMEOUT_S, Engines
from giftserver.gifts.announce import Announcer
from giftserver.gifts.catalog import load_catalog
from giftserver.gifts.inbox import Inbox
from giftserver.gifts.notices import listen
from giftserver.gifts.presenter import Presenter
from giftserver.gifts.rooms import RoomDirectory
from giftserver.gifts.service import GiftService
from giftserver.in_flight import InFlight
from giftserver.ledger.ledger import Ledger
from giftserver.limits.service import SpendingLimits
from giftserver.metrics import Metrics
from giftserver.people import People
from giftserver.receipts.keys import ReceiptKeys
from giftserver.recharge.payouts import Payouts
from giftserver.recharge.providers import open_providers
from giftserver.recharge.service import Recharges
from giftserver.rules.addresses import OrderAllowance
from giftserver.services import Services
from giftserver.settings import Settings
from giftserver.web.api import middleware, routes
from giftserver.web.socket import room_socket
from rooms.admission import Admission
from rooms.bus import Bus
from rooms.codes import BAD_TOKEN
from rooms.history import Call, History
from rooms.hub import Hub
from rooms.pings import PingWheel

log = structlog.get_logger()

WATCHING = ("viewer", "moderator", "admin")
WHOLE = ("creator", "overlay", "admin")
"""Roles that are shown every gift, however many there are."""


def open_history(settings: Settings, rooms_redis: Redis, call: Call | None = None) -> History:
    """Room histories as the settings say."""
    return History(
        rooms_redis,
        combo_window_ms=settings.combo_window_ms,
        history_events=settings.history_events,
        ttl_s=settings.history_ttl_s,
        call=call,
    )


def build_people(settings: Settings) -> People:
    """Who is connected, with the limits of the settings."""
    return People(
        sockets_per_user=settings.sockets_per_user,
        sockets_per_address=settings.sockets_per_address,
        gifts_per_s=settings.gifts_per_s,
    )


def build_hub(
    settings: Settings, engines: Engines, history: History, presenter: Presenter, catalog_version: int, metrics: Metrics
) -> Hub:
    """The rooms of one process."""
    return Hub(
        history,
        lambda on_reconnect: Bus(engines.rooms_redis, on_reconnect),
        presenter,
        process=f"{os.getpid()}-{secrets.token_hex(4)}",
        tick_s=settings.tick_ms / 1_000,
        share=settings.fanout_share,
        heartbeat_s=settings.heartbeat_s,
        presence_s=settings.presence_s,
        catalog_version=catalog_version,
        watching=WATCHING,
        whole=WHOLE,
        on_rooms=metrics.rooms.set,
    )


def build_services(settings: Settings, engines: Engines) -> Services:
    """Put the parts of a web process together; nothing is connected yet."""
    metrics = Metrics()
    catalog = load_catalog()
    ledger = Ledger(
        engines.ledger_redis,
        DurableWallets(engines.database),
        backlog_max=settings.backlog_max,
        timeout_s=settings.ledger_timeout_s,
        day_coins_max=settings.limit_day_coins,
        on_batch=metrics.batch,
    )
    pipes = Pipes(engines.rooms_redis, ROOMS_TIMEOUT_S)
    history = open_history(settings, engines.rooms_redis, lambda room, *command: pipes.call(hash(room), *command))
    rooms = RoomDirectory(engines.database, engines.rooms_redis, engines.ledger_redis)
    presenter = Presenter(rooms, history, settings.small_below_coins)
    announcer = Announcer(history, metrics.announced.labels("web").inc, metrics.announce_failures.inc)
    hub = build_hub(settings, engines, history, presenter, catalog.version, metrics)
    people = build_people(settings)
    providers = open_providers(settings)
    limits = SpendingLimits(engines.database, ledger.wallets, settings.limit_day_coins, settings.minors)
    session_ends = SessionEnds(partial(sessions_ended, engines.database))
    session_ends.on_end = lambda user: people.close(user, BAD_TOKEN)
    return Services(
        settings=settings,
        database=engines.database,
        ledger_redis=engines.ledger_redis,
        rooms_redis=engines.rooms_redis,
        ledger=ledger,
        gifts=GiftService(catalog, rooms, ledger, announcer, engines.database, metrics, limits.too_young),
        catalog=catalog,
        rooms=rooms,
        hub=hub,
        admission=Admission(settings.accepts_per_s),
        wheel=PingWheel(),
        history=history,
        room_pipes=pipes,
        presenter=presenter,
        people=people,
        conduct=Conduct(settings.sockets_per_user, settings.offender_wait_s),
        announcer=announcer,
        verifier=TokenVerifier(settings, session_ends.ended),
        tickets=Tickets(engines.rooms_redis),
        session_ends=session_ends,
        receipts=ReceiptKeys.of(settings),
        recharges=Recharges(
            engines.database,
            providers,
            settings.base_url,
            (settings.limit_day_coins, settings.limit_first_day_coins),
        ),
        payouts=Payouts(engines.database, engines.ledger_redis, providers),
        limits=limits,
        order_allowance=OrderAllowance(settings.orders_per_address),
        metrics=metrics,
        in_flight=InFlight(),
    )


async def tell_other_limits(database: AsyncEngine) -> None:
    """Log which limits another process keeps otherwise; it may be one that is just being replaced, so both go on."""
    with contextlib.suppress(*DATABASE_ERRORS):  # while it is away, /readyz asks again
        for difference in await limits_that_differ(database):
            log.error("limits_differ", fix=difference)


def create_app(settings: Settings, engines: Engines) -> Starlette:
    """The web application of one process. The engines stay the caller's."""
    services = build_services(settings, engines)
    inbox = Inbox(services.rooms, services.hub, services.people, services.session_ends)

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        await services.hub.start()
        services.ledger.start()
        await listen(services.hub.bus, inbox.take)
        telling = asyncio.create_task(tell_other_limits(services.database), name="limits of others")
        try:
            async with services.session_ends.running():
                yield
        finally:
            telling.cancel()
            # Their sockets are gone; what is decided is booked, and told when it is asked for again.
            await services.in_flight.wait(settings.drain_s)
            await services.ledger.close()
            await services.announcer.close()
            await services.room_pipes.close()
            await services.recharges.close()
            await services.hub.stop()
            services.wheel.stop()
            services.metrics.hand_over()

    app = Starlette(
        routes=[WebSocketRoute("/v1/rooms/{room}/ws", room_socket), *routes(settings)],
        middleware=middleware(settings),
        lifespan=lifespan,
    )
    app.state.services = services
    return app
