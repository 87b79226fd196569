"""Paying creators out: where to, how much, and asking for it; every refusal in words with the way out."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver import errors
from giftserver.durable import payout_accounts as accounts
from giftserver.durable import payouts as stored
from giftserver.durable.audit_log import Actor
from giftserver.durable.payout_accounts import PayoutAccount, TooManyChanges
from giftserver.durable.payout_moves import Decision, NotDecidable, NotStoppable, cancel, decide, void
from giftserver.durable.payout_stops import PayoutsStopped
from giftserver.durable.payouts import NewPayout, PayoutRecord, PayoutStanding
from giftserver.errors import Refusal
from giftserver.recharge.money import in_words
from giftserver.recharge.payout_rates import RateCard, built_in
from giftserver.recharge.payout_states import PayoutState
from giftserver.recharge.provider import PayoutAddress, Provider
from giftserver.recovery.behind import may_be_behind
from rooms import codes

log = structlog.get_logger()

STOPPED: Final = Refusal(
    errors.PAYOUTS_STOPPED,
    "Payouts are stopped while the books are checked. Nothing was sent, and your diamonds are safe.",
)
NOT_FOUND: Final = Refusal(errors.PAYOUT_NOT_FOUND, "There is no payout of this id.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a creator asks for, and what they were shown for it."""

    key: str
    diamonds: int
    amount_minor: int
    currency: str

    def hash(self) -> str:
        """Hash of all of it: the same key with another wish is refused."""
        parts = (self.diamonds, self.amount_minor, self.currency)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PayoutTerms:
    """What somebody can be paid out now and at which rate; amounts in minor units of the rate's currency."""

    rate: RateCard
    standing: PayoutStanding
    day_left_minor: int


