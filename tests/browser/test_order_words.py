"""What an order says of itself when it did not go as ordered, and what its coins cost in lists."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.demo_site import DemoSite
from tests.browser.test_recharge import dots, order, ordered

Visit = Callable[..., Page]
DECLINES = (
    "generic_decline", "do_not_honor", "lost_card", "stolen_card", "pickup_card", "expired_card", "incorrect_cvc",
    "insufficient_funds", "try_again_later", "card_velocity_exceeded", "fraudulent", "transaction_not_allowed",
    "authentication_required", "payment_intent_authentication_failure", "processing_error", "incorrect_number",
    "INSTRUMENT_DECLINED", "PAYER_ACTION_REQUIRED", "TRANSACTION_REFUSED", "PAYER_CANNOT_PAY", "DECLINED",
    "DECLINED_BY_RISK_FRAUD_FILTERS", "CARD_EXPIRED", "DUPLICATE_INVOICE_ID",
)  # fmt: skip
# Texts of a row that are broken, stand over each other, or reach out of the row.
CROWDED = """rows => rows.flatMap(row => {
    const within = (a, b) => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
    const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
    const texts = [...row.querySelectorAll('span')]
        .filter(one => one.children.length === 0 && one.getClientRects().length > 0)
        .map(one => ({ name: one.className, box: one.getBoundingClientRect(), lines: one.getClientRects().length }));
    return texts.flatMap(({ name, box, lines }, i) => [
        !within(box, row.getBoundingClientRect()) && `${name} reaches out`,
        name.endsWith('each') && (lines > 1 || box.height > 26) && `${name} is broken`,
        ...texts.slice(i + 1).map(other => !apart(box, other.box) && `${name} over ${other.name}`),
    ]).filter(Boolean);
})"""
OTHERWISE = "paid 144, asked for 143 USD in minor units"


def told(visit: Visit, made: dict[str, Any], person: str, **changes: Any) -> Page:
    """The sheet of an order that the server tells so; asking the provider says the same."""
    answer = made | {"amount_minor": 143, "checkout_url": None} | changes
    routes = {f"**/v1/payments/{made['id']}{more}": lambda route: route.fulfill(json=answer) for more in ("", "/check")}
    return visit(f"/wallet?payment={made['id']}", person, 390, routes=routes)


def steps(*details: str, state: str = "pending") -> list[dict[str, Any]]:
    """Steps with these details."""
    return [{"state": state, "at_ms": 1_700_000_000_000 + n, "detail": text} for n, text in enumerate(details)]


@pytest.mark.parametrize(
    ("details", "words"),
    [
        (["", OTHERWISE], "The provider has USD 1.44, your order is USD 1.43."),
        (["", "paid in JPY, asked for USD"], "The provider has your money in JPY, your order is USD 1.43."),
        (["", "somebody called"], "Something about it must be understood first."),
        (["", OTHERWISE, "to be given back after a review"], "Your money is to be given back"),
    ],
)
def test_an_order_in_review_says_what_is_wrong_and_offers_no_payment(
    visit: Visit, demo_site: DemoSite, details: list[str], words: str
) -> None:
    """What the provider has beside what was ordered; no way to pay once more; asking again tells it, too."""
    made = ordered(demo_site, "kofi")
    page = told(visit, made, "kofi", state="pending", in_review=True, steps=steps(*details))
    dialog = order(page, "pending")
    expect(dialog.locator(".order__standing")).to_contain_text(words)
    for name in ("Continue to payment", "Try again", "Cancel order"):
        expect(dialog.locator(".order__actions").get_by_text(name, exact=True)).to_be_hidden()
    if details[-1] == OTHERWISE:  # the button comes after a while: waited for once
        ask = dialog.get_by_role("button", name="Not credited?")
        expect(ask).to_be_visible()
        ask.click()
        expect(dialog.locator(".order__note")).to_contain_text("A person looks at it.")


def test_money_that_went_back_before_any_coins_came(visit: Visit, demo_site: DemoSite) -> None:
    """Nothing says that coins were credited, and the amount is the one that went back."""
    made = ordered(demo_site, "kofi")
    back = steps("", OTHERWISE) + steps("given back after a review: 144 USD in minor units", state="refunded")
    page = told(visit, made, "kofi", state="refunded", transfer=None, steps=back)
    dialog = order(page, "refunded")
    expect(dialog.locator(".order__standing")).to_contain_text("USD 1.44 went back the way you paid.")
    assert dots(page) == ["done", "done", "done", "ended"]
    expect(dialog.locator(".timeline__step").last).to_contain_text("Given back")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize(
    ("path", "person", "row"), [("/wallet", "ana", ".order"), ("/ops", "operator", ".payment-row")]
)
def test_a_list_of_orders_says_what_a_hundred_coins_cost(
    visit: Visit, demo_site: DemoSite, artifacts: Path, path: str, person: str, row: str, width: int
) -> None:
    """As the store and the order's sheet do: on one line, apart from everything else, even of a big order."""
    big = {"coins": 2_400_000, "bonus_coins": 100_000, "amount_minor": 3_428_571}
    for _ in range(2):
        ordered(demo_site, "ana")

    def with_a_big_one(route: Route) -> None:
        answer = route.fetch().json()
        answer["payments"][0] |= big
        route.fulfill(json=answer)

    page = visit(path, person, width, routes={"**/payments?*": with_a_big_one})
    each = page.locator(f"{row}__each")
    expect(each.first).to_have_text("USD 1.37 per 100")
    shown = each.all_text_contents()
    assert len(shown) == page.locator(row).count() > 1
    assert all(re.fullmatch(r"[A-Z]{3}.[0-9.,]+ per 100", text) for text in shown), shown
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(row).evaluate_all(CROWDED) == []
    page.locator(row).first.screenshot(path=artifacts / f"orders-each-{path[1:]}-{width}.png")


