"""The catalogue that ships is right, and each rule refuses what breaks it."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from giftserver.gifts.catalog import COMBO_MAX_COINS, TIER_RULES, Catalog, CatalogError, load_catalog, tier_rule

STATIC = Path(__file__).resolve().parents[3] / "static"

GIFT: dict[str, Any] = {
    "id": "kite",
    "name": {"en": "Kite", "de": "Drachen"},
    "alt": {"en": "A kite"},
    "coins": 10,
    "tier": "burst",
    "combo": True,
    "animation": {"renderer": "burst", "recipe": "kite", "duration_ms": 1200},
    "sound": "pop",
    "unlock_level": 0,
    "regions": [],
    "from": None,
    "until": None,
    "version": 1,
}
INDEX: dict[str, Any] = {"catalog_version": 1, "languages": ["en", "de"], "sounds": ["pop"], "files": ["burst.json"]}


def write(folder: Path, *gifts: dict[str, Any], **index: Any) -> Path:
    (folder / "catalog.json").write_text(json.dumps({**INDEX, **index}))
    (folder / "burst.json").write_text(json.dumps(gifts))
    return folder


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_catalog_follows_the_price_shape(catalog: Catalog) -> None:
    """About sixty gifts, every tier present, the cheapest price the most common."""
    prices = [gift.coins for gift in catalog.gifts.values()]
    assert 55 <= len(prices) <= 70
    assert max(set(prices), key=prices.count) == 1
    assert max(prices) == 44_999
    assert {gift.tier for gift in catalog.gifts.values()} == {rule.tier for rule in TIER_RULES}
    assert sum(100 <= price < 10_000 for price in prices) > len(prices) / 3


def test_every_gift_has_art_recipe_and_sound(catalog: Catalog) -> None:
    """What the catalogue names exists among the static files."""
    sounds = json.loads((STATIC / "gifts/sounds.json").read_text())
    recipes = {rule.tier: json.loads((STATIC / f"gifts/recipes/{rule.tier}.json").read_text()) for rule in TIER_RULES}
    for gift in catalog.gifts.values():
        assert (STATIC / f"gifts/{gift.id}.svg").is_file(), gift.id
        assert gift.animation.recipe in recipes[gift.tier], gift.id
        assert gift.sound in sounds, gift.id
    for tier in recipes.values():
        assert "plain" in tier


def test_every_picture_of_a_recipe_exists() -> None:
    """A sprite's art is `gift` or a file under static/gifts."""
    for rule in TIER_RULES:
        for name, recipe in json.loads((STATIC / f"gifts/recipes/{rule.tier}.json").read_text()).items():
            for sprite in recipe.get("sprites", []):
                art = sprite["art"]
                assert art == "gift" or (STATIC / f"gifts/{art}.svg").is_file(), f"{rule.tier}/{name}: {art}"


def test_tiers_cover_every_price_once() -> None:
    """The cut points leave no gap, and combos end where bursts end."""
    for before, after in itertools.pairwise(TIER_RULES):
        assert after.coins_min == before.coins_max + 1
    assert tier_rule(COMBO_MAX_COINS).tier == "burst"
    assert tier_rule(COMBO_MAX_COINS + 1).tier == "half"
    with pytest.raises(ValueError, match="no tier for 0 coins"):
        tier_rule(0)


def test_public_body_is_stable_and_complete(catalog: Catalog) -> None:
    """The public body carries version, languages and gifts by price; its ETag depends on nothing else."""
    body = catalog.public()
    assert set(body) == {"version", "languages", "gifts"}
    assert body["languages"] == ["en", "de", "es", "ja"]
    gifts = json.loads(catalog.public_json)["gifts"]
    assert [gift["coins"] for gift in gifts] == sorted(gift["coins"] for gift in gifts)
    assert gifts[0]["art"] == "/static/gifts/dewdrop.svg"
    assert {"from", "until", "unlock_level", "alt"} <= set(gifts[0])
    assert catalog.etag == load_catalog().etag
    assert catalog.etag.startswith('"')
    assert catalog.etag.endswith('"')


def test_get_knows_its_gifts_only(catalog: Catalog) -> None:
    """An unknown id is None, not an error."""
    dewdrop = catalog.get("dewdrop")
    assert dewdrop is not None
    assert dewdrop.coins == 1
    assert catalog.get("nothing") is None


