"""Price lists: what may be one, and what it makes coins cost."""

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftserver.recharge.money import EXPONENTS, in_words
from giftserver.recharge.prices import Custom, Promotion, WrongPrices, built_in, cheapest, read_price_list
from giftserver.recharge.pricing import best_promotion, terms_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def document() -> dict:
    """The list that comes with the server, to be changed."""
    found: dict = json.loads((files("giftserver.recharge") / "prices.json").read_text())
    return found


def test_the_list_that_comes_with_the_server_is_right():
    """Every region sells packs in a currency whose minor unit is known, and everybody has a region."""
    prices = built_in()
    assert prices.version == 0
    assert prices.list.region_of("US") is prices.list.region_of("ZZ")
    assert {prices.list.region_of(country).currency for country in ("DE", "JP", "KW")} == {"EUR", "JPY", "KWD"}


def test_minor_units_follow_the_currency():
    """Yen have none, dollars two digits, dinars three."""
    assert in_words(499, "USD") == "USD 4.99"
    assert in_words(5, "USD") == "USD 0.05"
    assert in_words(1_234_567, "JPY") == "JPY 1,234,567"
    assert in_words(1_550, "KWD") == "KWD 1.550"
    assert set(EXPONENTS.values()) == {0, 2, 3}


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_custom_price_is_never_below_the_rate(coins, rate_minor, rate_coins):
    """Rounded up to a whole minor unit, by less than one."""
    price = Custom(1, 10**9, rate_minor, rate_coins).price_minor(coins)
    assert 0 <= price * rate_coins - coins * rate_minor < rate_coins


def changed(path: str, value: object) -> str:
    """The document with one value changed; `path` such as `regions.0.currency`."""
    found = document()
    place: object = found
    *way, last = path.split(".")
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]  # type: ignore[index,call-overload]
    place[int(last) if isinstance(place, list) else last] = value  # type: ignore[index,call-overload]
    return json.dumps(found)


