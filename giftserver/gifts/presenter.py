"""What a room looks like to those who watch: the application's side of the room engine."""

import asyncio
from collections.abc import Hashable, Iterable, Sequence

import msgspec

from giftserver.gifts.body import open_combo, push_of
from giftserver.gifts.messages import FoldedGift, Gift, GiftsFolded, Person, Snapshot, Supporter, Top
from giftserver.gifts.rooms import RoomDirectory
from rooms.history import History, Record
from rooms.protocol import Push

TOP_SHOWN = 10


class RoomVanished(Exception):
    """The room was there when the socket came and is not any more."""


class Presenter:
    """Renders records and states of gift rooms."""

    def __init__(self, rooms: RoomDirectory, history: History, small_below_coins: int) -> None:
        self._rooms, self._history, self._small_below_coins = rooms, history, small_below_coins

    def render(self, record: Record) -> Push:
        """The push that shows this record."""
        return push_of(record)

    def small(self, push: Push) -> Hashable | None:
        """A cheap gift is put together with others of its sender, kind and combo; one with a note stands alone."""
        if not isinstance(push, Gift) or push.coins >= self._small_below_coins or push.note:
            return None
        return push.sender.id, push.gift, push.combo

    def merge(self, pushes: Sequence[Push]) -> Push:
        """The last of one sender's gifts, with the sums of all: what is counted over it stays the same."""
        gifts = [push for push in pushes if isinstance(push, Gift)]
        return msgspec.structs.replace(
            gifts[-1],
            quantity=sum(gift.quantity for gift in gifts),
            coins=sum(gift.coins for gift in gifts),
            diamonds=sum(gift.diamonds for gift in gifts),
        )

    def fold(self, pushes: Sequence[Push]) -> Push:
        """The sums of each kind of gift, dearest first, and how many gave it."""
        gifts = [push for push in pushes if isinstance(push, Gift)]
        kinds: dict[str, list[Gift]] = {}
        for gift in gifts:
            kinds.setdefault(gift.gift, []).append(gift)
        items = [
            FoldedGift(
                kind,
                quantity=sum(gift.quantity for gift in given),
                coins=sum(gift.coins for gift in given),
                senders=len({gift.sender.id for gift in given}),
            )
            for kind, given in kinds.items()
        ]
        return GiftsFolded(gifts[-1].offset, sorted(items, key=lambda item: -item.coins))

    async def supporters(self, room_id: str) -> list[Supporter]:
        """The room's top list, best first; coins."""
        return [Supporter(row.person, row.name, row.score) for row in await self._history.top(room_id, TOP_SHOWN)]

    async def snapshot(self, room_id: str) -> Push:
        """Live state for someone who comes without a past; raises RoomVanished."""
        room = await self._rooms.get(room_id)
        if room is None:
            raise RoomVanished(room_id)
        combos, top, total, viewers = await asyncio.gather(
            self._history.combos(room_id),
            self.supporters(room_id),
            self._history.total_score(room_id),
            self._history.read_viewers([room_id]),
        )
        return Snapshot(
            status="live" if room.live else "offline",
            title=room.title,
            creator=Person(room.creator, room.creator_name),
            stream_url=room.stream_url,
            viewers=viewers[0],
            combos=[open_combo(combo) for combo in combos],
            top=top,
            goal=None,
            total_coins=total,
            total_diamonds=total,
        )

    async def latest(self, room_id: str) -> Iterable[Push]:
        """States that change with gifts."""
        return [Top(await self.supporters(room_id))]
