"""localstripe in a process of its own, and what it lacks in front of it: Checkout, disputes and fraud warnings.

Those are our own stand-in's. Payment intents, charges, refunds, balance transactions and events are localstripe's.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from giftserver.embedded.engine import free_port
from tests.giftserver.recharge.stripe_till import KEY, WEBHOOK_SECRET, StripeStandIn, StripeTill
from tests.giftserver.sandbox.conftest import Stage, serving

DEADLINE_S = 20.0
Hook = tuple[dict[str, str], bytes]
"""Headers and body of a webhook."""


class LocalTill(StripeStandIn):
    """Stripe, as far as there are two to play it, and its buyers. `local` speaks to localstripe itself."""

    def __init__(self, stage: Stage, local: httpx.AsyncClient) -> None:
        super().__init__(stage.url)
        self.stage, self.local = stage, local
        self.provider = StripeTill.opened(stage.url)
        self.hooks: list[Hook] = []
        self.app.router.routes.append(Route("/hooks", self._hook, methods=["POST"]))

    async def _before(self, request: Request) -> Response | None:
        refusal = await super()._before(request)
        if refusal is None:
            for session in self.sessions.values():
                if session["payment_intent"] is not None:
                    self._know(session, await self.ask("GET", f"payment_intents/{session['payment_intent']}"))
        return refusal

    def _know(self, session: dict[str, Any], intent: dict[str, Any]) -> None:
        """What Checkout makes of an intent: complete is what was paid or promised, and stays so."""
        charge = intent["latest_charge"]
        if charge is not None:
            self.charges[charge["id"]] = charge
        self.intents[intent["id"]] = {**intent, "latest_charge": charge and charge["id"]}
        if intent["status"] in ("processing", "succeeded"):
            paid = "paid" if intent["status"] == "succeeded" else "unpaid"
            session |= {"status": "complete", "payment_status": paid, "url": None}

    async def _refund(self, request: Request) -> Response:
        return await self._passed_on(request, dict(request.query_params))

    async def _intent(self, request: Request) -> Response:
        return await self._passed_on(request, dict(request.query_params))

    async def _transactions(self, request: Request) -> Response:
        """localstripe knows no time in this list."""
        asked = dict(request.query_params)
        after, until = int(asked.pop("created[gte]")), int(asked.pop("created[lt]"))
        page = (await self._answer(request, asked)).json()
        return JSONResponse({**page, "data": [one for one in page["data"] if after <= one["created"] < until]})

    async def _passed_on(self, request: Request, asked: dict[str, str]) -> Response:
        answer = await self._answer(request, asked)
        return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])

    async def _answer(self, request: Request, asked: dict[str, str]) -> httpx.Response:
        names = ("authorization", "content-type", "idempotency-key")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        body = await request.body()
        return await self.local.request(
            request.method, request.url.path, params=asked, headers=headers, content=body or None
        )

    async def _hook(self, request: Request) -> Response:
        self.hooks.append((dict(request.headers), await request.body()))
        return Response()

    async def ask(self, method: str, path: str, form: dict[str, Any] | None = None) -> Any:
        """What localstripe says; a card that it declines is an answer, too."""
        answer = await self.local.request(method, f"/v1/{path}", data=form)
        assert answer.status_code in (200, 402), answer.text
        return answer.json()

    async def card(self, number: str) -> str:
        """A card with this number."""
        card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2049", "card[cvc]": "123"}
        return str((await self.ask("POST", "payment_methods", {"type": "card", **card}))["id"])

    async def account(self, iban: str) -> str:
        """A bank account."""
        form = {"type": "sepa_debit", "sepa_debit[iban]": iban}
        return str((await self.ask("POST", "payment_methods", form))["id"])

    async def pay(self, ref: str, method: str) -> str:
        """The buyer tries to pay, as Checkout would let them; the intent's id."""
        session = self.sessions[ref]
        form = {"amount": session["amount_total"], "currency": session["currency"], "payment_method": method}
        about = {f"metadata[{name}]": value for name, value in session["metadata"].items()}
        intent = str((await self.ask("POST", "payment_intents", form | about))["id"])
        session["payment_intent"] = intent
        await self._became(session, await self.ask("POST", f"payment_intents/{intent}/confirm"))
        return intent

    async def answer_bank(self, ref: str, success: bool) -> None:
        """The buyer answers the bank's question (3-D Secure)."""
        session = self.sessions[ref]
        secret = self.intents[session["payment_intent"]]["client_secret"]
        form = {"client_secret": secret, "success": str(success).lower()}
        path = f"payment_intents/{session['payment_intent']}/_authenticate"
        await self._became(session, await self.ask("POST", path, form))

    async def _became(self, session: dict[str, Any], intent: dict[str, Any]) -> None:
        """See what became of an intent. Stripe copies its metadata to its charge, which localstripe does not."""
        if "error" in intent:  # declined: then the answer is no intent
            intent = await self.ask("GET", f"payment_intents/{session['payment_intent']}")
        self._know(session, intent)
        if (charge := intent["latest_charge"]) is not None:
            about = {f"metadata[{name}]": value for name, value in session["metadata"].items()}
            await self.ask("POST", f"charges/{charge['id']}", about)

    async def tell(self, url: str, secret: str = WEBHOOK_SECRET) -> None:
        """Have events posted there from now on, signed by this secret."""
        answer = await self.local.post("/_config/webhooks/judge", json={"url": url, "secret": secret})
        assert answer.status_code == 200, answer.text

    async def hook(self, wanted: Callable[[bytes], bool]) -> Hook:
        """The first webhook with such a body. Raises TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for hook in self.hooks:
                    if wanted(hook[1]):
                        return hook
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def localstripe(program: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """localstripe on a free port, with nothing in it, until the block ends."""
    port, log = free_port(), folder / "localstripe.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program, "--port", str(port), "--from-scratch", stdout=output, stderr=asyncio.subprocess.STDOUT
        )  # fmt: skip
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False, verify=False) as http:
            async with asyncio.timeout(DEADLINE_S):
                while not await _answers(http):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.02)
            yield http
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), DEADLINE_S)


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/v1/payouts")).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.asynccontextmanager
async def local_till(program: str, folder: Path) -> AsyncIterator[LocalTill]:
    """localstripe with what it lacks in front of it, and the plug-in that speaks to both, until the block ends."""
    async with localstripe(program, folder) as local, serving() as stage:
        till = LocalTill(stage, local)
        async with stage.playing(till.app):
            yield till
            await till.provider.close()
