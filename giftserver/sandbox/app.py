"""The composition root of the sandbox: a config in, a Starlette application out."""

import contextlib
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from giftserver.sandbox.api import PREFIX, Api, KeyGuard, json_answer
from giftserver.sandbox.background import Background
from giftserver.sandbox.book import Book
from giftserver.sandbox.checkout import Checkout
from giftserver.sandbox.claims import Claims
from giftserver.sandbox.config import Clock, SandboxConfig
from giftserver.sandbox.html import not_found
from giftserver.sandbox.journal import Journal
from giftserver.sandbox.objects import Refused
from giftserver.sandbox.pages import Pages
from giftserver.sandbox.payouts import Payouts
from giftserver.sandbox.webhooks import Webhooks


def now_ms() -> int:
    """The system's clock."""
    return time.time_ns() // 1_000_000


def create_app(config: SandboxConfig, clock: Clock = now_ms) -> Starlette:
    """The sandbox. Its journal is open and its webhooks go out while the application's lifespan lasts.

    Starting raises OSError and JournalDamaged when the journal cannot be used.
    """
    book = Book(Journal(config.journal), clock)
    background = Background()
    claims = Claims(book)
    checkout = Checkout(config, book, claims, background)
    payouts = Payouts(config, book, background)
    webhooks = Webhooks(config, book, background)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        book.open()
        book.on_event = webhooks.take
        webhooks.resume()
        checkout.resume()
        payouts.resume()
        try:
            yield
        finally:
            await background.close()
            await webhooks.close()
            book.close()

    return Starlette(
        routes=[*Api(book, checkout, claims, payouts, webhooks).routes(), *Pages(checkout, clock).routes()],
        middleware=[Middleware(KeyGuard, secret=config.secret)],
        exception_handlers={404: _nothing_here, 405: _wrong_method},
        lifespan=lifespan,
    )


async def _nothing_here(request: Request, problem: Exception) -> Response:
    if request.url.path.startswith(f"{PREFIX}/"):
        return json_answer(Refused(404, "not_found", "There is nothing at this address."))
    return not_found()


async def _wrong_method(request: Request, problem: Exception) -> Response:
    answer = json_answer(Refused(405, "wrong_method", "This address does not take this method."))
    answer.headers.update(getattr(problem, "headers", None) or {})
    return answer
