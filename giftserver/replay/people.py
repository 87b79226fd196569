"""Who sends a replay's gifts, and how the replay proves to be them."""

import asyncio
import shlex
import time
from collections.abc import Sequence
from typing import Final, Protocol

from giftserver.auth.tokens import mint
from giftserver.replay.api import Api, Refused
from giftserver.settings import Settings

TOKEN_S: Final = 600
RENEW_S: Final = 60
COMMAND_S: Final = 15.0
TOPUP_COINS_MAX: Final = 10_000


class NoIdentity(Exception):
    """There is no token for somebody; the text says what to do."""


class People(Protocol):
    """A source of senders and tokens."""

    async def senders(self, count: int) -> Sequence[str]:
        """Ids of the people who send; fewer than `count` when there are no more."""
        ...

    async def token(self, user: str, role: str = "viewer") -> str:
        """A token good for some minutes. Raises NoIdentity, Refused and Unreachable."""
        ...

    async def give_coins(self, user: str, coins: int) -> bool:
        """Credit coins; False where that is not ours to do."""
        ...


class DemoPeople:
    """The demo's people: it lets anyone be anyone, and gives coins for nothing."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._tokens: dict[str, tuple[float, str]] = {}

    async def senders(self, count: int) -> Sequence[str]:
        """The demo's viewers."""
        answer = await self._api.get("/demo/people")
        return [person["id"] for person in answer["people"] if person["role"] == "viewer"][:count]

    async def token(self, user: str, role: str = "viewer") -> str:
        """A token of this person, whose role the demo knows."""
        good_until_s, token = self._tokens.get(user, (0.0, ""))
        if good_until_s < time.monotonic():
            answer = await self._api.post("/demo/token", {"id": user})
            token = answer["token"]
            self._tokens[user] = (time.monotonic() + answer["expires_in_s"] - RENEW_S, token)
        return token

    async def give_coins(self, user: str, coins: int) -> bool:
        """Credit coins, in as many steps as the demo wants."""
        token = await self.token(user)
        while coins > 0:
            step = min(coins, TOPUP_COINS_MAX)
            await self._api.post("/demo/topup", {"coins": step}, token)
            coins -= step
        return True


class NamedPeople:
    """People named by the caller, or replay-1, replay-2, …; their coins are the caller's business."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    async def senders(self, count: int) -> Sequence[str]:
        """The names."""
        return self._names[:count] or [f"replay-{number}" for number in range(1, count + 1)]

    async def give_coins(self, user: str, coins: int) -> bool:
        """Nothing is credited."""
        return False


class SignedPeople(NamedPeople):
    """Tokens signed here with the server's shared secret."""

    def __init__(self, names: Sequence[str], settings: Settings) -> None:
        super().__init__(names)
        self._settings = settings

    async def token(self, user: str, role: str = "viewer") -> str:
        """A token of this person in this role."""
        return mint(self._settings, user=user, name=user, role=role, room=None, ttl_s=TOKEN_S)


class CommandPeople(NamedPeople):
    """Tokens printed by a command, in which {user} and {role} are filled in."""

    def __init__(self, names: Sequence[str], command: str) -> None:
        super().__init__(names)
        self._command = command
        self._tokens: dict[tuple[str, str], tuple[float, str]] = {}

    async def token(self, user: str, role: str = "viewer") -> str:
        """What the command prints for this person."""
        good_until_s, token = self._tokens.get((user, role), (0.0, ""))
        if good_until_s < time.monotonic():
            token = await self._run(user, role)
            self._tokens[user, role] = (time.monotonic() + RENEW_S, token)
        return token

    async def _run(self, user: str, role: str) -> str:
        parts = [part.replace("{user}", user).replace("{role}", role) for part in shlex.split(self._command)]
        try:
            process = await asyncio.create_subprocess_exec(
                *parts, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
            )
        except OSError as problem:
            raise NoIdentity(f"The token command cannot be run ({problem.strerror}).") from problem
        try:
            async with asyncio.timeout(COMMAND_S):
                printed, _ = await process.communicate()
        except TimeoutError as problem:
            process.kill()
            raise NoIdentity(f"The token command did not end within {COMMAND_S:.0f} s.") from problem
        token = printed.decode(errors="replace").strip()
        if process.returncode != 0 or not token:
            raise NoIdentity(f"The token command gave no token for {user} (exit {process.returncode}).")
        return token


async def is_demo(api: Api) -> bool:
    """Whether the server lets anyone be anyone. Raises Unreachable."""
    try:
        await api.get("/demo/people")
    except Refused:
        return False
    return True
