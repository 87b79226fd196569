"""Asks the server what it holds of the gifts of one run."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from giftserver.replay.api import Api, Refused, Unreachable
from giftserver.replay.gifter import Receipt
from giftserver.replay.people import People
from giftserver.replay.report import Row
from giftserver.replay.tally import Tally

LOOK_S: Final = 0.1
PAGE: Final = 200
HISTORY_PAGE: Final = 1_000
AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Sent:
    """A gift of this run that has its final reply."""

    user: str
    receipt: Receipt


class Proof:
    """Looks gifts up until a time of the event loop, `until_s`; the server may be away meanwhile."""

    def __init__(self, api: Api, people: People, until_s: float) -> None:
        self._api, self._people, self._until_s = api, people, until_s
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def ledger_by_key(self, gifts: Iterable[Sent]) -> Row:
        """Each key once, until the durable ledger has it."""
        states = await asyncio.gather(*(self._settled_coins(gift) for gift in gifts))
        missing = sum(coins is None for coins in states)
        remark = f"{missing} of {len(states)} gifts not settled in time" if missing else f"{len(states)} gifts settled"
        return Row("ledger, gift by gift", sum(coins or 0 for coins in states), remark)

    async def coins_of(self, tally: Tally, room: str, transfers: set[str]) -> int | None:
        """Coins a client was shown for these transfers; None when that cannot be told.

        Gifts that are put together do not name each transfer: it is everything shown, less what the room's history has
        of others over the same offsets. A client that lost its place is asked for what it was shown one by one.
        """
        if tally.position is None or tally.lost:
            return None if tally.folded_coins else tally.coins_of(transfers)
        (epoch, until), after = tally.position, tally.after
        others: int = 0
        while True:
            path = f"/v1/rooms/{quote(room, safe='')}/gifts?epoch={epoch}&after={after}&limit={HISTORY_PAGE}"
            page = await self._api.get_patiently(path, None, self._until_s)
            gifts = [gift for gift in page["gifts"] if gift["offset"] <= until]
            others += sum(gift["coins"] for gift in gifts if gift["transfer"] not in transfers)
            if page["epoch"] != epoch:
                return None
            if page["next"] is None or page["next"] >= until:
                return tally.all_coins - others
            after = page["next"]

    async def _settled_coins(self, gift: Sent) -> int | None:
        """The gift's coins once it is settled; None when that did not happen in time or it is another transfer."""
        async with self._gate:
            while True:
                token = await self._people.token(gift.user)
                try:
                    found = await self._api.get_patiently(f"/v1/gifts/{gift.receipt.key}", token, self._until_s)
                except (Refused, Unreachable):
                    return None
                if found["state"] == "settled":
                    return int(found["coins"]) if found["transfer"] == gift.receipt.transfer else None
                if asyncio.get_running_loop().time() >= self._until_s:
                    return None
                await asyncio.sleep(LOOK_S)

    async def statements(self, gifts: Iterable[Sent]) -> Row:
        """What the senders' wallet statements say was taken for these transfers, each expected once."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for gift in gifts:
            wanted[gift.user].add(gift.receipt.transfer)
        coins, found = 0, Counter[str]()
        for user, transfers in wanted.items():
            try:
                taken, lines = await self._statement(user, transfers)
            except (Refused, Unreachable) as problem:
                return Row("ledger, senders' statements", None, str(problem))
            coins += taken
            found.update(lines)
        twice = sum(count > 1 for count in found.values())
        remark = f"{len(wanted)} wallets" + (f"; {twice} transfers stand in them twice" if twice else "")
        return Row("ledger, senders' statements", coins, remark)

    async def _statement(self, user: str, transfers: set[str]) -> tuple[int, list[str]]:
        """Coins taken for these transfers, and their lines; pages are read until each was met."""
        coins, lines, missing, before = 0, list[str](), set(transfers), ""
        while True:
            token = await self._people.token(user)
            path = f"/v1/wallet/history?limit={PAGE}{before}"
            page = await self._api.get_patiently(path, token, self._until_s)
            for entry in page["entries"]:
                if entry["transfer"] in transfers:
                    coins -= entry["amount_coins"]
                    lines.append(entry["transfer"])
                    missing.discard(entry["transfer"])
            if not missing or page["next"] is None:
                return coins, lines
            before = f"&before={page['next']}"
