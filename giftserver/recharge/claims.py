"""Takes claims from step to step: holds, freezes, and books how they end. Every step may be repeated."""

from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.claim_booking import freeze, lose, win
from giftserver.durable.claims import ClaimRecord, begin, due_claims, want
from giftserver.durable.holds import mark_state, pending_states
from giftserver.durable.store import flush_cursors, wallet_snapshot
from giftserver.failpoints import failpoint
from giftserver.ledger.keys import shard_of
from giftserver.ledger.wallets import Wallets
from giftserver.metrics import Metrics
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.provider import ProviderAway, ProviderRefused

log = structlog.get_logger()

PAGE: Final = 50
STATES_MAX: Final = 500


class ClaimKeeper:
    """Brings holds to Redis, and moves claims that stand elsewhere than they should; one holds up no other."""

    def __init__(self, database: AsyncEngine, wallets: Wallets, inquiry: Inquiry, metrics: Metrics) -> None:
        self._database, self._wallets, self._inquiry, self._metrics = database, wallets, inquiry, metrics

    async def step(self) -> int:
        """One round; how many wallets and claims moved. Raises the driver's errors when PostgreSQL is away."""
        moved = await self._bring_states()
        for due in await due_claims(self._database, PAGE):
            try:
                if await self._move(due):
                    moved += 1
                    failpoint("claim.after_move")
            except (ProviderAway, ProviderRefused) as problem:
                log.warning("claim_waits", claim=due.id, reason=str(problem))
            except IntegrityError as problem:
                log.error("claim_not_booked", claim=due.id, error=str(problem.orig).splitlines()[0])
        return moved

    async def _bring_states(self) -> int:
        brought = 0
        for pending in await pending_states(self._database, STATES_MAX):
            last = await self._wallets.set_state(pending.user, pending.number, held=pending.held)
            if last is not None:
                await mark_state(self._database, pending.user, pending.number)
                brought += 1
        return brought

    async def _move(self, due: ClaimRecord) -> bool:
        match due.state:
            case "waiting":
                await begin(self._database, due)
            case "holding":
                if not await self._is_still(due):
                    return False
                taken = await freeze(self._database, due)
                log.info("claim_frozen", claim=due.id, payment=due.payment, coins=taken)
            case "frozen" if due.wanted == "lost":
                await lose(self._database, due)
                log.warning("claim_lost", claim=due.id, payment=due.payment, kind=due.kind)
            case "frozen" if due.wanted == "open":
                await self._pay(due)
            case _:
                await win(self._database, due)
                log.info("claim_won", claim=due.id, payment=due.payment, kind=due.kind)
        return True

    async def _is_still(self, due: ClaimRecord) -> bool:
        """Whether the wallet is on hold in Redis, and PostgreSQL has every gift from before that."""
        shard = shard_of(due.user)
        stood = (await wallet_snapshot(self._database, [due.user], shard)).wallets[due.user]
        if not stood.held:
            return False
        last = await self._wallets.set_state(due.user, stood.state_no, held=True)
        if last is None:
            return False
        _, flushed = (await flush_cursors(self._database))[shard]
        return last <= flushed

    async def _pay(self, due: ClaimRecord) -> None:
        """Have a refund paid whose coins are frozen, under the claim's id; the provider's answer decides the claim.

        What was spent is not given back: such a refund ends unpaid.
        """
        if due.frozen_coins < due.coins:
            log.warning("refund_of_spent_coins", claim=due.id, payment=due.payment)
            await want(self._database, due.id, "won")
            return
        provider = self._inquiry.providers[due.provider]
        try:
            paid = await provider.refund(due.provider_ref, due.amount_minor, due.id)
        except ProviderRefused as problem:
            log.error("refund_refused", claim=due.id, reason=str(problem))
            paid = False
        await want(self._database, due.id, "lost" if paid else "won")
