"""The hosted pages: where the customer pays, and where the bank asks."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from giftserver.sandbox.addresses import with_session
from giftserver.sandbox.bodies import read_bytes
from giftserver.sandbox.cards import read_card
from giftserver.sandbox.checkout import Checkout
from giftserver.sandbox.config import Clock
from giftserver.sandbox.html import html_page, not_found
from giftserver.sandbox.objects import Kept, Refused
from giftserver.sandbox.screens import ended_screen, pay_screen, secure_screen

FORM_BYTES_MAX: Final = 8_192
FIELDS_MAX: Final = 16
EXPIRY_CHARACTERS_MAX: Final = 24


class Pages:
    """Handlers of the pages. Redirects within the sandbox are relative, so that it can stand behind any address."""

    def __init__(self, checkout: Checkout, clock: Clock) -> None:
        self._checkout, self._clock = checkout, clock

    def routes(self) -> list[Route]:
        """Routes of every page."""
        return [
            Route("/pay/{id}", self.show, methods=["GET"]),
            Route("/pay/{id}", self.pay, methods=["POST"]),
            Route("/pay/{id}/secure", self.show_question, methods=["GET"]),
            Route("/pay/{id}/secure", self.answer_question, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """`GET /pay/{id}`: the page to pay on, or why that is over."""
        kept = self._checkout.current(request.path_params["id"])
        return not_found() if isinstance(kept, Refused) else self._shown(kept)

    async def pay(self, request: Request) -> Response:
        """`POST /pay/{id}`: pay or cancel, then 303 to what comes next; 422 with words beside fields that are wrong."""
        form = await read_form(request)
        kept = self._checkout.current(request.path_params["id"])
        if isinstance(kept, Refused):
            return not_found()
        if isinstance(form, Refused):
            return _refused_page(form)
        if not self._checkout.payable(kept):
            return _to(kept.id)
        if form.get("action") == "cancel":
            self._checkout.cancel(kept)
            return _back(kept)
        match form.get("method"):
            case "card":
                return self._pay_by_card(kept, form)
            case "wallet":
                self._checkout.pay_by_wallet(kept)
            case "bank":
                self._checkout.pay_by_bank(kept)
            case _:
                return self._shown(kept, status=422)
        return _back(kept)

    async def show_question(self, request: Request) -> Response:
        """`GET /pay/{id}/secure`: the bank's question, while it is open."""
        kept = self._checkout.current(request.path_params["id"])
        if isinstance(kept, Refused):
            return not_found()
        if kept.session.state != "requires_action":
            return _to(f"../{kept.id}")
        content = secure_screen(kept, self._checkout.last_four(kept.id))
        return html_page("Your bank asks", content, return_url=kept.return_url)

    async def answer_question(self, request: Request) -> Response:
        """`POST /pay/{id}/secure`: yes or no, then 303 back to the merchant or to the page to pay on."""
        form = await read_form(request)
        kept = self._checkout.current(request.path_params["id"])
        if isinstance(kept, Refused):
            return not_found()
        if isinstance(form, Refused):
            return _refused_page(form)
        if kept.session.state != "requires_action":
            return _to(f"../{kept.id}")
        answer = form.get("answer")
        if answer not in ("yes", "no"):
            return _to("secure")
        answered = self._checkout.answer_bank(kept, yes=answer == "yes")
        return _back(answered) if answered.session.state == "captured" else _to(f"../{kept.id}")

    def _pay_by_card(self, kept: Kept, form: dict[str, str]) -> Response:
        expiry = form.get("expiry", "")
        card = read_card(form.get("number", ""), expiry, form.get("cvc", ""), self._clock())
        if isinstance(card, dict):
            return self._shown(kept, wrong=card, expiry=expiry[:EXPIRY_CHARACTERS_MAX], status=422)
        match self._checkout.pay_by_card(kept, card).session.state:
            case "requires_action":
                return _to(f"{kept.id}/secure")
            case "captured":
                return _back(kept)
            case _:
                return _to(kept.id)

    def _shown(
        self, kept: Kept, *, wrong: dict[str, str] | None = None, expiry: str = "", status: int = 200
    ) -> Response:  # fmt: skip
        if not self._checkout.payable(kept):
            return html_page("Payment", ended_screen(kept), return_url=kept.return_url)
        method = "card" if wrong else kept.session.method or "card"
        content = pay_screen(kept, method, wrong or {}, expiry)
        return html_page("Pay", content, status=status, return_url=kept.return_url, wide=True)


async def read_form(request: Request) -> dict[str, str] | Refused:
    """The fields of a form; of those with one name the last one counts. 413 over 8 KiB, 400 for what is no form."""
    data = await read_bytes(request, FORM_BYTES_MAX)
    if isinstance(data, Refused):
        return data
    try:
        text = data.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=FIELDS_MAX))
    except ValueError:
        return Refused(400, "bad_request", "The form cannot be read.")


def _to(place: str) -> Response:
    return RedirectResponse(place, 303, {"cache-control": "no-store"})


def _back(kept: Kept) -> Response:
    return _to(with_session(kept.return_url, kept.id))


def _refused_page(refused: Refused) -> Response:
    content = f'<div class="card"><h1>That did not work</h1><p>{refused.message}</p></div>'
    return html_page("That did not work", content, status=refused.status)
