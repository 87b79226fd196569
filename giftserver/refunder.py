"""Gives back gifts that came after their room had closed, and says so to those it concerns."""

import contextlib
from functools import partial

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import IntegrityError

from giftserver.durable.closings import time_closings
from giftserver.durable.refunds import PAGE, Refund, due_refunds, refund_gift
from giftserver.engines import Engines
from giftserver.failpoints import failpoint
from giftserver.gifts.notices import GiftRefunded, send_notice
from giftserver.ledger.clock import latest_ms
from giftserver.metrics import Metrics
from rooms.history import History

log = structlog.get_logger()


class Refunder:
    """One refund a transaction; one that PostgreSQL refuses stays due and holds up no other."""

    def __init__(self, engines: Engines, history: History, metrics: Metrics) -> None:
        self._engines, self._history, self._metrics = engines, history, metrics
        self._after = 0
        self._refused: set[int] = set()
        self._refused_now: set[int] = set()

    async def step(self) -> int:
        """Give back a page of what is due; how many. Raises the drivers' errors when PostgreSQL is away."""
        with contextlib.suppress(RedisError, OSError):  # the moment is written down when the clock can be asked
            await time_closings(self._engines.database, partial(latest_ms, self._engines.ledger_redis))
        gifts = await due_refunds(self._engines.database, self._after)
        self._after = gifts[-1] if len(gifts) == PAGE else 0
        done = 0
        for gift in gifts:
            try:
                refund = await refund_gift(self._engines.database, gift)
            except IntegrityError as problem:
                self._refused_now.add(gift)
                if gift not in self._refused:
                    log.error("refund_refused", gift=gift, error=str(problem.orig).splitlines()[0])
                continue
            failpoint("refund.after_commit")
            if refund is not None:
                done += 1
                await self._tell(refund)
        self._metrics.refunds.inc(done)
        if not self._after:  # all that is due was looked at
            self._refused, self._refused_now = self._refused_now, set()
            self._metrics.refunds_refused.set(len(self._refused))
        return done

    async def _tell(self, refund: Refund) -> None:
        log.info("gift_refunded", transfer=refund.transfer, gift=refund.gift, room=refund.room, reason=refund.reason)
        told = GiftRefunded(refund.sender, refund.room, refund.gift, refund.coins, refund.diamonds, refund.reason)
        with contextlib.suppress(RedisError, OSError):  # for the eye: the statement says it too
            await self._history.retract(refund.room, refund.sender, refund.coins)
            await send_notice(self._engines.rooms_redis, told)
