"""The gift catalogue: what can be sent, what it costs, how it is shown.

The data is JSON beside this file, in `catalog/`: `catalog.json` names the version, the languages, the sounds and the
gift files; each gift file is an array of gifts. Everything is checked once, when it is loaded, and a mistake stops
the start with the file, the gift, the field and the fix.

Price and tier are one thing seen twice, cut at these points (coins, inclusive):

| tier  | coins          | shown as                          | combo |
|-------|----------------|-----------------------------------|-------|
| tray  | 1 to 9         | a lane in the tray                | yes   |
| burst | 10 to 99       | the lane, and a burst out of it   | yes   |
| half  | 100 to 999     | a curve across the lower half     | no    |
| full  | 1,000 to 9,999 | the dimmed stage                  | no    |
| epic  | 10,000 and up  | a scene in three beats            | no    |
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec

Tier = Literal["tray", "burst", "half", "full", "epic"]
Renderer = Literal["lane", "burst", "curve", "stage", "scene"]

COMBO_MAX_COINS: Final = 99
PRICE_MAX_COINS: Final = 1_000_000
UNLOCK_LEVEL_MAX: Final = 50
REQUIRED_LANGUAGE: Final = "en"

_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REGION: Final = re.compile(r"[A-Z]{2}")


class CatalogError(ValueError):
    """The catalogue cannot be used. Says where (file, gift, field), what is wrong and how to mend it."""

    def __init__(self, file: str, gift: str | None, field: str | None, problem: str, fix: str) -> None:
        self.file = file
        self.gift = gift
        self.field = field
        self.fix = fix
        where = [file]
        if gift is not None:
            where.append(f"gift {gift!r}")
        if field is not None:
            where.append(f"field {field!r}")
        super().__init__(f"{', '.join(where)}: {problem}. Fix: {fix}.")


class Animation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a gift is shown: the drawing method, the recipe's name in `static/gifts/recipes/`, the length in ms."""

    renderer: Renderer
    recipe: str
    duration_ms: int


