"""Deciding about a payment that a person has to look at. The provider is asked first, whatever was decided."""

from typing import Final, Literal

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.audit_log import Actor
from giftserver.durable.own_affairs import check_other
from giftserver.durable.payments import PaymentRecord
from giftserver.durable.reviews import SOURCE, last_decision, never_credit, settle_review
from giftserver.errors import REVIEW_REFUSED, Refusal
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.provider import Provider, ProviderAway, ProviderRefused, Snapshot
from giftserver.recharge.states import State
from rooms.codes import UNAVAILABLE

log = structlog.get_logger()

Decision = Literal["credit", "refund", "close"]

AWAY: Final = Refusal(
    UNAVAILABLE, "The payment provider does not answer right now. Nothing was decided; try again in a moment.",
    {"retry_after_ms": 1_000},
)  # fmt: skip
ELSEWHERE: Final = "It is marked for something else by now. Reload, look at it again, and decide then."


async def decide(
    database: AsyncEngine, inquiry: Inquiry, payment: PaymentRecord, decision: Decision, reason: str, by: Actor
) -> Refusal | None:
    """Decide about a payment in review; None once it is done, and again when the same is asked again.

    `credit`: its coins are booked, if the provider says now that it is paid, as it was ordered. `refund`: what was
    taken and not credited goes back. `close`: nothing moves. Raises OwnAffair for who bought, and the database
    driver's errors.
    """
    check_other(by, payment.user_id)
    if payment.review is None:
        if await last_decision(database, payment.id) == decision:
            return None
        return _no("Nobody has to look at this payment: it is not in review.")
    try:
        if decision == "credit":
            refusal = await _credit(inquiry, payment)
        elif decision == "refund":
            refusal = await _give_back(database, inquiry, payment)
        else:
            refusal = _close(payment)
    except ProviderAway as problem:
        log.warning("review_waits", payment=payment.id, reason=str(problem))
        return AWAY
    except ProviderRefused as problem:
        log.error("review_refused", payment=payment.id, reason=str(problem))
        return _no("The provider refuses that. Look at the payment there.")
    if refusal is not None:
        return refusal
    if not await settle_review(database, payment.id, payment.review, decision, reason, by):
        return _no(ELSEWHERE)
    log.info("payment_reviewed", payment=payment.id, decision=decision)
    return None


def _no(words: str) -> Refusal:
    return Refusal(REVIEW_REFUSED, words)


async def _asked(inquiry: Inquiry, payment: PaymentRecord) -> tuple[Provider, Snapshot]:
    """The payment's own checkout as its provider has it now."""
    provider = inquiry.providers.get(payment.provider)
    if provider is None:
        raise ProviderAway(f"there is no {payment.provider} here")
    ref = payment.provider_ref
    found = await (provider.find(payment.id) if ref is None else provider.fetch(ref))
    if found is None:
        raise ProviderRefused("there is no checkout of it")
    return provider, found


async def _credit(inquiry: Inquiry, payment: PaymentRecord) -> Refusal | None:
    if payment.transfer is not None:
        return _no("Its coins are credited already. Close it.")
    provider, found = await _asked(inquiry, payment)
    try:
        done = await inquiry.heard(provider, found, SOURCE)
    except IntegrityError:
        return _no("The ledger refuses the coins: the wallet would hold more than it can. Give the money back.")
    if done is not None and done.payment.transfer is not None:
        return None
    why = done.wrong if done is not None else None
    return _no(f"Nothing was credited: {why or f'the provider says it is {found.state}'}.")


async def _give_back(database: AsyncEngine, inquiry: Inquiry, payment: PaymentRecord) -> Refusal | None:
    """The coins first: once it is said that it is never credited, the money may go."""
    if payment.transfer is not None:
        return _no("Its coins are credited. Give the money back as a refund: then the coins go, too.")
    provider, found = await _asked(inquiry, payment)
    if found.live != provider.live or found.payment != payment.id:
        return _no("The provider speaks of another order there. Look at it there, and close it.")
    if found.state is not State.SUCCEEDED or not found.captured_minor:
        return _no(f"There is nothing to give back: the provider says it is {found.state}.")
    if not await never_credit(database, payment.id):
        return _no(ELSEWHERE)
    left_minor = found.captured_minor - found.refunded_minor
    if left_minor <= 0:  # it went back already: by an earlier try, or by hand at the provider
        return None
    if await provider.refund(found.ref, left_minor, f"{payment.id}-review-{left_minor}"):
        return None
    return _no("The provider could not give the money back. It is not credited; look at it there.")


def _close(payment: PaymentRecord) -> Refusal | None:
    if payment.transfer is None and payment.state is State.SUCCEEDED:
        return _no("It is paid and not credited. Credit it, or give the money back.")
    return None
