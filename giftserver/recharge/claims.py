"""Takes claims from step to step: holds, freezes, and books how they end. Every step may be repeated."""

from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.claim_booking import freeze, lose, win
from giftserver.durable.claims import (
    ClaimRecord,
    begin,
    claimed_beside,
    decide_refund,
    due_claims,
    give_up,
    hold_is_coming,
    put_off,
)
from giftserver.durable.holds import PendingState, mark_state, pending_states
from giftserver.durable.payments import payment_by_id
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
STILL_S, FAILED_S, PROVIDER_S = 0.2, 5.0, 30.0
"""After so long a claim is looked at again: the book lacks gifts, something failed, its provider has no answer."""


class ClaimKeeper:
    """Brings holds to Redis, and moves claims that stand elsewhere than they should; one holds up no other."""

    def __init__(self, database: AsyncEngine, wallets: Wallets, inquiry: Inquiry, metrics: Metrics) -> None:
        self._database, self._wallets, self._inquiry, self._metrics = database, wallets, inquiry, metrics

    async def step(self) -> int:
        """One round; how many wallets and claims moved. Raises the driver's errors when PostgreSQL is away."""
        moved = await self._bring_states()
        for due in await due_claims(self._database, PAGE):
            try:
                wait_s = await self._move(due)
                failpoint("claim.after_move")
            except (ProviderAway, ProviderRefused) as problem:
                log.warning("claim_waits", claim=due.id, reason=str(problem))
                wait_s = PROVIDER_S
            except Exception as problem:  # whatever one claim meets, the others go on
                log.error("claim_not_moved", claim=due.id, error=type(problem).__name__)
                wait_s = FAILED_S
            if wait_s:
                await put_off(self._database, due.id, wait_s)
            else:
                moved += 1
        return moved

    async def _bring_states(self) -> int:
        brought = 0
        for pending in await pending_states(self._database, STATES_MAX):
            try:
                brought += await self._bring_state(pending)
            except Exception as problem:  # of one wallet, or of its server
                log.warning("hold_waits", error=type(problem).__name__)
        return brought

    async def _bring_state(self, pending: PendingState) -> bool:
        # Coins that were frozen leave the wallet before it may be spent from again.
        if not pending.held and await self._wallets.bring_credits(pending.user) is None:
            return False
        if await self._wallets.set_state(pending.user, pending.number, held=pending.held) is None:
            return False
        await mark_state(self._database, pending.user, pending.number)
        return True

    async def _move(self, due: ClaimRecord) -> float:
        """Take a claim one step further; seconds to wait when it cannot move now."""
        match due.state:
            case "waiting" | "holding" if due.wanted == "won":
                await give_up(self._database, due)
            case "waiting":
                await begin(self._database, due)
            case "holding":
                taken = await freeze(self._database, due) if await self._is_still(due) else None
                if taken is None:
                    return STILL_S
                log.info("claim_frozen", claim=due.id, payment=due.payment, coins=taken)
            case "frozen" if due.wanted == "lost":
                await lose(self._database, due)
                log.warning("claim_lost", claim=due.id, payment=due.payment, kind=due.kind)
            case "frozen" if due.wanted == "open":
                await self._pay(due)
            case _:
                if await hold_is_coming(self._database, due):
                    return STILL_S
                await win(self._database, due)
                log.info("claim_won", claim=due.id, payment=due.payment, kind=due.kind)
        return 0.0

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

        What was spent is not given back, nor what is claimed otherwise by now: such a refund ends unpaid.
        """
        beside = await claimed_beside(self._database, due)
        if due.frozen_coins < due.coins or due.amount_minor + beside > due.paid_minor:
            log.warning("refund_not_paid", claim=due.id, payment=due.payment, claimed_beside=beside)
            await self._decide(due, paid=False)
            return
        provider = self._inquiry.providers.get(due.provider)
        if provider is None:
            raise ProviderAway(f"there is no {due.provider} here")
        try:
            paid = await provider.refund(due.provider_ref, due.amount_minor, due.id)
        except ProviderRefused as problem:
            log.error("refund_refused", claim=due.id, reason=str(problem))
            paid = False
        await self._decide(due, paid=paid)

    async def _decide(self, due: ClaimRecord, *, paid: bool) -> None:
        """Whatever the provider gave back beside this refund is a claim before this one's coins come back."""
        await decide_refund(self._database, due, "lost" if paid else "won")
        payment = await payment_by_id(self._database, due.payment)
        assert payment is not None
        try:
            await self._inquiry.about(payment, "reconciler")
        except (ProviderAway, ProviderRefused) as problem:  # the reconciler asks again
            log.warning("payment_not_asked", payment=due.payment, reason=str(problem))