class Gift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One gift. `coins` is the price of one; `regions` empty means everywhere; `from`/`until` bound when it is sold."""

    id: str
    name: dict[str, str]
    alt: dict[str, str]
    coins: int
    tier: Tier
    combo: bool
    animation: Animation
    sound: str | None
    unlock_level: int
    regions: tuple[str, ...]
    available_from: datetime | None = msgspec.field(name="from")
    available_until: datetime | None = msgspec.field(name="until")
    version: int


class _Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    catalog_version: int
    languages: tuple[str, ...]
    sounds: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TierRule:
    """What a tier demands of its gifts: the price range, the renderer, and how long the animation may last."""

    tier: Tier
    coins_min: int
    coins_max: int
    renderer: Renderer
    duration_min_ms: int
    duration_max_ms: int


TIER_RULES: Final[tuple[TierRule, ...]] = (
    TierRule("tray", 1, 9, "lane", 3_000, 4_000),
    TierRule("burst", 10, 99, "burst", 1_000, 1_500),
    TierRule("half", 100, 999, "curve", 2_000, 3_000),
    TierRule("full", 1_000, 9_999, "stage", 4_000, 6_000),
    TierRule("epic", 10_000, PRICE_MAX_COINS, "scene", 8_000, 12_000),
)


def tier_rule(coins: int) -> TierRule:
    """The rule for a price in coins (1 to 1,000,000). Raises ValueError outside that range."""
    for rule in TIER_RULES:
        if rule.coins_min <= coins <= rule.coins_max:
            return rule
    raise ValueError(f"no tier for {coins} coins")


class Catalog:
    """Every gift there is, immutable. Build it with `load_catalog`."""

    def __init__(self, version: int, languages: Sequence[str], gifts: Sequence[Gift]) -> None:
        self.version: Final = version
        self.languages: Final = tuple(languages)
        self.gifts: Final[Mapping[str, Gift]] = MappingProxyType({gift.id: gift for gift in gifts})
        self.public_json: Final = msgspec.json.encode(self.public())
        self.etag: Final = f'"{hashlib.sha256(self.public_json).hexdigest()[:32]}"'

    def get(self, gift_id: str) -> Gift | None:
        """The gift with this id, or None."""
        return self.gifts.get(gift_id)

    def available(self, gift: Gift, region: str | None, now: datetime) -> bool:
        """Whether `gift` may be sent from `region` (ISO 3166 alpha-2, None if unknown) at `now` (aware).

        A gift bound to regions is not offered where the region is unknown. `from` is inclusive, `until` is not.
        """
        if gift.regions and region not in gift.regions:
            return False
        if gift.available_from is not None and now < gift.available_from:
            return False
        return gift.available_until is None or now < gift.available_until

    def public(self) -> dict[str, object]:
        """The body of `GET /v1/catalog`: `{version, languages, gifts}`, gifts by price, each with its `art` path."""
        gifts: list[dict[str, object]] = []
        for gift in sorted(self.gifts.values(), key=lambda gift: gift.coins):
            fields: dict[str, object] = msgspec.to_builtins(gift)
            gifts.append({**fields, "art": f"/static/gifts/{gift.id}.svg"})
        return {"version": self.version, "languages": list(self.languages), "gifts": gifts}


def load_catalog(path: Path | None = None) -> Catalog:
    """Read and check the catalogue in the folder `path`, or the one that comes with the package.

    Raises CatalogError on the first mistake.
    """
    folder: Traversable = files("giftserver.gifts").joinpath("catalog") if path is None else path
    index = _read_index(folder)
    gifts: list[Gift] = []
    seen: dict[str, str] = {}
    for file in index.files:
        for gift in _read_gifts(folder, file):
            if gift.id in seen:
                raise CatalogError(file, gift.id, "id", f"also used in {seen[gift.id]}", "give every gift its own id")
            seen[gift.id] = file
            _check_gift(file, gift, index)
            gifts.append(gift)
    if not gifts:
        raise CatalogError("catalog.json", None, "files", "no gift in any file", "list a file that has gifts")
    return Catalog(index.catalog_version, index.languages, gifts)


def _read(folder: Traversable, file: str) -> bytes:
    try:
        return folder.joinpath(file).read_bytes()
    except OSError as error:
        raise CatalogError(
            file, None, None, f"cannot be read ({error.strerror})", "create it or correct the path"
        ) from error


def _read_index(folder: Traversable) -> _Index:
    file = "catalog.json"
    try:
        index = msgspec.json.decode(_read(folder, file), type=_Index)
    except msgspec.DecodeError as error:
        raise CatalogError(file, None, None, str(error), "correct the field or remove it") from error
    if index.catalog_version < 1:
        raise CatalogError(
            file, None, "catalog_version", f"is {index.catalog_version}", "count versions from 1 and only up"
        )
    if REQUIRED_LANGUAGE not in index.languages:
        raise CatalogError(file, None, "languages", "has no 'en'", "add 'en', the language all others fall back to")
    return index


def _read_gifts(folder: Traversable, file: str) -> Iterator[Gift]:
    try:
        rows = msgspec.json.decode(_read(folder, file), type=list[dict[str, object]])
    except msgspec.DecodeError as error:
        raise CatalogError(file, None, None, str(error), "make the file a JSON array of gifts") from error
    for position, row in enumerate(rows):
        name = str(row.get("id", f"#{position + 1}"))
        try:
            yield msgspec.convert(row, Gift, strict=True)
        except msgspec.ValidationError as error:
            problem, _, at = str(error).partition(" - at `$.")
            found = re.search(r"field `(\w+)`", problem)
            field = at.rstrip("`") or (found.group(1) if found else None)
            raise CatalogError(
                file, name, field, problem, "write the field as the Gift type in catalog.py has it"
            ) from error


def _check_gift(file: str, gift: Gift, index: _Index) -> None:
    for field, problem, fix in _faults(gift, index):
        raise CatalogError(file, gift.id, field, problem, fix)


def _faults(gift: Gift, index: _Index) -> Iterator[tuple[str, str, str]]:
    if not _SLUG.fullmatch(gift.id):
        yield "id", f"{gift.id!r} is not a slug", "use a-z, 0-9 and single hyphens"
    yield from _name_faults(gift, index.languages)
    yield from _price_faults(gift)
    if gift.sound is not None and gift.sound not in index.sounds:
        yield "sound", f"{gift.sound!r} is not a known sound", "use one of `sounds` in catalog.json, or null"
    yield from _offer_faults(gift)
    if not 1 <= gift.version <= index.catalog_version:
        yield (
            "version",
            f"is {gift.version}, the catalogue is at {index.catalog_version}",
            "set the catalog_version the gift last changed in",
        )


def _name_faults(gift: Gift, languages: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for language in languages:
        if not gift.name.get(language, "").strip():
            yield f"name.{language}", "is missing or empty", "name the gift in every language of catalog.json"
    for field, texts in (("name", gift.name), ("alt", gift.alt)):
        for language in texts:
            if language not in languages:
                yield (
                    f"{field}.{language}",
                    "is not a language of catalog.json",
                    "add it there, or remove it here",
                )
    if not gift.alt.get(REQUIRED_LANGUAGE, "").strip():
        yield "alt.en", "is missing or empty", "describe the picture in one short sentence"


def _price_faults(gift: Gift) -> Iterator[tuple[str, str, str]]:
    if not 1 <= gift.coins <= PRICE_MAX_COINS:
        yield "coins", f"is {gift.coins}", f"use 1 to {PRICE_MAX_COINS}"
        return
    rule = tier_rule(gift.coins)
    if gift.tier != rule.tier:
        yield "tier", f"is {gift.tier!r} at {gift.coins} coins", f"make it {rule.tier!r} or change the price"
    if gift.combo != (gift.coins <= COMBO_MAX_COINS):
        yield (
            "combo",
            f"is {str(gift.combo).lower()} at {gift.coins} coins",
            f"gifts up to {COMBO_MAX_COINS} coins combine, dearer ones do not",
        )
    animation = gift.animation
    if animation.renderer != rule.renderer:
        yield "animation.renderer", f"is {animation.renderer!r}", f"{rule.tier} gifts use {rule.renderer!r}"
    if not _SLUG.fullmatch(animation.recipe):
        yield "animation.recipe", f"{animation.recipe!r} is not a slug", "use a-z, 0-9 and single hyphens"
    if not rule.duration_min_ms <= animation.duration_ms <= rule.duration_max_ms:
        yield (
            "animation.duration_ms",
            f"is {animation.duration_ms}",
            f"{rule.tier} gifts last {rule.duration_min_ms} to {rule.duration_max_ms} ms",
        )


def _offer_faults(gift: Gift) -> Iterator[tuple[str, str, str]]:
    if not 0 <= gift.unlock_level <= UNLOCK_LEVEL_MAX:
        yield "unlock_level", f"is {gift.unlock_level}", f"use 0 (open to all) to {UNLOCK_LEVEL_MAX}"
    for region in gift.regions:
        if not _REGION.fullmatch(region):
            yield (
                "regions",
                f"{region!r} is not a region",
                "use ISO 3166 alpha-2 codes in capitals, such as 'DE'",
            )
    if len(set(gift.regions)) != len(gift.regions):
        yield "regions", "names a region twice", "name each region once"
    for field, moment in (("from", gift.available_from), ("until", gift.available_until)):
        if moment is not None and moment.tzinfo is None:
            yield field, "has no time zone", "write it with one, such as 2026-12-01T00:00:00Z"
            return
    if gift.available_from and gift.available_until and gift.available_from >= gift.available_until:
        yield "until", "is not after 'from'", "swap them, or set one to null"
