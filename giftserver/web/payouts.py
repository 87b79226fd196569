"""The caller's payouts: what can be paid out, where to, ask for it, follow it, take it back."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.durable.history import at_ms
from giftserver.durable.holds import is_in_a_case
from giftserver.durable.payout_accounts import PayoutAccount, masked
from giftserver.durable.payout_moves import ON_ITS_WAY
from giftserver.durable.payouts import PAGE_MAX, PayoutRecord, PayoutStep, find_payouts, steps_of
from giftserver.errors import (
    AGE_RESTRICTED,
    KEY_REUSED,
    PAYOUT_ACCOUNT_NEEDED,
    PAYOUT_ACCOUNT_NEW,
    PAYOUT_ADDRESS_REFUSED,
    PAYOUT_DAY_FULL,
    PAYOUT_NOT_FOUND,
    PAYOUT_TOO_LARGE,
    PAYOUT_TOO_SMALL,
    PAYOUT_UNDER_WAY,
    PAYOUTS_OFF,
    PAYOUTS_STOPPED,
    PRICE_CHANGED,
    WALLET_FROZEN,
    Refusal,
)
from giftserver.gifts.messages import CURRENCY, PRINTED, Identifier, Key
from giftserver.recharge.money import AMOUNT_MAX_MINOR, EXPONENTS
from giftserver.recharge.payout_rates import DIAMONDS_MAX
from giftserver.recharge.payout_states import STOPPABLE, PayoutState
from giftserver.recharge.payouts import Wish
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.wallet import PEOPLE
from rooms.codes import RATE_LIMITED

TOO_YOUNG: Final = Refusal(AGE_RESTRICTED, "Only adults are paid out. Nothing was sent, and your diamonds stay yours.")


class PayoutRate(msgspec.Struct, frozen=True):
    """`diamonds` are worth `minor` minor units of `currency`, which has `exponent` digits of them."""

    diamonds: int
    minor: int
    currency: str
    exponent: int
    version: int


class WayOut(msgspec.Struct, frozen=True):
    """A provider that pays people out; `label` are words for the form that asks for the address."""

    name: str
    title: str
    label: str


class PayoutAccountAnswer(msgspec.Struct, frozen=True):
    """Where the caller is paid out to, from `usable_at_ms` on; the address is masked, such as m…@example.org."""

    provider: str
    address_masked: str
    usable_at_ms: int


class PayoutTermsAnswer(msgspec.Struct, frozen=True):
    """Diamonds that can be paid out, that were earned too lately, that payouts under way have set aside; the rate.

    `min_minor` is the least of one payout, `day_max_minor` the most of a UTC day, of which `day_left_minor` is left
    until `resets_at_ms`. `account` is null until one was set. `too_young`: only adults are paid out; `on_hold`: a case
    has the wallet on hold, so nothing can be asked for.
    """

    available_diamonds: int
    pending_diamonds: int
    held_diamonds: int
    rate: PayoutRate
    min_minor: int
    day_max_minor: int
    day_left_minor: int
    resets_at_ms: int
    providers: list[WayOut]
    account: PayoutAccountAnswer | None
    too_young: bool
    on_hold: bool


class PayoutAccountRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to be paid out to: an address in the form that the provider's `label` names."""

    provider: Identifier
    address: Annotated[str, Meta(min_length=1, max_length=254, pattern=PRINTED)]


class PayoutRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many diamonds, and what was shown for them. Asked again with the same `key` it is the same payout."""

    key: Key
    diamonds: Annotated[int, Meta(ge=1, le=DIAMONDS_MAX)]
    amount_minor: Annotated[int, Meta(ge=1, le=AMOUNT_MAX_MINOR)]
    currency: Annotated[str, Meta(pattern=CURRENCY)]


class PayoutStepAnswer(msgspec.Struct, frozen=True):
    """Something that happened to the payout."""

    state: str
    at_ms: int
    detail: str


class PayoutAnswer(msgspec.Struct, frozen=True):
    """A payout. `state`: `requested`, `held` (waits while a case is looked at), `sending`, then `paid` or `failed`;
    `cancelled` (by the creator), `voided` (by an operator), `returned` (was paid and came back).

    `reason`: why it failed, came back or was voided. `cancellable`: it was not sent yet. `steps` are empty in lists.
    """

    id: str
    state: str
    diamonds: int
    amount_minor: int
    currency: str
    exponent: int
    provider: str
    address_masked: str
    reason: str | None
    created_at_ms: int
    cancellable: bool
    steps: list[PayoutStepAnswer]


class PayoutsQuery(msgspec.Struct, frozen=True):
    """A page of payouts: `before` is the last id of the page before it."""

    before: Identifier | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


class PayoutsAnswer(msgspec.Struct, frozen=True):
    """Newest first, without steps; `next` is null on the last page."""

    payouts: list[PayoutAnswer]
    next: str | None


def account_answer(account: PayoutAccount) -> PayoutAccountAnswer:
    """An account as its owner sees it."""
    return PayoutAccountAnswer(account.provider, masked(account.address), at_ms(account.usable_at))


def payout_answer(found: PayoutRecord, steps: list[PayoutStep]) -> PayoutAnswer:
    """A payout as its creator sees it: who said a step is not shown, nor what is for operators only."""
    return PayoutAnswer(
        id=found.id,
        state=found.state.value,
        diamonds=found.diamonds,
        amount_minor=found.amount_minor,
        currency=found.currency,
        exponent=EXPONENTS[found.currency],
        provider=found.provider,
        address_masked=masked(found.address),
        reason=found.reason,
        created_at_ms=at_ms(found.created_at),
        cancellable=found.state in STOPPABLE,
        steps=[
            PayoutStepAnswer(step.state, at_ms(step.at), _told(step, before))
            for step, before in zip(steps, [None, *steps], strict=False)
        ],
    )


def _told(step: PayoutStep, before: PayoutStep | None) -> str:
    """What a step says to its creator: why it waits, failed, came back or was stopped; nothing of a review."""
    if step.source == "keeper" or step.detail == ON_ITS_WAY:
        return step.detail
    ended = before is not None and step.state != before.state
    said = step.source == "provider" or step.state == PayoutState.VOIDED
    return step.detail if ended and said else ""


async def _answer(call: Call[Any, Any], found: PayoutRecord | Refusal) -> PayoutAnswer | Refusal:
    if isinstance(found, Refusal):
        return found
    return payout_answer(found, await steps_of(call.services.database, found.id))


def _too_young(call: Call[Any, Any]) -> Refusal | None:
    """A guardian may let a minor buy and send; nobody lets one cash out."""
    assert call.identity is not None
    return TOO_YOUNG if call.identity.minor else None


async def get_payout_terms(call: Call[None, None]) -> PayoutTermsAnswer:
    """What the caller can be paid out now, and at which rate."""
    payouts = call.services.payouts
    terms = await payouts.terms(call.user)
    rate, standing = terms.rate, terms.standing
    return PayoutTermsAnswer(
        available_diamonds=standing.diamonds.available,
        pending_diamonds=standing.diamonds.pending,
        held_diamonds=standing.diamonds.held,
        rate=PayoutRate(rate.diamonds, rate.minor, rate.currency, EXPONENTS[rate.currency], rate.version),
        min_minor=rate.min_minor,
        day_max_minor=rate.day_max_minor,
        day_left_minor=terms.day_left_minor,
        resets_at_ms=at_ms(standing.day.resets_at),
        providers=[WayOut(name, title, form.label) for name, (title, form) in payouts.ways.items()],
        account=None if standing.account is None else account_answer(standing.account),
        too_young=_too_young(call) is not None,
        on_hold=await is_in_a_case(call.services.database, call.user),
    )


async def put_payout_account(call: Call[PayoutAccountRequest, None]) -> PayoutAccountAnswer | Refusal:
    """Say where to be paid out to. One that takes the place of another can be used a day later."""
    if refusal := _too_young(call):
        return refusal
    made = await call.services.payouts.set_account(call.user, call.body.provider, call.body.address)
    return made if isinstance(made, Refusal) else account_answer(made)


async def create_payout(call: Call[PayoutRequest, None]) -> PayoutAnswer | Refusal:
    """Ask to be paid out. The diamonds are set aside at once; the provider is asked a moment later."""
    if refusal := _too_young(call):
        return refusal
    body = call.body
    wish = Wish(body.key, body.diamonds, body.amount_minor, body.currency)
    return await _answer(call, await call.services.payouts.request(call.user, wish))


async def list_payouts(call: Call[None, PayoutsQuery]) -> PayoutsAnswer:
    """The caller's payouts."""
    query = call.query
    found = await find_payouts(
        call.services.database, call.user, None, review=False, before=query.before, limit=query.limit
    )
    more = len(found) == query.limit
    return PayoutsAnswer([payout_answer(one, []) for one in found], found[-1].id if more else None)


async def get_payout(call: Call[None, None]) -> PayoutAnswer | Refusal:
    """One of the caller's payouts, with its steps."""
    return await _answer(call, await call.services.payouts.own(call.user, _id(call)))


async def cancel_payout(call: Call[None, None]) -> PayoutAnswer | Refusal:
    """Take a payout back that was not sent yet; its diamonds are back then."""
    return await _answer(call, await call.services.payouts.cancel(call.user, _id(call)))


def _id(call: Call[Any, Any]) -> str:
    return str(call.request.path_params["payout"])


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/payouts/terms", "What you can be paid out", get_payout_terms, PayoutTermsAnswer, roles=PEOPLE
    ),
    Endpoint(
        "PUT", "/v1/payouts/account", "Where you are paid out to", put_payout_account, PayoutAccountAnswer,
        body=PayoutAccountRequest, roles=PEOPLE,
        refusals=(AGE_RESTRICTED, PAYOUTS_OFF, PAYOUT_ADDRESS_REFUSED, RATE_LIMITED),
    ),
    Endpoint(
        "POST", "/v1/payouts", "Ask to be paid out", create_payout, PayoutAnswer, body=PayoutRequest, roles=PEOPLE,
        refusals=(
            AGE_RESTRICTED, KEY_REUSED, PRICE_CHANGED, WALLET_FROZEN, PAYOUTS_OFF, PAYOUTS_STOPPED,
            PAYOUT_ACCOUNT_NEEDED,
            PAYOUT_ACCOUNT_NEW, PAYOUT_ADDRESS_REFUSED, PAYOUT_TOO_SMALL, PAYOUT_TOO_LARGE, PAYOUT_DAY_FULL,
            RATE_LIMITED,
        ),
    ),
    Endpoint("GET", "/v1/payouts", "Your payouts", list_payouts, PayoutsAnswer, query=PayoutsQuery, roles=PEOPLE),
    Endpoint(
        "GET", "/v1/payouts/{payout}", "One payout and its steps", get_payout, PayoutAnswer, roles=PEOPLE,
        refusals=(PAYOUT_NOT_FOUND,),
    ),
    Endpoint(
        "POST", "/v1/payouts/{payout}/cancel", "Take a payout back", cancel_payout, PayoutAnswer, roles=PEOPLE,
        refusals=(PAYOUT_NOT_FOUND, PAYOUT_UNDER_WAY, PAYOUTS_STOPPED),
    ),
)  # fmt: skip
