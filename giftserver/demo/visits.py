"""What people, operators and a payment provider do in the demo, over HTTP like everybody else."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any, Final

import httpx

from giftserver.demo.addresses import Web
from giftserver.replay.api import Refused, Unreachable, read_answer
from giftserver.replay.gifter import Gifter
from giftserver.settings import Settings

ANSWER_S: Final = 10.0
HAPPENS_S: Final = 20.0
LOOK_S: Final = 0.2
CARD: Final = {"method": "card", "expiry": "12/49", "cvc": "123"}
GOOD: Final = "4242 4242 4242 4242"


def fixed_key(name: str) -> str:
    """The key of something that is done once in the life of a demo: a UUIDv7 that is always the same."""
    return f"01990000-0000-7000-8000-{sha256(name.encode()).hexdigest()[:12]}"


class Visits:
    """Requests as one of the demo's people or as the provider's control. Methods raise Refused and Unreachable."""

    def __init__(self, url: str, sandbox: httpx.AsyncClient | None, http: httpx.AsyncClient) -> None:
        """`sandbox` has the provider's API key; None: nothing is sold here, or not by the sandbox."""
        self._url, self._sandbox, self._http = url, sandbox, http
        self._tokens: dict[str, str] = {}

    @property
    def sells(self) -> bool:
        """Whether coins are bought with pretended money."""
        return self._sandbox is not None

    async def ask(self, person: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """An answer of the server to one of the demo's people."""
        if person not in self._tokens:
            self._tokens[person] = (await self._server("POST", "/demo/token", {"id": person}, {}))["token"]
        return await self._server(method, path, body, {"authorization": f"Bearer {self._tokens[person]}"})

    async def control(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """An answer of the sandbox to the provider's own people."""
        assert self._sandbox is not None
        answer = await _answered(self._sandbox, method, path, json=body)
        return read_answer(str(self._sandbox.base_url), answer.status_code, answer.content)

    async def order(self, person: str, pack: str) -> dict[str, Any]:
        """The order of a pack, at its price of now."""
        quote = await self.ask(person, "GET", f"/v1/store/quote?pack={pack}")
        terms = {name: quote[name] for name in ("pack", "amount_minor", "currency", "bonus_coins")}
        body = {"key": fixed_key(f"order {person}"), "provider": "sandbox", **terms}
        return await self.ask(person, "POST", "/v1/payments", body)

    async def pay(self, payment: dict[str, Any], number: str = GOOD) -> None:
        """Pay by card on the hosted page."""
        await self.page(payment, "", CARD | {"number": number})

    async def page(self, payment: dict[str, Any], place: str, form: dict[str, str]) -> None:
        """Send a form of the hosted page."""
        assert self._sandbox is not None
        answer = await _answered(self._sandbox, "POST", payment["checkout_url"] + place, data=form)
        if answer.status_code != httpx.codes.SEE_OTHER:
            raise Refused(answer.status_code, {})

    async def bought(self, person: str, pack: str) -> dict[str, Any]:
        """An order that was paid by card, and is credited."""
        payment = await self.order(person, pack)
        await self.pay(payment)
        await self.until(person, f"/v1/payments/{payment['id']}", lambda found: found["state"] == "credited")
        return payment

    async def until(
        self, person: str, path: str, happened: Callable[[dict[str, Any]], object], within_s: float = HAPPENS_S
    ) -> dict[str, Any]:  # fmt: skip
        """Ask until it happened. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                found = await self.ask(person, "GET", path)
                if happened(found):
                    return found
                await asyncio.sleep(LOOK_S)

    async def give(self, person: str, room: str, gift: str, quantity: int, price_coins: int) -> None:
        """Send a gift over the room's socket, and wait until it is booked. Raises GiftRefused and TimeoutError, too."""

        async def token() -> str:
            return self._tokens[person]

        await self.ask(person, "GET", "/v1/wallet")
        gifter = Gifter(f"ws{self._url.removeprefix('http')}/v1/rooms/{room}/ws", token, random.Random())
        task = asyncio.create_task(gifter.run())
        try:
            async with asyncio.timeout(HAPPENS_S):
                await gifter.send(gift, quantity, price_coins)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.until(person, "/v1/wallet", lambda wallet: wallet["unsettled_coins"] == 0)

    async def _server(self, method: str, path: str, body: Any, headers: dict[str, str]) -> dict[str, Any]:
        answer = await _answered(self._http, method, path, json=body, headers=headers)
        return read_answer(self._url, answer.status_code, answer.content)


async def _answered(client: httpx.AsyncClient, method: str, path: str, **request: Any) -> httpx.Response:
    try:
        return await client.request(method, path, **request)
    except httpx.HTTPError as problem:
        raise Unreachable(f"{client.base_url} does not answer ({type(problem).__name__})") from problem


def session_of(payment: dict[str, Any]) -> str:
    """Path of a payment's checkout in the sandbox's API."""
    return f"/v1/sessions/{payment['checkout_url'].rsplit('/', 1)[1]}"


@contextlib.asynccontextmanager
async def open_visits(settings: Settings) -> AsyncIterator[Visits]:
    """Requests to the demo of these settings, once it is ready, until the block ends. Waits for ever."""
    url = Web.of(settings).base_url
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False))
        await _until_ready(http, "/readyz")
        sandbox, secret = None, settings.sandbox_secret
        if "sandbox" in settings.payments and settings.sandbox_url and secret:
            key = {"authorization": f"Bearer {secret.get_secret_value()}"}
            sandbox = httpx.AsyncClient(base_url=settings.sandbox_url, timeout=ANSWER_S, trust_env=False, headers=key)
            await stack.enter_async_context(sandbox)
            await _until_ready(sandbox, "/v1/mischief")
        yield Visits(url, sandbox, http)


async def _until_ready(client: httpx.AsyncClient, path: str) -> None:
    while True:
        with contextlib.suppress(Unreachable):
            if (await _answered(client, "GET", path)).is_success:
                return
        await asyncio.sleep(LOOK_S)
