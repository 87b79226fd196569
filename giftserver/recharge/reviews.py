"""Deciding about a payment that a person has to look at. The provider is asked first, whatever was decided."""

from typing import Final, Literal

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.audit_log import Actor
from giftserver.durable.own_affairs import check_other
from giftserver.durable.payments import PaymentRecord
from giftserver.durable.reviews import SOURCE, last_decision, promise_back, settle_review, tell_not_given_back
from giftserver.errors import REVIEW_REFUSED, Refusal
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.money import EXPONENTS, in_words
from giftserver.recharge.provider import Provider, ProviderAway, ProviderRefused, Snapshot
from giftserver.recharge.states import State
from rooms.codes import UNAVAILABLE

log = structlog.get_logger()

Decision = Literal["credit", "refund", "close"]

AWAY: Final = Refusal(
    UNAVAILABLE, "The payment provider does not answer right now. Nothing was decided; try again in a moment.",
    {"retry_after_ms": 1_000},
)  # fmt: skip
NO_CHECKOUT: Final = "The provider has no checkout of it: nothing was paid. Close it."
ELSEWHERE: Final = "It is marked for something else by now. Reload, look at it again, and decide then."


async def decide(
    database: AsyncEngine, inquiry: Inquiry, payment: PaymentRecord, decision: Decision, reason: str, by: Actor
) -> Refusal | None:
    """Decide about a payment in review; None once it is done, and again when the same is asked again.

    `credit`: its coins are booked, if the provider says now that it is paid, as it was ordered. `refund`: what was
    taken and not credited goes back; it stays in review until the provider has paid, and is refused while the buyer's
    bank disputes it, for then it could be paid twice. `close`: nothing moves, which is
    refused while the provider has money for which nothing is credited. Raises OwnAffair for who bought, and the
    database driver's errors.
    """
    check_other(by, payment.user_id)
    if payment.review is None:
        if await last_decision(database, payment.id) == decision:
            return None
        return _no("Nobody has to look at this payment: it is not in review.")
    if payment.provider not in inquiry.providers and payment.transfer is None:
        return _no(
            f"This server does not know {payment.provider} any more. Name it in GIFTSERVER_PAYMENTS, then decide."
        )
    try:
        if decision == "credit":
            done = await _credit(inquiry, payment)
        elif decision == "refund":
            done = await _give_back(database, inquiry, payment, reason, by)
        else:
            done = await _close(inquiry, payment)
    except ProviderAway as problem:
        log.warning("review_waits", payment=payment.id, reason=str(problem))
        return AWAY
    except ProviderRefused as problem:
        log.error("review_refused", payment=payment.id, reason=str(problem))
        return _no("The provider refuses that. Look at the payment there.")
    if isinstance(done, Refusal):
        return done
    if not await settle_review(database, payment.id, payment.review, decision, reason, by, done):
        return _no(ELSEWHERE)
    log.info("payment_reviewed", payment=payment.id, decision=decision, given_back=done)
    return None


def _no(words: str) -> Refusal:
    return Refusal(REVIEW_REFUSED, words)


async def _asked(inquiry: Inquiry, payment: PaymentRecord) -> tuple[Provider, Snapshot | None]:
    """The payment's own checkout as its provider has it now; None when it has none."""
    provider, ref = inquiry.providers[payment.provider], payment.provider_ref
    return provider, await (provider.find(payment.id) if ref is None else provider.fetch(ref))


async def _credit(inquiry: Inquiry, payment: PaymentRecord) -> Refusal | str:
    if payment.transfer is not None:
        return _no("Its coins are credited already. Close it.")
    provider, found = await _asked(inquiry, payment)
    if found is None:
        return _no(NO_CHECKOUT)
    try:
        done = await inquiry.heard(provider, found, SOURCE)
    except IntegrityError:
        return _no("The ledger refuses the coins: the wallet would hold more than it can. Give the money back.")
    if done is not None and done.payment.transfer is not None:
        return ""
    if done is not None and done.promised_back:
        return _no("It was decided that its money goes back. Give the money back.")
    why = done.wrong if done is not None else None
    return _no(f"Nothing was credited: {why or f'the provider says it is {found.state}'}.")


async def _give_back(
    database: AsyncEngine, inquiry: Inquiry, payment: PaymentRecord, reason: str, by: Actor
) -> Refusal | str:
    """The coins first: once it is said that it is never credited, the money may go."""
    if payment.transfer is not None:
        return _no("Its coins are credited. Give the money back as a refund: then the coins go, too.")
    provider, found = await _asked(inquiry, payment)
    if found is None:
        return _no(NO_CHECKOUT)
    if _is_anothers(found, provider, payment):
        return _no("The provider speaks of another order there. Look at it there, and close it.")
    if found.state is not State.SUCCEEDED or not found.captured_minor:
        return _no(f"There is nothing to give back: the provider says it is {found.state}.")
    if found.disputed_minor and found.kept_minor:
        return _no(
            f"The buyer's bank disputes {_amount(found.disputed_minor, found)} of it. Given back now, it could be paid "
            "twice. Decide once the bank has."
        )
    assert payment.review is not None
    tries = await promise_back(database, payment.id, payment.review, reason, by)
    if tries is None:
        return _no(ELSEWHERE)
    given_back = f"{found.captured_minor} {found.currency}"
    left_minor = found.kept_minor
    if not left_minor:  # it went back already: by an earlier try, by hand at the provider, or by a dispute
        return given_back
    key = f"{payment.id}-review-{left_minor}" + (f"-{tries}" if tries else "")
    if await provider.refund(found.ref, left_minor, key):
        return given_back
    await tell_not_given_back(database, payment.id)
    log.error("review_not_given_back", payment=payment.id, tries=tries + 1)
    return _no(
        "The provider could not give the money back. Try again, or give it back there and decide the same again."
    )


async def _close(inquiry: Inquiry, payment: PaymentRecord) -> Refusal | str:
    """Money for which nothing is credited is not left with the provider, whatever is known of it here."""
    if payment.transfer is not None:
        return ""
    provider, found = await _asked(inquiry, payment)
    if found is None or not found.captured_minor or _is_anothers(found, provider, payment):
        return ""
    if found.kept_minor:
        left = _amount(found.kept_minor, found)
        return _no(f"The provider has {left} of it, and nothing is credited. Give the money back, or credit it.")
    return f"{found.captured_minor} {found.currency}"


def _amount(minor: int, found: Snapshot) -> str:
    return in_words(minor, found.currency) if found.currency in EXPONENTS else found.currency


def _is_anothers(found: Snapshot, provider: Provider, payment: PaymentRecord) -> bool:
    return found.live != provider.live or found.payment != payment.id
