"""Payouts: money that the merchant sends to somebody, which arrives, never arrives, or comes back."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

import msgspec

from giftserver.sandbox.background import Background
from giftserver.sandbox.bodies import NewPayout
from giftserver.sandbox.book import Book, key_line
from giftserver.sandbox.config import SandboxConfig
from giftserver.sandbox.mischief import Mischief
from giftserver.sandbox.objects import KeptPayout, Payout, PayoutKind, PayoutState, Refused, new_id
from giftserver.sandbox.receivers import STEP_S, fate_of

MOVES: Final[Mapping[PayoutState, tuple[PayoutState, ...]]] = MappingProxyType(
    {"pending": ("paid", "failed"), "paid": ("returned",)}
)
"""Where a payout can go from where it is."""

REASONS: Final[Mapping[PayoutState, str]] = MappingProxyType({"failed": "account_closed", "returned": "sent_back"})

_PATH: Final = "payouts"


class Payouts:
    """Makes payouts, and moves them as their addresses say or as tests do."""

    def __init__(self, config: SandboxConfig, book: Book, background: Background) -> None:
        self._config, self._book, self._background = config, book, background

    def resume(self) -> None:
        """Go on with payouts that move by themselves; after a start."""
        for kept in self._book.payouts:
            self._wait(kept)

    def make(self, key: str, body: NewPayout) -> KeptPayout | Refused:
        """A new payout; the same key and body give the same one, whatever its description and webhook are now."""
        same = msgspec.structs.replace(body, description="", webhook_url="")
        made = self._book.used(key, _PATH, same)
        if isinstance(made, Refused):
            return made
        if made is not None and (known := self._book.payout(made)) is not None:
            return known
        if self._book.full:
            return Refused(503, "full", "The sandbox holds no more payouts: start it with a new journal.")
        new = self._new(body)
        kept = self._book.change_payout(new, "payout.pending", key_line(key, _PATH, same, new.id))
        self._wait(kept)
        return kept

    def settle(self, id: str, state: PayoutState) -> Payout | Refused:
        """Move a payout on, as its receiver's bank would; a second time changes nothing."""
        kept = self._book.payout(id)
        if kept is None:
            return Refused(404, "not_found", "There is no such payout.")
        now = kept.payout.state
        if state == now:
            return kept.payout
        if state not in MOVES.get(now, ()):
            return Refused(409, "wrong_state", f"A payout that is {now} cannot become {state}.")
        return self._move(kept, state).payout

    def _new(self, body: NewPayout) -> KeptPayout:
        now_ms, mischief = self._book.clock(), self._book.mischief
        payout = Payout(
            id=new_id("po_"), payout=body.payout, amount_minor=body.amount_minor + int(mischief.wrong_amount),
            currency=_currency(body.currency, mischief), address=body.address, description=body.description,
            state="pending", reason=None, live=self._config.live != mischief.test_event_in_live,
            created_ms=now_ms, updated_ms=now_ms,
        )  # fmt: skip
        return KeptPayout(
            payout=payout, number=len(self._book.payouts), webhook_url=body.webhook_url, mischief=mischief,
            fetches_to_fail=mischief.fetch_fails,
        )  # fmt: skip

    def _move(self, kept: KeptPayout, state: PayoutState) -> KeptPayout:
        kind = cast(PayoutKind, f"payout.{state}")
        moved = self._book.change_payout(kept, kind, state=state, reason=REASONS.get(state))
        self._wait(moved)
        return moved

    def _wait(self, kept: KeptPayout) -> None:
        fate = fate_of(kept.payout.address)
        state = fate.after(kept.payout.state)
        if state is not None:
            wait_s = STEP_S * self._config.retry_scale + fate.slow_s + kept.mischief.payouts_slow_s
            self._background.start(self._later(kept, state, kept.payout.updated_ms + round(wait_s * 1_000)))

    async def _later(self, before: KeptPayout, state: PayoutState, at_ms: int) -> None:
        await asyncio.sleep(max(0, at_ms - self._book.clock()) / 1_000)
        kept = self._book.payout(before.id)
        if kept is not None and kept.payout.state == before.payout.state:  # nobody moved it meanwhile
            self._move(kept, state)


def _currency(currency: str, mischief: Mischief) -> str:
    if not mischief.wrong_currency:
        return currency
    return "USD" if currency == "EUR" else "EUR"
