"""The people and rooms of the demo."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class DemoRoom:
    """A room of the demo and its creator."""

    id: str
    creator: str
    creator_name: str
    title: str


ROOMS: Final = (
    DemoRoom("harbour", "mira", "Mira", "Harbour lights: sea songs by request"),
    DemoRoom("attic", "tomas", "Tomas", "Attic radio: building a synth from scraps"),
    DemoRoom("meadow", "ines", "Ines", "Painting the meadow in one sitting"),
)

VISITORS: Final = {"ana": "Ana", "ben": "Ben", "chloe": "Chloé", "dmitri": "Dmitri"}
"""Ids and names of viewers that are left to whoever opens the demo: no bot spends their coins."""

REGULARS: Final = {
    "emeka": "Emeka",
    "fatima": "Fatima",
    "gui": "Gui",
    "hana": "Hana",
    "ivo": "Ivo",
    "jun": "Jun",
    "kofi": "Kofi",
    "lena": "Lena",
    "noor": "Noor",
}
"""Ids and names of viewers that the bots play."""

VIEWERS: Final = VISITORS | REGULARS

OPERATOR: Final = "operator"
"""Id of the demo's admin."""
