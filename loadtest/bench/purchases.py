"""A thousand purchases through the sandbox while it misbehaves: every paid one is credited once, none unpaid.

    python -m loadtest.bench.purchases

A whole giftserver, web, worker and flusher, each a process, and the sandbox as another. Buyers sit in a room, order
over HTTP, and pay, decline or abandon on the hosted page; a share of the checkouts has webhooks that come twenty times,
late, shuffled, forged, stale or never, amounts and currencies that are wrong, and answers that fail. At the end the
sandbox's book, ours, and the ledger are compared. Exit status: 0 all rules hold, 1 one fails.
"""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import httpx
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from giftserver.embedded.engine import free_port
from loadtest.bench.engines import temporary_folder
from loadtest.bench.figures import percentile
from loadtest.bench.givers import Keys
from loadtest.bench.rules import Rule, at_most, exit_status
from loadtest.bench.stack import Stack, open_stack

ROOM: Final = "hot"
SECRETS: Final = {"GIFTSERVER_SANDBOX_SECRET": "key of a benchmark", "GIFTSERVER_SANDBOX_WEBHOOK_SECRET": "of webhooks"}
MISCHIEF: Final[tuple[dict[str, Any], ...]] = (
    {"copies": 20, "shuffle": True}, {"delay_s": 2.0}, {"drop": 1.0}, {"forge": True}, {"stale": True},
    {"wrong_amount": True}, {"wrong_currency": True}, {"fetch_fails": 3},
)  # fmt: skip
NEVER_CREDITED: Final = ("wrong_amount", "wrong_currency")
DECLINED: Final = {"method": "card", "number": "4000000000000002", "expiry": "12/49", "cvc": "123"}
COMING_AT_ONCE: Final = 50
SHARE_DECLINED, SHARE_ABANDONED = 0.05, 0.05
QUIET_S: Final = 5.0
DEADLINE_S: Final = 120.0
ON_SCREEN_MS: Final = 1_000
UNCREDITED_MS: Final = 300_000
LOOK_S: Final = 0.2


