"""What coins cost: packs and custom amounts by region, in whole minor units, and the promotions on top.

A price list is one versioned document. Every country has one region, and a region one currency: nothing is converted
when somebody buys. Version 0 is `prices.json` beside this file; an operator's list is in force once a second person
approved it (giftserver/durable/prices.py). An order remembers the version it was made under.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from importlib.resources import files
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from giftserver.ledger.events import COINS_MAX
from giftserver.printed import is_printed
from giftserver.recharge.money import AMOUNT_MAX_MINOR, EXPONENTS

COUNTRY: Final = re.compile(r"[A-Z]{2}")
NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CODE: Final = re.compile(r"[A-Z0-9]{3,20}")
ID_CHARACTERS_MAX: Final = 64
"""Of a pack or promotion, as orders name it."""

TITLE_CHARACTERS_MAX: Final = 80

CHEAPER_MAX: Final = 10
"""So many times cheaper than the dearest coin of its region a coin may be, with the best bonus; beyond that somebody
mistyped."""

NAMED_MAX: Final = 5
"""So many countries or packs are named in words."""

ELSEWHERE: Final = "*"
"""The region of countries that no other one names."""

Coins = Annotated[int, Meta(ge=1, le=COINS_MAX)]
Minor = Annotated[int, Meta(ge=1, le=AMOUNT_MAX_MINOR)]


class Pack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many coins for so many minor units."""

    id: str
    coins: Coins
    amount_minor: Minor


class Custom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any number of coins within bounds, at `rate_minor` for `rate_coins`, rounded up to a whole minor unit."""

    coins_min: Coins
    coins_max: Coins
    rate_minor: Minor
    rate_coins: Coins

    def price_minor(self, coins: int) -> int:
        """What so many coins cost."""
        return -(-coins * self.rate_minor // self.rate_coins)


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Countries that pay the same in one currency; `*` stands for all that no other region names."""

    countries: tuple[str, ...]
    currency: str
    packs: tuple[Pack, ...]
    custom: Custom | None = None

    @property
    def dearest(self) -> tuple[int, int]:
        """What coins cost here at most: minor units, and the coins that they buy."""
        offers = [(pack.amount_minor, pack.coins) for pack in self.packs]
        if self.custom is not None:
            offers.append((self.custom.rate_minor, self.custom.rate_coins))
        return max(offers, key=lambda offer: Fraction(*offer))


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Coins on top: `bonus_percent` of those paid for, rounded down, at most `bonus_coins_max`; once for each person.

    With a `code` only for who enters it. `starts` to `ends` bound when an order may be made; `uses_max` for all people
    together. `packs` empty: for all packs and custom amounts.
    """

    id: str
    title: str
    bonus_percent: Annotated[int, Meta(ge=1, le=1_000)]
    bonus_coins_max: Coins
    first_purchase: bool = False
    code: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    uses_max: Annotated[int, Meta(ge=1)] | None = None
    packs: tuple[str, ...] = ()

    def bonus_coins(self, coins: int) -> int:
        """Coins on top of so many paid ones."""
        return min(coins * self.bonus_percent // 100, self.bonus_coins_max)

    def share(self, fewest: int) -> Fraction:
        """Coins on top of each paid one at most, where so many are the fewest that are bought."""
        return min(Fraction(self.bonus_percent, 100), Fraction(self.bonus_coins_max, fewest))

    def runs(self, now: datetime) -> bool:
        """Whether an order may be made with it now."""
        return (self.starts is None or self.starts <= now) and (self.ends is None or now < self.ends)


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything about prices; see `check` for what else must be true of it."""

    regions: tuple[Region, ...]
    promotions: tuple[Promotion, ...] = ()

    def region_of(self, country: str) -> Region | None:
        """The region of a country, None where coins are not sold."""
        named = next((region for region in self.regions if country in region.countries), None)
        return named or next((region for region in self.regions if ELSEWHERE in region.countries), None)


@dataclass(frozen=True, slots=True)
class Prices:
    """A price list and its version."""

    version: int
    list: PriceList


class WrongPrices(ValueError):
    """The document cannot be a price list; the message says where, what is wrong and what is right."""


def read_price_list(document: bytes | str) -> PriceList:
    """A price list from JSON. Raises WrongPrices."""
    try:
        found = msgspec.json.decode(document, type=PriceList)
    except msgspec.DecodeError as problem:
        raise WrongPrices(f"The price list cannot be read: {problem}.") from problem
    for wrong in problems(found):
        raise WrongPrices(wrong)
    return found


def problems(prices: PriceList) -> Iterator[str]:
    """What is wrong with it, in words."""
    if not prices.regions:
        yield "regions: there is none, so nobody could buy. Add one with countries ['*']."
    seen: dict[str, str] = {}
    for region in prices.regions:
        where = f"region of {', '.join(map(_shown, region.countries[:NAMED_MAX])) or 'no country'}"
        yield from _region_problems(where, region, prices.promotions)
        for country in region.countries:
            if country in seen:
                yield f"{where}: {country} is in two regions. Name each country once."
            seen[country] = where
    names = [promotion.id for promotion in prices.promotions]
    codes = [promotion.code for promotion in prices.promotions if promotion.code]
    if len(set(names)) < len(names) or len(set(codes)) < len(codes):
        yield "promotions: an id or a code is there twice. Give each its own."
    packs = {pack.id for region in prices.regions for pack in region.packs}
    for promotion in prices.promotions:
        yield from _promotion_problems(promotion, packs)


