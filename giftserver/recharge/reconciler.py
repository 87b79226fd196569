"""Asks providers about payments that nothing was heard of: webhooks may be lost, late, or never sent."""

from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payments import open_payments, paid_uncredited, payments_to_ask_again, put_off_asking
from giftserver.metrics import Metrics
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.provider import ProviderAway, ProviderRefused

log = structlog.get_logger()

PAGE: Final = 50
AWAY_S: Final = 60.0
"""A provider that gave no answer about a credited payment is asked again after so long."""

UNCREDITED_S: Final = 300
"""Paid for so long and not credited is an alarm."""


class Reconciler:
    """Open payments are asked about when nothing was heard for `quiet_s`, credited ones ever more rarely."""

    def __init__(self, database: AsyncEngine, inquiry: Inquiry, metrics: Metrics, quiet_s: float) -> None:
        self._database, self._inquiry, self._metrics, self._quiet_s = database, inquiry, metrics, quiet_s

    async def step(self) -> int:
        """Ask about some; how many changed by it. Raises the driver's errors when PostgreSQL is away."""
        changed = 0
        asked = await open_payments(self._database, self._quiet_s, PAGE)
        again = await payments_to_ask_again(self._database, PAGE)
        for payment in [*asked, *again]:
            try:
                done = await self._inquiry.about(payment, "reconciler")
            except (ProviderAway, ProviderRefused) as problem:
                log.warning("payment_not_asked", payment=payment.id, reason=str(problem))
                if payment in again and isinstance(problem, ProviderAway):
                    await put_off_asking(self._database, payment.id, AWAY_S)
                continue
            except IntegrityError as problem:
                log.error("payment_not_booked", payment=payment.id, error=str(problem.orig).splitlines()[0])
                continue
            changed += done is not None and done.changed
        self._metrics.paid_uncredited.set(await paid_uncredited(self._database, UNCREDITED_S))
        return changed