@dataclass(slots=True)
class Buyer:
    """One person: what they did, and when their balance moved on their screen."""

    name: str
    token: str
    mischief: dict[str, Any] | None
    does: str
    """pay, decline or abandon."""

    payment: dict[str, Any] = field(default_factory=dict)
    paid_s: float = 0.0
    shown: list[tuple[float, int]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """Of their requests."""
        return {"authorization": f"Bearer {self.token}"}

    @property
    def credited(self) -> bool:
        """Whether they must have coins in the end."""
        return self.does == "pay" and not any(name in NEVER_CREDITED for name in self.mischief or ())


class Shopping:
    """All buyers at one giftserver and one sandbox."""

    def __init__(self, stack: Stack, sandbox_url: str, buyers: list[Buyer]) -> None:
        self._stack, self.buyers = stack, buyers
        self._url = f"http://127.0.0.1:{stack.port}"
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self._shop = httpx.AsyncClient(base_url=self._url, timeout=30, limits=limits, trust_env=False)
        key = {"authorization": f"Bearer {SECRETS['GIFTSERVER_SANDBOX_SECRET']}"}
        self._sandbox = httpx.AsyncClient(base_url=sandbox_url, timeout=30, limits=limits, headers=key, trust_env=False)
        self._keys = Keys()
        self._screens: list[asyncio.Task[None]] = []

    async def sit_down(self) -> None:
        """Everybody opens the room; their balance is pushed to them from now on."""
        for start in range(0, len(self.buyers), COMING_AT_ONCE):
            ready = [asyncio.Event() for _ in self.buyers[start : start + COMING_AT_ONCE]]
            for buyer, here in zip(self.buyers[start : start + COMING_AT_ONCE], ready, strict=True):
                self._screens.append(asyncio.create_task(self._watch(buyer, here)))
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.gather(*(here.wait() for here in ready))

    async def _watch(self, buyer: Buyer, here: asyncio.Event) -> None:
        address = f"{self._url.replace('http', 'ws', 1)}/v1/rooms/{ROOM}/ws"
        async with connect(
            address, additional_headers=buyer.headers, subprotocols=[Subprotocol("giftserver.v1.json")],
            compression=None, max_queue=None,
        ) as socket:  # fmt: skip
            try:
                async for frame in socket:
                    here.set()
                    for message in json.loads(frame):
                        if message["type"] == "balance":
                            buyer.shown.append((time.monotonic(), message["coins"]))
            except ConnectionClosed:
                return

    async def buy(self, per_s: float) -> None:
        """Everybody orders and does what they came for, so many a second."""
        started_s = time.monotonic()

        async def one(place: int, buyer: Buyer) -> None:
            await asyncio.sleep(max(0.0, started_s + place / per_s - time.monotonic()))
            await self._buy(buyer)

        async with asyncio.timeout(len(self.buyers) / per_s + DEADLINE_S):
            await asyncio.gather(*(one(place, buyer) for place, buyer in enumerate(self.buyers)))

    async def _buy(self, buyer: Buyer) -> None:
        body = {
            "key": next(self._keys.some(1)).decode(), "provider": "sandbox", "pack": "coins-700", "amount_minor": 999,
            "bonus_coins": 70, "currency": "USD",
        }  # fmt: skip
        answer = await self._shop.post("/v1/payments", json=body, headers=buyer.headers)
        answer.raise_for_status()
        buyer.payment = answer.json()
        page = buyer.payment["checkout_url"]
        if buyer.mischief is not None:
            session = page.rsplit("/", 1)[1]
            await self._sandbox.put(f"/v1/sessions/{session}/mischief", json=buyer.mischief)
        if buyer.does == "abandon":
            return
        form = DECLINED if buyer.does == "decline" else {"method": "wallet"}
        buyer.paid_s = time.monotonic()
        await self._sandbox.post(page, data=form)

    async def state(self, buyer: Buyer) -> dict[str, Any]:
        """How a payment stands."""
        answer = await self._shop.get(f"/v1/payments/{buyer.payment['id']}", headers=buyer.headers)
        found: dict[str, Any] = answer.json()
        return found

    async def settled(self) -> Counter[str]:
        """Return when every payment is where it must end, with the states; or what they were when time was over."""
        waiting = {buyer.name: buyer for buyer in self.buyers if buyer.does == "pay"}
        until_s, ended = time.monotonic() + DEADLINE_S, Counter[str]()
        while waiting and time.monotonic() < until_s:
            for buyer in list(waiting.values()):
                found = await self.state(buyer)
                if found["state"] == "credited" or found["in_review"]:
                    ended["in review" if found["in_review"] else "credited"] += 1
                    del waiting[buyer.name]
            await asyncio.sleep(LOOK_S)
        return ended + Counter({"unsettled": len(waiting)})

    async def coins(self, buyer: Buyer) -> int:
        """What is in the wallet."""
        answer = await self._shop.get("/v1/wallet", headers=buyer.headers)
        return int(answer.json()["coins"])

    async def credited_ms(self, buyer: Buyer) -> int | None:
        """From when the server knew that it was paid until its coins were there; None while they are not."""
        at = {step["state"]: step["at_ms"] for step in (await self.state(buyer))["steps"]}
        return at["credited"] - at["succeeded"] if "credited" in at else None

    async def balance(self) -> dict[str, int]:
        """The sandbox's own book, in dollars."""
        found: dict[str, int] = (await self._sandbox.get("/v1/balance")).json()["balances"].get("USD", {})
        return found

    async def leave(self) -> None:
        """Close everything."""
        for screen in self._screens:
            screen.cancel()
        await asyncio.gather(*self._screens, return_exceptions=True)
        await self._shop.aclose()
        await self._sandbox.aclose()


def crowd(stack: Stack, count: int, share: float) -> list[Buyer]:
    """Buyers, of whom a share meets mischief, and some do not pay."""
    chance = random.Random(7)
    found = []
    for number in range(count):
        does = chance.choices(("pay", "decline", "abandon"), (1, SHARE_DECLINED, SHARE_ABANDONED))[0]
        mischief = MISCHIEF[number % len(MISCHIEF)] if chance.random() < share else None
        found.append(Buyer(f"buyer-{number}", stack.token(f"buyer-{number}"), mischief, does))
    return found


async def measure(stack: Stack, sandbox_url: str, count: int, share: float, per_s: float) -> list[Rule]:
    """Buy, wait, compare."""
    shopping = Shopping(stack, sandbox_url, crowd(stack, count, share))
    try:
        await shopping.sit_down()
        started_s = time.monotonic()
        await shopping.buy(per_s)
        click.echo(f"  {count:,} orders and what came of them in {time.monotonic() - started_s:.1f} s")
        ended = await shopping.settled()
        return [*await judge(shopping, ended)]
    finally:
        await shopping.leave()


async def judge(shopping: Shopping, ended: Counter[str]) -> list[Rule]:
    """Every purchase against what it must have come to."""
    buyers = shopping.buyers
    due = [buyer for buyer in buyers if buyer.credited]
    coins = {buyer.name: await shopping.coins(buyer) for buyer in buyers}
    once = sum(coins[buyer.name] == 770 for buyer in due)
    waited_ms = [await shopping.credited_ms(buyer) for buyer in due]
    late = sum(ms is None or ms > UNCREDITED_MS for ms in waited_ms)
    longest_ms = max((ms for ms in waited_ms if ms is not None), default=0)
    unpaid = [buyer.name for buyer in buyers if not buyer.credited and coins[buyer.name]]
    plain = [buyer for buyer in due if buyer.mischief is None and buyer.shown]
    took_ms = [(buyer.shown[0][0] - buyer.paid_s) * 1_000 for buyer in plain]
    met = Counter(next(iter(buyer.mischief)) for buyer in buyers if buyer.mischief)
    click.echo(f"  mischief: {', '.join(f'{name} {number}' for name, number in sorted(met.items()))}")
    click.echo(f"  the sandbox took {await shopping.balance()}")
    told = ", ".join(f"{number:,} {state}" for state, number in sorted(ended.items()))
    p50 = percentile(took_ms, 50) if took_ms else 0.0
    return [
        Rule("every paid purchase is credited once", f"{once:,} of {len(due):,}; {told}", once == len(due)),
        Rule("paid and not credited within 5 minutes: none", f"{late:,}; the longest {longest_ms:,} ms", not late),
        Rule("no unpaid or wrong one is credited", f"{len(unpaid)} of {len(buyers) - len(due)}", not unpaid),
        at_most(
            "coins on the screen, p99 after the payment", [percentile(took_ms, 99)] if took_ms else [], ON_SCREEN_MS,
            " ms", f"p50 {p50:.0f} ms, {len(took_ms):,} purchases without mischief",
        ),
    ]  # fmt: skip


async def run(folder: Path, count: int, share: float, per_s: float) -> list[Rule]:
    """A giftserver with its sandbox, the purchases, and the proof."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = SECRETS | {
        "GIFTSERVER_PAYMENTS": "sandbox", "GIFTSERVER_SANDBOX_URL": url, "GIFTSERVER_SANDBOX_PORT": str(port),
        "GIFTSERVER_PAYMENTS_QUIET_S": str(QUIET_S),
    }  # fmt: skip
    async with open_stack(folder, None, (ROOM,), (), environment) as stack:
        stack.start("flusher")
        stack.start("sandbox")
        await answers(url)
        found = await measure(stack, url, count, share, per_s)
        proof = await stack.proof()
        if not proof.holds:
            click.echo(proof.render())
        return [*found, Rule("verify is clean", f"{count:,} payments", proof.holds)]


async def answers(url: str) -> None:
    """Return when the sandbox answers. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE_S), httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                await http.get(url)
                return
            except httpx.HTTPError:
                await asyncio.sleep(LOOK_S)


@click.command()
@click.option("--purchases", type=click.IntRange(1, 5_000), default=1_000, show_default=True)
@click.option("--mischief", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share that meets some.")
@click.option("--per-s", type=click.FloatRange(0.1, 1_000), default=10.0, show_default=True, help="Orders a second.")
def main(purchases: int, mischief: float, per_s: float) -> None:
    """Buy coins a thousand times; print what was found."""
    with temporary_folder() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(run(Path(folder), purchases, mischief, per_s))
    for rule in found:
        click.echo(f"  {rule}")
    raise SystemExit(exit_status(found))


if __name__ == "__main__":
    main()