def test_a_refund_that_failed_is_not_told_as_given_back(visit: Visit) -> None:
    """Half went back, the other half did not: the second line says that, though the order is partially refunded."""
    page = visit("/wallet", "kofi", 390)
    told = steps("", state="credited") + steps("", "refund failed", state="partially_refunded")
    script = "(steps) => import('/static/js/wallet/dispute_words.js').then((it) => it.afterwardsOf({ steps }))"
    words = [one["text"] for one in page.evaluate(script, told)]
    assert words == ["Part of the money was given back", "Giving money back did not work: it is as before"]


def test_a_list_says_what_became_of_a_dispute(visit: Visit) -> None:
    """Not in the wallet while the bank claims it, nor after; the statement says that what was set aside is gone."""
    page = visit("/wallet", "viktor", 390)
    expect(page.locator(".order").last).to_contain_text("Taken back by the bank")
    expect(page.locator(".entry", has_text="Taken back: the payment for them went back")).to_have_count(1)
    page = visit("/wallet", "ulla", 390)
    expect(page.locator(".order").last).to_contain_text("Disputed")
    expect(page.locator(".order").last).not_to_contain_text("In your wallet")
    expect(page.locator(".entry", has_text="Set aside: a payment is claimed back")).to_have_count(1)


def test_what_real_providers_say_has_its_words(visit: Visit) -> None:
    """Each word of Stripe's and PayPal's is told as what it is; a word of tomorrow, kindly and without a lie."""
    page = visit("/wallet", "kofi")
    asked = [*DECLINES, "a_word_of_tomorrow"]
    script = "(asked) => import('/static/js/wallet/declines.js').then((it) => asked.map(it.declineWords))"
    *words, other = page.evaluate(script, asked)
    assert "said no" in other
    assert all(said and said != other and "_" not in said for said in words), words
    assert words[DECLINES.index("stolen_card")] == words[DECLINES.index("lost_card")]
    assert "stolen" not in " ".join(words)
