"""A session's way: opened by the merchant, paid, declined, cancelled or expired by the customer and by time."""

import asyncio
from typing import Any, Final

import msgspec

from giftserver.sandbox.background import Background
from giftserver.sandbox.bodies import NewDispute, NewSession
from giftserver.sandbox.book import Book, key_line
from giftserver.sandbox.cards import Card
from giftserver.sandbox.claims import Claims
from giftserver.sandbox.config import SandboxConfig
from giftserver.sandbox.mischief import Mischief
from giftserver.sandbox.objects import Kept, Method, Refused, Session, new_id

ATTEMPTS_MAX: Final = 5
OPEN: Final = ("pending", "requires_action")
NOT_FOUND: Final = Refused(404, "not_found", "There is no such session.")

_SESSIONS_PATH: Final = "sessions"


class Checkout:
    """Moves sessions. What cannot be done in the present state is a refusal, or leaves the session as it is."""

    def __init__(self, config: SandboxConfig, book: Book, claims: Claims, background: Background) -> None:
        self._config, self._book, self._claims, self._background = config, book, claims, background
        self._last_four: Final[dict[str, str]] = {}

    def resume(self) -> None:
        """Go on waiting for bank transfers that settle by themselves; after a start."""
        for kept in self._book.sessions:
            if kept.settle_at_ms is not None and kept.session.state == "authorised":
                self._background.start(self._settle_later(kept.id, kept.settle_at_ms))

    def current(self, id: str) -> Kept | Refused:
        """The session as it is now: one whose time is over expires when it is looked at."""
        kept = self._book.session(id)
        if kept is None:
            return NOT_FOUND
        over = not kept.late and kept.session.state in OPEN and self._book.clock() >= kept.session.expires_ms
        return self._expire(kept) if over else kept

    def open(self, key: str, body: NewSession) -> tuple[Kept, bool] | Refused:
        """A new session and True; the same key and body give the same session, and False."""
        made = self._book.used(key, _SESSIONS_PATH, body)
        if isinstance(made, Refused):
            return made
        if made is not None:
            known = self.current(made)
            return known if isinstance(known, Refused) else (known, False)
        if self._book.full:
            return Refused(503, "full", "The sandbox holds no more sessions: start it with a new journal.")
        kept = self._new(body)
        self._book.keep(kept, key_line(key, _SESSIONS_PATH, body, kept.id))
        return kept, True

    def _new(self, body: NewSession) -> Kept:
        id, now_ms, mischief = new_id("cs_"), self._book.clock(), self._book.mischief
        session = Session(
            id=id,
            payment=body.payment,
            amount_minor=body.amount_minor,
            currency=body.currency,
            state="pending",
            method=None,
            decline=None,
            captured_minor=0,
            refunded_minor=0,
            disputes=[],
            refunds=[],
            live=self._claimed_live(mischief),
            url=f"{self._config.public_url.rstrip('/')}/pay/{id}",
            created_ms=now_ms,
            expires_ms=now_ms + body.expires_in_s * 1_000,
            updated_ms=now_ms,
        )
        return Kept(
            session=session,
            number=len(self._book.sessions),
            description=body.description,
            return_url=body.return_url,
            webhook_url=body.webhook_url,
            mischief=mischief,
            fetches_to_fail=mischief.fetch_fails,
        )

    def plague(self, kept: Kept, mischief: Mischief) -> None:
        """From now on this mischief for one session."""
        session = msgspec.structs.replace(kept.session, live=self._claimed_live(mischief))
        self._book.keep(kept.but(session=session, mischief=mischief, fetches_to_fail=mischief.fetch_fails))

    def payable(self, kept: Kept) -> bool:
        """Whether the customer can still pay."""
        state = kept.session.state
        return state in OPEN or (state == "expired" and kept.mischief.pay_after_expiry)

    def last_four(self, id: str) -> str | None:
        """Last digits of the card the bank asks about; known only in this process."""
        return self._last_four.get(id)

    def pay_by_card(self, kept: Kept, card: Card) -> Kept:
        """A payment, a decline, or the bank's question. The session must be payable."""
        outcome = card.outcome
        if outcome.secure:
            self._last_four[kept.id] = card.last_four
            asked = kept.but(after_secure=outcome.decline)
            return self._book.change(
                asked, "session.requires_action", state="requires_action", method="card", decline=None
            )
        if outcome.decline is not None:
            return self._decline(kept, "card", outcome.decline)
        paid = self._capture(kept, "card")
        if outcome.dispute is not None:
            self._claims.dispute(paid, NewDispute("fraudulent", state=outcome.dispute))
        return paid

    def answer_bank(self, kept: Kept, *, yes: bool) -> Kept:
        """The customer's answer to the bank. The session must require action."""
        self._last_four.pop(kept.id, None)
        if not yes:
            return self._decline(kept, "card", "authentication_failed")
        if kept.after_secure is not None:
            return self._decline(kept, "card", kept.after_secure)
        return self._capture(kept, "card")

    def pay_by_wallet(self, kept: Kept) -> Kept:
        """A payment at once. The session must be payable."""
        return self._capture(kept, "wallet")

    def pay_by_bank(self, kept: Kept) -> Kept:
        """The customer says the transfer is on its way. The session must be payable."""
        after_s = kept.mischief.settle_after_s
        if after_s is not None:
            at_ms = self._book.clock() + round(after_s * 1_000)
            kept = kept.but(settle_at_ms=at_ms)
            self._background.start(self._settle_later(kept.id, at_ms))
        return self._book.change(kept, "session.authorised", state="authorised", method="bank", decline=None)

    def settle(self, kept: Kept, *, bounced: bool) -> Kept | Refused:
        """A bank transfer arrives, or bounces."""
        if kept.session.state != "authorised":
            return self._wrong_state(kept, "settled: only a bank transfer that is on its way can")
        if bounced:
            return self._book.change(kept, "session.failed", state="failed", decline="transfer_bounced")
        return self._captured(kept)

    def cancel(self, kept: Kept) -> Kept | Refused:
        """Nobody will pay this; a second time changes nothing."""
        if kept.session.state == "cancelled":
            return kept
        if kept.session.state not in OPEN:
            return self._wrong_state(kept, "cancelled")
        return self._book.change(kept, "session.cancelled", state="cancelled")

    def expire(self, kept: Kept) -> Kept | Refused:
        """Its time is over now; a second time changes nothing."""
        if kept.session.state == "expired":
            return kept
        return self._expire(kept) if kept.session.state in OPEN else self._wrong_state(kept, "expired")

    def _expire(self, kept: Kept) -> Kept:
        return self._book.change(kept.but(late=True), "session.expired", state="expired")

    def _decline(self, kept: Kept, method: Method, code: str) -> Kept:
        declined, changes = kept.but(attempts=kept.attempts + 1), {"method": method, "decline": code}
        if declined.attempts >= ATTEMPTS_MAX:
            return self._book.change(declined, "session.failed", state="failed", **changes)
        state = "expired" if kept.late else "pending"
        return self._book.change(declined, "session.declined", state=state, **changes)

    def _capture(self, kept: Kept, method: Method) -> Kept:
        return self._captured(
            self._book.change(kept, "session.authorised", state="authorised", method=method, decline=None)
        )

    def _captured(self, kept: Kept) -> Kept:
        session, mischief = kept.session, kept.mischief
        changes: dict[str, Any] = {"captured_minor": session.amount_minor + int(mischief.wrong_amount)}
        if mischief.wrong_currency:
            changes["currency"] = "USD" if session.currency == "EUR" else "EUR"
        return self._book.change(kept, "session.captured", state="captured", **changes)

    async def _settle_later(self, id: str, at_ms: int) -> None:
        await asyncio.sleep(max(0, at_ms - self._book.clock()) / 1_000)
        kept = self._book.session(id)
        if kept is not None and kept.session.state == "authorised":
            self._captured(kept)

    def _claimed_live(self, mischief: Mischief) -> bool:
        return self._config.live != mischief.test_event_in_live

    def _wrong_state(self, kept: Kept, what: str) -> Refused:
        return Refused(409, "wrong_state", f"A session that is {kept.session.state} cannot be {what}.")
