"""The server under test: its address, its people, its catalogue, and what its processes cost."""

import json
import random
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped]
from pydantic import SecretStr

from giftserver.auth.tokens import mint
from giftserver.cli import load_settings
from giftserver.demo.identity import kept_secret

ANSWER_S: Final = 10.0
TOKEN_S: Final = 800
TOPUP_COINS_MAX: Final = 10_000
ONE_COIN_SHARE: Final = 0.81
"""Share of gifts that cost one coin, as in real rooms."""

DEAR_SHARE: Final = 0.02


class Unusable(Exception):
    """The load test cannot run against this server; the text says what to do."""


class Server:
    """One server, found in a demo's data folder or named by URL."""

    def __init__(self, url: str | None, data_dir: Path) -> None:
        settings = load_settings(data_dir=data_dir)
        secret = kept_secret(data_dir)
        if settings.jwt_secret is None and secret is not None:
            settings = settings.model_copy(update={"jwt_secret": SecretStr(secret)})
        self._settings = settings
        self.record = _read_record(data_dir / "demo.json")
        self.url = (url or str(self.record.get("url") or settings.base_url)).rstrip("/")

    def socket_url(self, room: str) -> str:
        """Address of a room's socket."""
        return f"ws{self.url.removeprefix('http')}/v1/rooms/{room}/ws"

    def check(self, room: str, *, people: bool) -> None:
        """Raise Unusable when the room cannot take gifts, or nobody could pay for them; `people`: they are named."""
        try:
            status = self.ask("GET", f"/v1/rooms/{room}")["status"]
        except urllib.error.HTTPError as problem:
            raise Unusable(f"There is no room {room} at {self.url}: name another with --room.") from problem
        except (OSError, ValueError) as problem:
            raise Unusable(f"No server at {self.url}: start `giftserver demo`, or name it with --host.") from problem
        if status != "live":
            raise Unusable(f"Room {room} is not live, so it takes no gifts.")
        if not people:
            try:
                self.ask("GET", "/demo/people")
            except urllib.error.HTTPError as problem:
                raise Unusable(
                    f"{self.url} has no free coins: fund people with loadtest.fund, and name them with --people."
                ) from problem
        self.token("somebody")

    def token(self, user: str) -> str:
        """A fresh token of this person."""
        if self._settings.jwt_secret is None:
            raise Unusable("Set GIFTSERVER_JWT_SECRET, or name a demo's folder with --data-dir.")
        return mint(self._settings, user=user, name=user, role="viewer", room=None, ttl_s=TOKEN_S)

    def fund(self, user: str, coins: int) -> None:
        """Free coins of the demo. Raises OSError."""
        while coins > 0:
            step = min(coins, TOPUP_COINS_MAX)
            self.ask("POST", "/demo/topup", {"coins": step}, self.token(user))
            coins -= step

    def coins(self, user: str) -> int:
        """What the wallet holds now."""
        return int(self.ask("GET", "/v1/wallet", None, self.token(user))["coins"])

    def prices_coins(self) -> dict[str, int]:
        """Gifts anyone may send, and their prices."""
        gifts = self.ask("GET", "/v1/catalog")["gifts"]
        return {gift["id"]: gift["coins"] for gift in gifts if not gift["regions"] and not gift["unlock_level"]}

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """A JSON answer. Raises OSError, also for an error status."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


class Menu:
    """Draws gifts as real rooms do: mostly the cheapest, now and then a dear one."""

    def __init__(self, prices_coins: dict[str, int], chance: random.Random) -> None:
        self._chance = chance
        cheapest = min(prices_coins.values())
        self._cheap = [item for item in prices_coins.items() if item[1] == cheapest]
        self._small = [item for item in prices_coins.items() if cheapest < item[1] <= 99] or self._cheap
        self._dear = [item for item in prices_coins.items() if 99 < item[1] <= 999] or self._small

    def draw(self) -> tuple[str, int]:
        """A gift and its price."""
        drawn = self._chance.random()
        if drawn < ONE_COIN_SHARE:
            return self._chance.choice(self._cheap)
        return self._chance.choice(self._dear if drawn > 1 - DEAR_SHARE else self._small)


class Costs:
    """CPU time of the demo's processes between two moments."""

    def __init__(self, record: dict[str, Any]) -> None:
        pids = {**record.get("children", {}), **record.get("engines", {})}
        self._started_s = time.monotonic()
        self._before = {(name, pid): seconds for name, pid in pids.items() if (seconds := cpu_s(pid)) is not None}

    def spent(self) -> list[dict[str, Any]]:
        """Name, CPU seconds and wall seconds of each process that still runs."""
        wall_s = time.monotonic() - self._started_s
        return [
            {"name": name, "cpu_s": round(now_s - before_s, 3), "wall_s": round(wall_s, 3)}
            for (name, pid), before_s in self._before.items()
            if (now_s := cpu_s(pid)) is not None
        ]


def cpu_s(pid: int) -> float | None:
    """CPU seconds of a process and its children, those that ended included; None when it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(sum(one.cpu_times()[:4]) for one in family)
    except psutil.Error:
        return None


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