def test_gifts_cannot_be_changed(catalog: Catalog) -> None:
    """A loaded catalogue is immutable."""
    with pytest.raises(TypeError):
        catalog.gifts["x"] = catalog.gifts["dewdrop"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        catalog.gifts["dewdrop"].coins = 0  # type: ignore[misc]


def test_availability_by_region_and_time(tmp_path: Path) -> None:
    """`from` is inclusive, `until` exclusive; a regional gift is not offered to an unknown region."""
    season = {**GIFT, "from": "2026-12-01T00:00:00Z", "until": "2027-01-01T00:00:00+00:00", "regions": ["DE"]}
    catalog = load_catalog(write(tmp_path, season))
    gift = catalog.gifts["kite"]
    start, end = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert catalog.available(gift, "DE", start)
    assert not catalog.available(gift, "DE", end)
    assert not catalog.available(gift, "DE", datetime(2026, 11, 30, tzinfo=UTC))
    assert not catalog.available(gift, "FR", start)
    assert not catalog.available(gift, None, start)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "Big Kite"}, "id"),
        ({"price": 3}, "price"),
        ({"coins": "10"}, "coins"),
        ({"coins": 0}, "coins"),
        ({"coins": 2_000_000}, "coins"),
        ({"name": {"en": "Kite"}}, "name.de"),
        ({"name": {"en": "Kite", "de": " "}}, "name.de"),
        ({"name": {"en": "Kite", "de": "Drachen", "xx": "?"}}, "name.xx"),
        ({"alt": {"de": "Ein Drachen"}}, "alt.en"),
        ({"alt": {"en": "A kite", "xx": "?"}}, "alt.xx"),
        ({"tier": "tray"}, "tier"),
        ({"tier": "huge"}, "tier"),
        ({"combo": False}, "combo"),
        ({"animation": {"renderer": "scene", "recipe": "kite", "duration_ms": 1200}}, "animation.renderer"),
        ({"animation": {"renderer": "burst", "recipe": "a kite", "duration_ms": 1200}}, "animation.recipe"),
        ({"animation": {"renderer": "burst", "recipe": "kite", "duration_ms": 9000}}, "animation.duration_ms"),
        ({"animation": {"renderer": "burst", "recipe": "kite"}}, "animation"),
        ({"sound": "bang"}, "sound"),
        ({"unlock_level": -1}, "unlock_level"),
        ({"unlock_level": 51}, "unlock_level"),
        ({"regions": ["de"]}, "regions"),
        ({"regions": ["DE", "DE"]}, "regions"),
        ({"from": "2026-12-01T00:00:00"}, "from"),
        ({"from": "2026-12-02T00:00:00Z", "until": "2026-12-01T00:00:00Z"}, "until"),
        ({"from": "tomorrow"}, "from"),
        ({"version": 2}, "version"),
        ({"version": 0}, "version"),
    ],
)
def test_each_rule_names_gift_field_and_fix(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    """A broken gift is refused with the file, the gift, the field and a way to mend it."""
    gift = {**GIFT, **change}
    with pytest.raises(CatalogError) as refused:
        load_catalog(write(tmp_path, gift))
    error = refused.value
    assert (error.file, error.gift, error.field) == ("burst.json", gift["id"], field)
    assert error.fix
    assert error.fix in str(error)


def test_missing_field_is_named(tmp_path: Path) -> None:
    """A gift without a field says which."""
    gift = {key: value for key, value in GIFT.items() if key != "sound"}
    with pytest.raises(CatalogError) as refused:
        load_catalog(write(tmp_path, gift))
    assert refused.value.field == "sound"


def test_same_id_twice_is_refused(tmp_path: Path) -> None:
    """Ids are unique over all files."""
    with pytest.raises(CatalogError, match=r"also used in burst\.json"):
        load_catalog(write(tmp_path, GIFT, GIFT))


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        ({"catalog_version": 0}, "catalog_version"),
        ({"languages": ["de"]}, "languages"),
        ({"files": []}, "no gift in any file"),
        ({"files": ["missing.json"]}, "missing.json"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_index_is_checked(tmp_path: Path, index: dict[str, Any], problem: str) -> None:
    """A broken catalog.json is refused and named."""
    with pytest.raises(CatalogError, match=problem):
        load_catalog(write(tmp_path, GIFT, **index))


def test_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    """Broken JSON names its file."""
    write(tmp_path, GIFT)
    (tmp_path / "burst.json").write_text("[{")
    with pytest.raises(CatalogError, match=r"burst\.json"):
        load_catalog(tmp_path)


def test_folder_without_a_catalogue_is_refused(tmp_path: Path) -> None:
    """A wrong path says what is missing."""
    with pytest.raises(CatalogError, match=r"catalog\.json"):
        load_catalog(tmp_path)
