"""Independent clients in one room: whoever reads the wire, in whichever subprotocol, sees the same.

In the suite these are the two libraries that it has anyway; `make judge` adds aiohttp, picows and Chromium.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import chain, product
from typing import Any

from sqlalchemy import func, select

from giftserver.durable.flush import flush_shard
from giftserver.durable.tables import transfer
from giftserver.gifts.notices import BalanceChanged, GiftsSettled, send_notice
from giftserver.ledger import keys
from tests.judges.conftest import Say
from tests.judges.hostile import new_key
from tests.judges.process import ROOM, WebProcess
from tests.judges.viewers import DEADLINE_S, Viewer, WebsocketClientViewer, WebsocketsViewer

ROOM_TYPES = ("gift", "gifts_folded", "combo_ended", "viewers", "top", "room")
OWN_TYPES = ("balance", "settled")
TRAY = (
    "dewdrop", "paper-crane", "clover", "lantern-fly", "popcorn", "green-tea", "pixel-heart", "maple", "cookie",
    "little-chick", "strawberry", "star-sticker",
)  # fmt: skip
CROWD = ("ada", "bo", "cy", "di")
LARGE = "fountain"
COINS = 100_000
ROUNDS_MAX = 30


@contextlib.asynccontextmanager
async def libraries(everybody: bool) -> AsyncIterator[list[Callable[..., Viewer]]]:
    """Who looks at the room."""
    if not everybody:
        yield [WebsocketsViewer, WebsocketClientViewer]
        return
    from tests.judges import more_viewers as more

    async with more.browsing() as more.BrowserViewer.chromium:
        yield [WebsocketsViewer, WebsocketClientViewer, more.AiohttpViewer, more.PicowsViewer, more.BrowserViewer]


async def until(viewers: Iterable[Viewer], seen: Callable[[Viewer], object], what: str) -> None:
    """Wait until each of them has seen something."""
    end_s = time.monotonic() + DEADLINE_S
    for viewer in viewers:
        while not seen(viewer):
            assert time.monotonic() < end_s, f"{viewer.name} did not see {what}: {viewer.messages[-5:]}"
            await asyncio.sleep(0.01)
            await viewer.look()


async def give(viewer: Viewer, orders: Sequence[tuple[str, int]], **fields: Any) -> list[dict[str, Any]]:
    """Send gifts all at once through this client, and wait for their receipts."""
    first = 1 + len(viewer.of("reply", "error"))
    ids = range(first, first + len(orders))
    for number, (gift, quantity) in zip(ids, orders, strict=True):
        command = {"type": "send_gift", "id": number, "key": new_key(), "gift": gift, "quantity": quantity}
        await viewer.command(**command | fields)

    def answers() -> list[dict[str, Any]]:
        return [answer for answer in viewer.of("reply", "error") if answer["id"] in ids]

    await until([viewer], lambda _: len(answers()) == len(orders), "its receipts")
    assert {answer["type"] for answer in answers()} == {"reply"}, answers()
    return [answer["result"] for answer in answers()]


async def marked(viewers: Sequence[Viewer], sender: Viewer) -> str:
    """A large gift, which everybody is shown by itself, and its transfer once everybody has seen it."""
    [receipt] = await give(sender, [(LARGE, 1)])
    transfer_id: str = receipt["transfer"]
    await until(viewers, lambda viewer: transfer_id in [gift["transfer"] for gift in viewer.of("gift")], "a large gift")
    return transfer_id


def between(viewer: Viewer, first: str, last: str) -> list[dict[str, Any]]:
    """What a viewer was shown of the room after one gift, up to another."""
    shown = viewer.of(*ROOM_TYPES)
    places = [next(at for at, one in enumerate(shown) if one.get("transfer") == mark) for mark in (first, last)]
    return shown[places[0] + 1 : places[1] + 1]


def summed(viewer: Viewer) -> Counter[str]:
    """Quantities of each gift by the counting rule, and coins under `coins`."""
    gifts = chain(viewer.of("gift"), *(folded["items"] for folded in viewer.of("gifts_folded")))
    found: Counter[str] = Counter()
    for gift in gifts:
        found[gift["gift"]] += gift["quantity"]
        found["coins"] += gift["coins"]
    return found


async def ledger(web: WebProcess) -> Counter[str]:
    """The same sums from the durable ledger."""
    for shard in range(keys.SHARDS):
        await flush_shard(web.engines.database, web.engines.ledger_redis, shard)
    sums = (func.sum(transfer.c.quantity), func.sum(transfer.c.coins))
    query = select(transfer.c.gift, *sums).where(transfer.c.room == ROOM, transfer.c.kind == "gift")
    async with web.engines.database.connect() as connection:
        rows = (await connection.execute(query.group_by(transfer.c.gift))).all()
    return Counter({gift: int(quantity) for gift, quantity, _ in rows} | {"coins": int(sum(row[2] for row in rows))})


async def traffic(web: WebProcess, viewers: Sequence[Viewer], crowd: Sequence[Viewer]) -> None:
    """Small gifts by the dozen, one after another and large ones; each client gives some; balances change."""
    for viewer in viewers:
        if not viewer.creator:
            receipts = await give(viewer, [("rose", 2), ("rose", 1), ("kite", 1), (LARGE, 1)])
            receipts += await give(viewer, [("sunflower", 1)], note="für dich 🎁")
            await send_notice(web.engines.rooms_redis, BalanceChanged(viewer.user, receipts[-1]["balance_coins"]))
            transfers = {viewer.user: [receipt["transfer"] for receipt in receipts]}
            await send_notice(web.engines.rooms_redis, GiftsSettled(transfers))
    for _ in range(ROUNDS_MAX):  # a tick with more than 30 kinds of small ones is folded, the same one again is merged
        await asyncio.gather(*(give(one, [(gift, 1) for gift in TRAY]) for one in crowd))
        if viewers[0].of("gifts_folded"):
            break
    await give(crowd[0], [("rose", 1)] * 20)
    creators = [viewer for viewer in viewers if viewer.creator]
    combos = {gift["combo"] for gift in creators[0].of("gift") if gift["combo"]}
    assert combos
    await until(creators, lambda viewer: combos <= {end["combo"] for end in viewer.of("combo_ended")}, "combos end")


async def test_independent_clients_agree(web: WebProcess, all_judges: bool, say: Say) -> None:
    """On every message of the room, in both subprotocols, for viewers and for creators; the sums are the ledger's."""
    async with libraries(all_judges) as kinds, contextlib.AsyncExitStack() as stack:
        viewers = [kind(web, binary, creator) for kind, creator, binary in product(kinds, (False, True), (True, False))]
        crowd = [type(name, (WebsocketsViewer,), {"library": name})(web, False, False) for name in CROWD]
        for viewer in (*viewers, *crowd):
            if not viewer.creator:
                await web.give_coins(viewer.user, COINS)
        for viewer in (*viewers, *crowd):
            await viewer.open()
            stack.push_async_callback(viewer.close)
        await until((*viewers, *crowd), lambda viewer: viewer.of("snapshot"), "the room")
        first = await marked(viewers, crowd[0])
        await traffic(web, viewers, crowd)
        last = await marked(viewers, crowd[0])
        for audience in ([one for one in viewers if not one.creator], [one for one in viewers if one.creator]):
            shown = between(audience[0], first, last)
            for viewer in audience[1:]:
                assert between(viewer, first, last) == shown, f"{viewer.name} against {audience[0].name}"
            types = Counter(message["type"] for message in shown)
            assert (types["gifts_folded"] > 0) is not audience[0].creator
            assert types["combo_ended"] > 0
            say(f"clients: {len(audience)} {'creators' if audience[0].creator else 'viewers'} saw {dict(types)}")
        true = await ledger(web)
        assert {viewer.name: summed(viewer) for viewer in viewers} == {viewer.name: true for viewer in viewers}
        own = {kind.library: [one.of(*OWN_TYPES) for one in viewers if one.user == kind.library] for kind in kinds}
        assert all(len(one) == 4 and one == other for one, other in own.values()), own
        say(f"clients: {', '.join(own)}: {true['coins']} coins each way, as in the ledger")
    assert web.failures() == []
