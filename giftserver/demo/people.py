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

OPERATORS: Final = {"operator": "Operator", "deputy": "Deputy"}
"""Ids and names of the demo's admins: what one proposes, the other may approve."""

OPERATOR: Final = "operator"
"""Id of the first admin."""

DEPUTY: Final = "deputy"
"""Id of the second admin, who has proposed something when the demo begins."""


@dataclass(frozen=True, slots=True)
class Example:
    """Somebody to whom something happened that happens to payments, and what in a few words; years, where told."""

    name: str
    story: str
    age: int | None = None


EXAMPLES: Final = {
    "oskar": Example("Oskar", "bought coins, with a bonus"),
    "petra": Example("Petra", "the card was declined"),
    "quinn": Example("Quinn", "said no to the bank's question"),
    "rosa": Example("Rosa", "a bank transfer is on its way"),
    "samir": Example("Samir", "the provider's word never came"),
    "tilda": Example("Tilda", "got a part of the money back"),
    "ulla": Example("Ulla", "disputes a payment"),
    "viktor": Example("Viktor", "a dispute lost, the coins spent"),
    "wanda": Example("Wanda", "paid another amount"),
    "leo": Example("Leo", "paid with a parent's card"),
    "greta": Example("Greta", "looks after Nils"),
    "nils": Example("Nils", "has a guardian"),
    "mika": Example("Mika", "is 15: coins are for adults", age=15),
}
"""Who shows what happens to payments and limits; they begin without coins, and `stories.py` tells what they did."""
