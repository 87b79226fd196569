"""What stands on the hosted pages. Everything that came from outside is escaped here."""

from collections.abc import Mapping
from html import escape
from typing import Final

from giftserver.sandbox.addresses import with_session
from giftserver.sandbox.cards import CARDS, spaced
from giftserver.sandbox.money import in_words
from giftserver.sandbox.objects import Kept
from giftserver.sandbox.receivers import RECEIVERS
from giftserver.sandbox.words import DECLINES, ENDS

_METHODS: Final = (("card", "Card"), ("wallet", "Pocket"), ("bank", "Bank transfer"))

_CARD_PANEL: Final = """<form class="panel" id="card" method="post" novalidate>
<input type="hidden" name="method" value="card">
{number}
<div class="pair">{expiry}{cvc}</div>
<button>Pay {amount}</button>
</form>"""

_WALLET_PANEL: Final = """<form class="panel" id="wallet" method="post">
<input type="hidden" name="method" value="wallet">
<p class="soft">Pocket pays at once, without asking anything.</p>
<button>Pay {amount} with Pocket</button>
</form>"""

_BANK_PANEL: Final = """<form class="panel" id="bank" method="post">
<input type="hidden" name="method" value="bank">
<p class="soft">Transfer {amount} to account SANDBOX 0000, then say so here. It arrives later, or bounces.</p>
<button>I have sent it</button>
</form>"""

_CANCEL: Final = """<form method="post"><input type="hidden" name="action" value="cancel">
<button class="quiet">Cancel and go back</button></form>"""


def pay_screen(kept: Kept, method: str, wrong: Mapping[str, str], expiry: str) -> str:
    """The page to pay on: `method` is the open tab, `wrong` what is wrong with which field, `expiry` what was typed."""
    amount = _amount(kept)
    tabs = "".join(
        f'<input class="tab" type="radio" name="tab" id="by-{name}"{" checked" if name == method else ""}>'
        f'<label for="by-{name}">{title}</label>'
        for name, title in _METHODS
    )
    panels = (
        _CARD_PANEL.format(
            amount=amount,
            number=_field("number", "Card number", "cc-number", "4242 4242 4242 4242", wrong),
            expiry=_field("expiry", "Expiry (MM/YY)", "cc-exp", "12/34", wrong, expiry),
            cvc=_field("cvc", "Code (CVC)", "cc-csc", "123", wrong),
        )
        + _WALLET_PANEL.format(amount=amount)
        + _BANK_PANEL.format(amount=amount)
    )
    return (
        f'<div class="order">{_order(kept)}{_notice(kept)}</div>'
        '<div class="pay"><fieldset class="card methods"><legend>How do you want to pay?</legend>'
        f"{tabs}{panels}</fieldset>{_CANCEL}{_test_cards()}{_test_receivers()}</div>"
    )


def secure_screen(kept: Kept, last_four: str | None) -> str:
    """The bank's question."""
    card = f" with the card ending in {escape(last_four)}" if last_four else ""
    return f"""<div class="card"><h1>Your bank asks: is this you?</h1>
<p class="amount">{_amount(kept)}</p>
<p>{escape(kept.description)}</p><p class="soft">Somebody wants to pay this{card}.</p>
<form method="post"><input type="hidden" name="answer" value="yes"><button>Yes, it is me</button></form>
<form method="post"><input type="hidden" name="answer" value="no"><button class="quiet">No</button></form>
<a class="button quiet" href="{_back(kept)}">Go back</a></div>"""


def ended_screen(kept: Kept) -> str:
    """The page of a session that takes no payment any more."""
    title, sentence = ENDS[kept.session.state]
    reason = DECLINES.get(kept.session.decline or "", "") if kept.session.state == "failed" else ""
    reason = f"<p>{reason}</p>" if reason else ""
    return (
        f'{_order(kept)}<div class="card"><h2>{title}</h2>{reason}<p>{sentence}</p>'
        f'<a class="button" href="{_back(kept)}">Go back</a></div>'
    )


def _amount(kept: Kept) -> str:
    return escape(in_words(kept.session.amount_minor, kept.session.currency))


def _back(kept: Kept) -> str:
    return escape(with_session(kept.return_url, kept.id))


def _order(kept: Kept) -> str:
    return f'<h1>{escape(kept.description) or "Payment"}</h1><p class="amount">{_amount(kept)}</p>'


def _notice(kept: Kept) -> str:
    session = kept.session
    if session.state == "requires_action":
        return (
            '<p class="alert" role="alert">Your bank still waits for your answer.</p>'
            f'<a class="button quiet" href="{session.id}/secure">Answer your bank</a>'
        )
    if session.decline is not None:
        words = DECLINES.get(session.decline, "This did not work. Try again.")
        return f'<p class="alert" role="alert">{escape(words)}</p>'
    return ""


def _field(
    name: str, title: str, autocomplete: str, example: str, wrong: Mapping[str, str], value: str = ""
) -> str:  # fmt: skip
    problem = wrong.get(name)
    told = f'<p class="wrong" id="{name}-wrong">{escape(problem)}</p>' if problem else ""
    marks = f' aria-invalid="true" aria-describedby="{name}-wrong"' if problem else ""
    if problem and name == next(iter(wrong)):
        marks += " autofocus"
    return (
        f'<div class="field"><label for="{name}">{title}</label>'
        f'<input id="{name}" name="{name}" inputmode="numeric" autocomplete="{autocomplete}" placeholder="{example}"'
        f' value="{escape(value)}" maxlength="24" required{marks}>{told}</div>'
    )


def _test_cards() -> str:
    rows = "".join(f"<div><dt>{spaced(number)}</dt><dd>{outcome.words}</dd></div>" for number, outcome in CARDS.items())
    return (
        '<details class="card"><summary>Test cards</summary>'
        '<p class="soft">Any date to come, any three digits as security code.</p>'
        f"<dl>{rows}</dl></details>"
    )


def _test_receivers() -> str:
    rows = "".join(f"<div><dt>{address}</dt><dd>{fate.words}</dd></div>" for address, fate in RECEIVERS.items())
    return (
        '<details class="card"><summary>Test addresses of payouts</summary>'
        '<p class="soft">Where creators are paid out to; every other address is paid.</p>'
        f"<dl>{rows}</dl></details>"
    )