class Payouts:
    """Requests of payouts. Methods raise the database driver's errors when PostgreSQL is away."""

    def __init__(
        self,
        database: AsyncEngine,
        ledger_redis: Redis,
        providers: Mapping[str, Provider],
        rate: RateCard | None = None,
    ) -> None:
        self._database, self._redis, self._providers = database, ledger_redis, providers
        self.rate = rate or built_in()

    @property
    def ways(self) -> dict[str, tuple[str, PayoutAddress]]:
        """Title and form of address of each provider that pays people out, by name."""
        return {
            name: (one.capabilities.title, one.capabilities.payouts)
            for name, one in self._providers.items()
            if one.capabilities.payouts is not None
        }

    async def terms(self, user: str) -> PayoutTerms:
        """What this person can be paid out."""
        standing = await stored.standing(self._database, user, self.rate.currency)
        return PayoutTerms(self.rate, standing, max(0, self.rate.day_max_minor - standing.day.asked_minor))

    async def set_account(self, user: str, provider: str, address: str) -> PayoutAccount | Refusal:
        """Where this person is paid out to from now on."""
        if refusal := self._check_address(provider, address):
            return refusal
        try:
            return await accounts.set_account(self._database, user, provider, address)
        except TooManyChanges:
            return Refusal(codes.RATE_LIMITED, "You changed your account very often within a day. Try again tomorrow.")

    async def request(self, user: str, wish: Wish) -> PayoutRecord | Refusal:
        """The payout of this wish, once for each key."""
        known = await stored.payout_by_key(self._database, user, wish.key)
        found = known or self._check_amount(wish) or await self._create(user, wish)
        if isinstance(found, PayoutRecord) and found.request_hash != wish.hash():
            return Refusal(errors.KEY_REUSED, "This key was used for another payout. Make a new key for each payout.")
        return found

    def _check_amount(self, wish: Wish) -> Refusal | None:
        rate = self.rate
        amount = rate.amount_minor(wish.diamonds)
        if amount is None:
            step = next(number for number in range(1, rate.diamonds + 1) if rate.amount_minor(number) is not None)
            return Refusal(codes.BAD_REQUEST, f"Diamonds are paid out in steps of {step:,}: choose a multiple of it.")
        if amount < rate.min_minor:
            least = rate.diamonds_for(rate.min_minor)
            words = f"The least that is paid out is {in_words(rate.min_minor, rate.currency)}: {least:,} diamonds."
            return Refusal(
                errors.PAYOUT_TOO_SMALL, words,
                {"min_minor": rate.min_minor, "min_diamonds": least, "currency": rate.currency},
            )  # fmt: skip
        if (wish.amount_minor, wish.currency) != (amount, rate.currency):
            words = f"{wish.diamonds:,} diamonds are worth {in_words(amount, rate.currency)} now. Nothing was sent."
            return Refusal(errors.PRICE_CHANGED, words, {"amount_minor": amount, "currency": rate.currency})
        return None

    def _check_address(self, provider: str, address: str) -> Refusal | None:
        way = self.ways.get(provider)
        if way is None:
            names = ", ".join(title for title, _ in self.ways.values())
            instead = f"Choose another account: {names}." if names else "It pays nobody out."
            return Refusal(errors.PAYOUTS_OFF, f"Nobody is paid out by {provider} on this server. {instead}")
        title, form = way
        if not address.isprintable() or re.fullmatch(form.pattern, address) is None:
            words = f"This is no address that {title} pays out to. It takes: {form.label}."
            return Refusal(errors.PAYOUT_ADDRESS_REFUSED, words)
        return None

    async def _create(self, user: str, wish: Wish) -> PayoutRecord | Refusal:
        async with self._database.connect() as connection:
            account = await accounts.account_of(connection, user)
        if account is None:
            return _account_refusal(None)
        if refusal := self._check_address(account.provider, account.address):
            return refusal
        if await may_be_behind(self._database, self._redis):
            return STOPPED
        new = NewPayout(
            user, wish.key, wish.hash(), account.provider, account.id, wish.diamonds, wish.amount_minor, wish.currency,
            self.rate.version,
        )  # fmt: skip
        try:
            made = await stored.create_payout(self._database, new, self.rate.day_max_minor)
        except PayoutsStopped:
            return STOPPED
        except stored.InACase:
            words = "Your wallet is on hold while a report is looked at. Nothing was sent, and your diamonds are safe."
            return Refusal(errors.WALLET_FROZEN, f"{words} Write to support if that is wrong.")
        except stored.OtherAccount as problem:
            return _account_refusal(problem.account)
        except stored.TooManyRequests:
            words = "You asked for very many payouts today. Nothing was sent; try again tomorrow."
            return Refusal(codes.RATE_LIMITED, words)
        except stored.DayIsFull as full:
            return self._day_is_full(full.left_minor, full.resets_at)
        except stored.NotAvailable as short:
            words = f"You have {short.available:,} diamonds that can be paid out now. Nothing was sent; choose fewer."
            return Refusal(errors.PAYOUT_TOO_LARGE, words, {"available_diamonds": short.available})
        log.info("payout_requested", payout=made.id, diamonds=made.diamonds, provider=made.provider)
        return made

    def _day_is_full(self, left_minor: int, resets_at: datetime) -> Refusal:
        rate = self.rate
        most, left = in_words(rate.day_max_minor, rate.currency), in_words(left_minor, rate.currency)
        words = f"At most {most} are paid out a day; {left} are left until {resets_at:%d %B, %H:%M} UTC."
        details = {
            "day_max_minor": rate.day_max_minor, "left_minor": left_minor, "currency": rate.currency,
            "resets_at_ms": round(resets_at.timestamp() * 1_000),
        }  # fmt: skip
        return Refusal(errors.PAYOUT_DAY_FULL, f"{words} Nothing was sent.", details)

    async def own(self, user: str, id: str) -> PayoutRecord | Refusal:
        """This person's payout."""
        found = await self.anybodys(id)
        return found if isinstance(found, Refusal) or found.user_id == user else NOT_FOUND

    async def anybodys(self, id: str) -> PayoutRecord | Refusal:
        """Whoever's payout."""
        found = await stored.payout_by_id(self._database, id) if stored.ID.fullmatch(id) else None
        return found or NOT_FOUND

    async def cancel(self, user: str, id: str) -> PayoutRecord | Refusal:
        """Take one's own payout back while it was not sent; the diamonds are back then."""
        try:
            done = await cancel(self._database, id, user) if stored.ID.fullmatch(id) else None
        except PayoutsStopped:
            return STOPPED
        except NotStoppable as problem:
            return _not_stoppable(problem)
        return done or NOT_FOUND

    async def void(self, id: str, by: Actor, reason: str) -> PayoutRecord | Refusal:
        """Stop somebody else's payout while it was not sent. Raises OwnAffair."""
        try:
            done = await void(self._database, id, by, reason) if stored.ID.fullmatch(id) else None
        except NotStoppable as problem:
            return _not_stoppable(problem)
        if done is not None:
            log.info("payout_voided", payout=id)
        return done or NOT_FOUND

    async def decide(self, id: str, decision: Decision, by: Actor, reason: str) -> PayoutRecord | Refusal:
        """End the review of somebody else's payout. Raises OwnAffair."""
        try:
            done = await decide(self._database, id, decision, by, reason) if stored.ID.fullmatch(id) else None
        except NotDecidable as problem:
            return _not_decidable(problem.found)
        if done is not None:
            log.info("payout_decided", payout=id, decision=decision)
        return done or NOT_FOUND


def _account_refusal(account: PayoutAccount | None) -> Refusal:
    if account is None:
        return Refusal(errors.PAYOUT_ACCOUNT_NEEDED, "Say first where the money should go. Nothing was sent.")
    from_ms = round(account.usable_at.timestamp() * 1_000)
    words = (
        f"You changed your account. For your safety it can be used from {account.usable_at:%d %B, %H:%M} UTC on. "
        "Nothing was sent."
    )
    return Refusal(errors.PAYOUT_ACCOUNT_NEW, words, {"usable_at_ms": from_ms})


def _not_stoppable(problem: NotStoppable) -> Refusal:
    state = problem.found.state
    words = "It is on its way" if state is PayoutState.SENDING else f"It is {state.value} already"
    return Refusal(errors.PAYOUT_UNDER_WAY, f"{words}: it cannot be stopped any more.", {"state": state.value})


def _not_decidable(found: PayoutRecord) -> Refusal:
    if found.review is None:
        words = "Nobody has to look at this payout. Reload: somebody may have decided about it."
    elif found.state is PayoutState.SENDING:
        words = "It is on its way: say whether it was paid or has failed, as the provider has it."
    else:
        words = f"It is {found.state.value} already: only the review can be dismissed."
    return Refusal(errors.REVIEW_REFUSED, f"{words} Nothing was booked.", {"state": found.state.value})