PACK = {"id": "coins-70", "coins": 70, "amount_minor": 99}
OFFER = {"id": "offer", "title": "Offer", "bonus_percent": 5, "bonus_coins_max": 10}
WRONG = {
    "no region": ("regions", [], "there is none"),
    "an unknown currency": ("regions.0.currency", "XYZ", "not a currency"),
    "a country that is none": ("regions.0.countries", ["usa"], "ISO 3166"),
    "a country twice": ("regions.1.countries", ["DE", "GB"], "in two regions"),
    "nothing for sale": ("regions.0", {"countries": ["*"], "currency": "USD", "packs": []}, "sells nothing"),
    "a pack twice": ("regions.0.packs", [PACK, {**PACK, "coins": 80}], "ids of their own"),
    "a strange id": ("regions.0.packs.0.id", "<b>", "ids of their own"),
    "packs out of order": ("regions.0.packs", [{**PACK, "id": "b", "coins": 80}, PACK], "in the order"),
    "a price of nothing": ("regions.0.packs.0.amount_minor", 0, "cannot be read"),
    "a price in floats": ("regions.0.packs.0.amount_minor", 0.99, "cannot be read"),
    "a price as text": ("regions.0.packs.0.amount_minor", "99", "cannot be read"),
    "a long id": ("regions.0.packs.0.id", "a" * 65, "64 at most"),
    "a coin for nearly nothing": ("regions.0.packs.5.amount_minor", 1, "pack coins-7000 sells a coin for less than"),
    "a custom rate for nearly nothing": ("regions.0.custom.rate_coins", 10**6, "the custom rate sells a coin for less"),
    "bounds the wrong way": ("regions.0.custom.coins_max", 29, "from coins_min to coins_max"),
    "an endless amount": ("regions.0.custom.coins_max", 10**12, "more than one payment"),
    "an offer twice": ("promotions", [OFFER, OFFER], "is there twice"),
    "a code in lower case": ("promotions.0.code", "abc", "3 to 20"),
    "an offer without a zone": ("promotions.0.ends", "2026-12-01T00:00:00", "time zone"),
    "an offer that ends first": (
        "promotions.0", {**OFFER, "starts": "2026-12-02T00:00:00Z", "ends": "2026-12-01T00:00:00Z"}, "before it starts",
    ),
    "an offer with a long id": ("promotions.0.id", "a" * 65, "64 at most"),
    "an offer for no pack": ("promotions.0.packs", ["coins-1"], "no pack coins-1"),
    "an offer without a title": ("promotions.0.title", " \u200b", "needs a title"),
    "an offer with an endless title": ("promotions.0.title", "x" * 81, "80 characters at most"),
    "an offer with a NUL": ("promotions.0.title", "a\0b", "printable"),
    "an offer written backwards": ("promotions.0.title", "\u202eevil", "printable"),
    "an unknown field": ("regions.0.tax", 19, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "value", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_a_price_list_says_why(path, value, words):
    """Each mistake is named with its place and what is right."""
    with pytest.raises(WrongPrices, match=words):
        read_price_list(changed(path, value))


def test_a_coin_may_be_ten_times_cheaper_and_no_more():
    """A tenth of the dearest is a large discount; less than that is refused, whichever of the two is wrong."""
    packs = [{"id": "few", "coins": 10, "amount_minor": 100}, {"id": "many", "coins": 100, "amount_minor": 100}]
    region = {"countries": ["*"], "currency": "USD", "packs": packs}
    assert read_price_list(json.dumps({"regions": [region]})).regions[0].packs[1].coins == 100
    packs[1]["coins"] = 101
    with pytest.raises(WrongPrices, match="lower every price"):
        read_price_list(json.dumps({"regions": [region]}))


def test_the_best_bonus_keeps_the_floor_too():
    """A tenth of the dearest coin, for each pack and for the fewest coins of the custom rate."""
    packs = [{"id": "few", "coins": 10, "amount_minor": 100}, {"id": "many", "coins": 50, "amount_minor": 100}]
    custom = {"coins_min": 30, "coins_max": 1_000, "rate_minor": 10, "rate_coins": 1}
    region = {"countries": ["*"], "currency": "USD", "packs": packs, "custom": custom}

    def read(**more: object) -> None:
        read_price_list(json.dumps({"regions": [region], "promotions": [OFFER | more]}))

    read(bonus_percent=100, bonus_coins_max=10**12)
    read(bonus_percent=1_000, bonus_coins_max=50)
    read(bonus_percent=900, bonus_coins_max=10**12, packs=["few"])
    for more, words in (
        ({"bonus_percent": 101, "bonus_coins_max": 10**12}, "with promotion offer, pack many"),
        ({"bonus_percent": 1_000, "bonus_coins_max": 10**12, "packs": ["few"]}, "with promotion offer, pack few"),
        ({"bonus_percent": 1_000, "bonus_coins_max": 51, "packs": ["many"]}, "Lower `bonus_percent`"),
    ):
        with pytest.raises(WrongPrices, match=words):
            read(**more)
    packs[:] = [{"id": "large", "coins": 1_000, "amount_minor": 10_000}]
    read(bonus_percent=1_000, bonus_coins_max=270)
    with pytest.raises(WrongPrices, match="with promotion offer, the custom rate"):
        read(bonus_percent=1_000, bonus_coins_max=271, code="MANY")


def test_what_is_wrong_is_told_in_printable_words():
    """Whatever stands in the document."""
    for path in ("regions.0.countries", "promotions.0.packs"):
        with pytest.raises(WrongPrices) as caught:
            read_price_list(changed(path, ["a\0b", "x" * 5_000]))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300


def test_the_best_value_is_the_cheapest_coin():
    """Bonus coins count; of equal ones the first; when all cost the same there is no best one."""
    assert cheapest([(99, 70), (499, 350), (990, 700)]) == 0
    assert cheapest([(99, 70), (499, 400)]) == 1
    assert cheapest([(100, 10), (200, 20)]) is None


def test_terms_are_those_of_the_list():
    """A pack by its id, or coins within bounds; with a promotion only where it gives something."""
    prices = built_in()
    region = prices.list.region_of("US")
    offer = Promotion("offer", "Offer", bonus_percent=10, bonus_coins_max=50, packs=("coins-700",))
    found = terms_of(prices, region, pack="coins-700", coins=None, promotion=offer)
    assert (found.coins, found.bonus_coins, found.amount_minor, found.promotion) == (700, 50, 999, offer)
    other = terms_of(prices, region, pack="coins-350", coins=None, promotion=offer)
    assert (other.bonus_coins, other.promotion) == (0, None)
    assert terms_of(prices, region, pack="coins-700", coins=701, promotion=None) is None
    assert terms_of(prices, region, pack=None, coins=29, promotion=None) is None
    small = Promotion("small", "Small", bonus_percent=1, bonus_coins_max=50)
    assert terms_of(prices, region, pack=None, coins=30, promotion=small).promotion is None


def test_the_best_promotion_is_chosen_and_codes_only_for_who_has_them():
    """The one that gives most; a code's only with the code."""
    ten = Promotion("ten", "Ten", bonus_percent=10, bonus_coins_max=1_000)
    five = Promotion("five", "Five", bonus_percent=5, bonus_coins_max=1_000)
    secret = Promotion("secret", "Secret", bonus_percent=50, bonus_coins_max=1_000, code="SECRET")
    assert best_promotion([five, ten, secret], None, 700, "p") is ten
    assert best_promotion([five, ten, secret], "SECRET", 700, "p") is secret
    assert best_promotion([five, ten], "SECRET", 700, "p") is None


def test_a_promotion_runs_between_its_bounds():
    """From `starts` on, and no more at `ends`."""
    hour = timedelta(hours=1)
    boxed = Promotion("boxed", "Boxed", bonus_percent=5, bonus_coins_max=5, starts=NOW, ends=NOW + hour)
    assert [boxed.runs(NOW + shift) for shift in (-hour, 0 * hour, hour)] == [False, True, False]


def test_a_list_survives_the_wire():
    """What is stored is read as what was proposed."""
    prices = built_in().list
    assert read_price_list(msgspec.json.encode(prices)) == prices