def _shown(text: str) -> str:
    """A text of the document, as far as it can be told of in words."""
    return text if len(text) <= ID_CHARACTERS_MAX and is_printed(text) else "…"


def _region_problems(where: str, region: Region, promotions: Sequence[Promotion]) -> Iterator[str]:
    if not region.countries or any(one != ELSEWHERE and not COUNTRY.fullmatch(one) for one in region.countries):
        yield f"{where}: countries are ISO 3166 codes of two capital letters, or '*'."
    if region.currency not in EXPONENTS:
        yield f"{where}: {_shown(region.currency)} is not a currency this server knows ({', '.join(EXPONENTS)})."
    if not region.packs and region.custom is None:
        yield f"{where}: it sells nothing. Add packs or a custom rate."
    ids, coins = [pack.id for pack in region.packs], [pack.coins for pack in region.packs]
    if len(set(ids)) < len(ids) or not all(_is_id(id) for id in ids):
        yield f"{where}: packs have ids of their own, of a-z 0-9 and single hyphens, 64 at most."
    if coins != sorted(set(coins)):
        yield f"{where}: packs come in the order of their coins, each number once."
    yield from _too_cheap(where, region, promotions)
    custom = region.custom
    if custom is not None and custom.coins_min > custom.coins_max:
        yield f"{where}: custom amounts go from coins_min to coins_max, and {custom.coins_min} is more."
    if custom is not None and custom.price_minor(custom.coins_max) > AMOUNT_MAX_MINOR:
        yield f"{where}: coins_max of custom amounts costs more than one payment may be."


def _too_cheap(where: str, region: Region, promotions: Sequence[Promotion]) -> Iterator[str]:
    offers = [(f"pack {_shown(pack.id)}", pack.id, pack.amount_minor, pack.coins, pack.coins) for pack in region.packs]
    if (custom := region.custom) is not None:
        offers.append(("the custom rate", "", custom.rate_minor, custom.rate_coins, custom.coins_min))
    most, of_coins = region.dearest
    for name, pack, amount, coins, fewest in offers:
        if amount * of_coins * CHEAPER_MAX < most * coins:
            yield (
                f"{where}: {name} sells a coin for less than a tenth of what one costs elsewhere in this region, which "
                "looks like a slip of the pen. Mend the amount or the coins; to sell cheaper, lower every price."
            )
        for promotion in promotions:
            more = 1 + promotion.share(fewest) if not promotion.packs or pack in promotion.packs else 1
            if amount * of_coins * CHEAPER_MAX < most * coins * more:
                yield (
                    f"{where}: with promotion {_shown(promotion.id)}, {name} sells a coin for less than a tenth of "
                    "what one costs elsewhere in this region, which looks like a slip of the pen. Lower "
                    "`bonus_percent` or `bonus_coins_max`."
                )


def _is_id(text: str) -> bool:
    return len(text) <= ID_CHARACTERS_MAX and NAME.fullmatch(text) is not None


def _promotion_problems(promotion: Promotion, packs: set[str]) -> Iterator[str]:
    where = f"promotion {_shown(promotion.id)}"
    if not _is_id(promotion.id):
        yield f"{where}: it needs an id of a-z 0-9 and hyphens, 64 at most."
    if len(promotion.title) > TITLE_CHARACTERS_MAX or not is_printed(promotion.title):
        yield f"{where}: it needs a title for people, of {TITLE_CHARACTERS_MAX} characters at most, all printable."
    if promotion.code is not None and not CODE.fullmatch(promotion.code):
        yield f"{where}: a code is 3 to 20 of A-Z and 0-9."
    if any(moment is not None and moment.tzinfo is None for moment in (promotion.starts, promotion.ends)):
        yield f"{where}: `starts` and `ends` need a time zone, such as 2026-12-01T00:00:00Z."
    elif promotion.starts and promotion.ends and promotion.starts >= promotion.ends:
        yield f"{where}: it ends before it starts."
    if unknown := set(promotion.packs) - packs:
        yield f"{where}: there is no pack {', '.join(map(_shown, sorted(unknown)[:NAMED_MAX]))}."


def built_in() -> Prices:
    """The list that is in force until an operator's is approved."""
    return Prices(0, read_price_list((files("giftserver.recharge") / "prices.json").read_bytes()))


def cheapest(offers: Sequence[tuple[int, int]]) -> int | None:
    """Place of the (amount, coins) whose coins cost least, the first of equal ones; None when all cost the same."""
    best = 0
    for place, (amount, coins) in enumerate(offers):
        if amount * offers[best][1] < offers[best][0] * coins:
            best = place
    same = all(amount * offers[best][1] == offers[best][0] * coins for amount, coins in offers)
    return None if same else best
