"""Sharded pub/sub between processes: one message per room per process, never per viewer."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()

Handler = Callable[[bytes], None]
SUBSCRIBE_TIMEOUT_S: Final = 5.0
PING_S: Final = 5.0
BACKOFF_MAX_S: Final = 2.0


class Bus:
    """Delivers what is published on channels to handlers, in order, on the loop it was started on.

    Delivery is at most once; `on_reconnect` is called after the connection was lost, so that users heal from history.
    """

    def __init__(self, redis: Redis, on_reconnect: Callable[[], None]) -> None:
        self._redis: Any = redis
        self._on_reconnect = on_reconnect
        self._handlers: dict[str, Handler] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._pubsub: Any = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._stopped = False

    async def start(self) -> None:
        """Begin to listen; returns at once."""
        self._task = asyncio.create_task(self._run(), name="bus")

    async def stop(self) -> None:
        """Stop listening and let the connection go."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def subscribe(self, channel: str, handler: Handler) -> None:
        """Deliver the channel to the handler; returns when Redis confirmed it.

        Raises TimeoutError when Redis does not answer in SUBSCRIBE_TIMEOUT_S; the subscription is then dropped.
        """
        self._handlers[channel] = handler
        confirmed = self._confirmed[channel] = asyncio.Event()
        self._wake.set()
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                if self._pubsub is not None:
                    try:
                        await self._pubsub.ssubscribe(channel)
                    except (RedisError, OSError):
                        log.warning("bus_subscribe_failed", channel=channel)
                await confirmed.wait()
        except BaseException:
            self._handlers.pop(channel, None)
            self._confirmed.pop(channel, None)
            raise

    def redirect(self, channel: str, handler: Handler) -> None:
        """Deliver a subscribed channel to another handler from now on."""
        if channel in self._handlers:
            self._handlers[channel] = handler

    async def unsubscribe(self, channel: str) -> None:
        """Stop delivering the channel."""
        self._handlers.pop(channel, None)
        self._confirmed.pop(channel, None)
        if self._pubsub is not None:
            try:
                await self._pubsub.sunsubscribe(channel)
            except (RedisError, OSError):
                log.warning("bus_unsubscribe_failed", channel=channel)

    async def _run(self) -> None:
        attempt = 0
        first = True
        while not self._stopped:
            if not self._handlers:
                self._wake.clear()
                await self._wake.wait()
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.ssubscribe(*self._handlers)
                    self._pubsub = pubsub
                    if not first:
                        self._on_reconnect()
                    first, attempt = False, 0
                    await self._listen(pubsub)
            except (RedisError, OSError) as problem:
                log.warning("bus_disconnected", error=type(problem).__name__)
            finally:
                self._pubsub = None
            attempt += 1
            await asyncio.sleep(random.uniform(0, min(BACKOFF_MAX_S, 0.05 * 2**attempt)))

    async def _listen(self, pubsub: Any) -> None:
        silent = False
        while not self._stopped:  # a client library may swallow the cancellation that stop() sends
            message = await pubsub.get_message(timeout=PING_S)
            if message is None:
                if silent:
                    raise ConnectionError("the bus did not answer a ping")
                silent = True
                await pubsub.ping()
                continue
            silent = False
            kind, channel = message["type"], message["channel"]
            name = channel.decode() if isinstance(channel, bytes) else channel
            if kind == "ssubscribe":
                if name in self._confirmed:
                    self._confirmed[name].set()
            elif kind == "smessage" and name in self._handlers:
                self._handlers[name](message["data"])
