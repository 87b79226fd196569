"""The operators' page: payments of everybody, who bears what of a claim, giving money back, and prices."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from giftserver.recharge.money import EXPONENTS
from tests.browser.demo_site import DemoSite, Room, holds, until
from tests.browser.test_dispute import at_sandbox
from tests.browser.test_recharge import GOOD, STILL, by_card, ordered, refuse

Visit = Callable[..., Page]
WIDTHS = (390, 768, 1440)
GIFTS = {"meteor-rain": 1_000, "fountain": 100, "kite": 10, "dewdrop": 1}


def state(page: Page, wanted: str) -> None:
    """The page says it is in this state."""
    expect(page.locator("html")).to_have_attribute("data-state", wanted)


def bought(visit: Visit, site: DemoSite, person: str, *, wrong_amount: bool = False) -> tuple[str, str]:
    """Have somebody buy 70 coins; the payment's id and its checkout. `wrong_amount`: the provider takes another one."""
    made = ordered(site, person)
    checkout: str = made["checkout_url"]
    if wrong_amount:
        at_sandbox(site, checkout, "/sessions/{id}/mischief", {"wrong_amount": True}, "PUT")
    page = visit("/wallet", person)
    page.goto(checkout)
    by_card(page, GOOD)
    page.wait_for_url("**/wallet?payment=*")
    until(lambda: known(site, made["id"])["review" if wrong_amount else "transfer"] is not None)
    until(lambda: site.ask("GET", "/v1/wallet", None, person)["unsettled_coins"] == 0)
    page.close()
    return made["id"], checkout


def known(site: DemoSite, payment: str) -> Any:
    """A payment as the server tells it to operators."""
    return site.ask("GET", f"/v1/ops/payments/{payment}", None, "operator")


def spend(site: DemoSite, person: str, room: str, coins: int) -> None:
    """Send gifts for so many coins."""
    for gift, price in GIFTS.items():
        for _ in range(coins // price):
            site.send(person, room, gift)
        coins %= price


def panel(page: Page) -> Locator:
    """The sheet of a payment, once it is there."""
    dialog = page.get_by_role("dialog", name="Payment")
    expect(dialog.locator(".happening").first).to_be_visible()
    return dialog


def row_of(page: Page, payment: str) -> Locator:
    """The row of a payment in the list."""
    return page.locator(f'.payment-row[data-payment="{payment}"]')


def agree(page: Page, answer: str) -> None:
    """Answer the question that stands over everything."""
    page.get_by_role("dialog").last.get_by_role("button", name=answer).click()


def test_the_page_is_for_operators(visit: Visit) -> None:
    """Others are told so, and who is none asks nothing; in the demo anybody may be the operator."""
    page = visit("/ops", "ana")
    state(page, "not-an-operator")
    expect(page.locator("#gate")).to_contain_text("Ana does not run this server")
    expect(page.locator("#ops")).to_be_hidden()
    expect(page.locator("#gate .person")).to_have_text(["OOperatorOperator", "DDeputyOperator"])
    page.get_by_role("button", name=re.compile("^Operator")).click()
    state(page, "ready")
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    nobody = visit("/ops")
    state(nobody, "signed-out")


def test_a_server_that_refuses_is_believed(visit: Visit) -> None:
    """Whatever a token says of itself, the server decides who sees payments."""
    routes = {"**/v1/ops/payments?*": lambda route: refuse(route, 403, "forbidden")}
    page = visit("/ops", "operator", routes=routes)
    state(page, "refused")
    expect(page.locator("#ops")).to_be_hidden()
    expect(page.get_by_role("alert")).to_contain_text("not allowed")


def test_payments_are_found(visit: Visit, demo_site: DemoSite) -> None:
    """Newest first, by person, by state, and older ones on demand; what cannot be a person is said in words."""
    mine = [ordered(demo_site, "noor")["id"] for _ in range(3)]
    other = ordered(demo_site, "lena")["id"]
    two = {"**/v1/ops/payments?*": lambda route: route.continue_(url=route.request.url.replace("limit=30", "limit=2"))}
    page = visit("/ops", "operator", routes=two)
    expect(page.locator(".payment-row").first).to_have_attribute("data-payment", other)
    expect(row_of(page, other)).to_contain_text("lena")
    expect(row_of(page, other)).to_contain_text("USD 0.99")
    expect(row_of(page, other)).to_contain_text("Sandbox")
    expect(row_of(page, other)).to_contain_text("Waiting for the buyer")
    person = page.get_by_role("searchbox", name="Person")
    person.fill("noor")
    person.press("Enter")
    expect(row_of(page, other)).to_have_count(0)
    expect(page.locator(".payment-row").first).to_have_attribute("data-payment", mine[2])
    page.get_by_role("button", name="Show older").click()
    expect(row_of(page, mine[0])).to_be_visible()
    page.get_by_role("combobox", name="State").select_option("Given back")
    expect(page.locator("#payments-words")).to_have_text("No payment is like this.")
    person.fill("no such person!")
    person.press("Enter")
    expect(page.locator("#payments-words")).to_contain_text("such as ana")


def test_a_payment_that_needs_a_look(visit: Visit, demo_site: DemoSite) -> None:
    """It is marked in the list, the filter leaves it, and what is wrong stands in words and whole money."""
    plain = ordered(demo_site, "noor")["id"]
    wrong, _ = bought(visit, demo_site, "kofi", wrong_amount=True)
    page = visit("/ops", "operator")
    expect(row_of(page, wrong)).to_contain_text("Needs a look")
    expect(row_of(page, plain)).not_to_contain_text("Needs a look")
    page.get_by_role("button", name="Needs a look", exact=True).click()
    expect(row_of(page, plain)).to_have_count(0)
    row_of(page, wrong).click()
    dialog = panel(page)
    expect(dialog.locator(".review")).to_contain_text("Paid USD 1.00, asked for USD 0.99.")
    expect(dialog.locator(".happening").first).to_contain_text("The buyer")
    expect(dialog.locator(".happening").last).to_contain_text("Paid USD 1.00")
    expect(dialog.get_by_role("button", name="Give money back")).to_be_hidden()  # nothing was booked
    assert page.url.endswith(f"?payment={wrong}")
    page.keyboard.press("Escape")
    expect(row_of(page, wrong)).to_be_focused()
    holds(page, "location.search === ''")


def test_a_lost_dispute_says_who_bears_what(visit: Visit, demo_site: DemoSite, room: Room, artifacts: Path) -> None:
    """Unspent coins frozen, spent ones owed, the diamonds that the creator of the gift gave back, and no loss."""
    spend(demo_site, "hana", room.id, demo_site.ask("GET", "/v1/wallet", None, "hana")["coins"])
    payment, checkout = bought(visit, demo_site, "hana")
    coins = demo_site.ask("GET", "/v1/wallet", None, "hana")["coins"]
    sent = demo_site.send("hana", room.id, "kite", 3)
    page = visit(f"/ops?payment={payment}", "operator")
    expect(panel(page).locator(".claim")).to_have_count(0)

    dispute = at_sandbox(demo_site, checkout, "/sessions/{id}/disputes", {"reason": "fraudulent"})
    until(lambda: [one["state"] for one in known(demo_site, payment)["claims"]] == ["frozen"])
    page.reload()
    claim = panel(page).locator(".claim")
    expect(claim).to_contain_text("Dispute of USD 0.99")
    expect(claim).to_contain_text("The cardholder says that they did not pay this.")
    expect(claim).to_contain_text(f"{coins - 30} coins of {coins} coins are frozen until the bank decides.")
    expect(claim).to_contain_text("The other 30 coins were spent.")
    expect(page.locator(".back")).to_contain_text("nothing left to give back")
    expect(page.locator(".payment .facts")).to_contain_text("This payment: dispute")
    expect(row_of(page, payment)).to_contain_text("Dispute: open")

    at_sandbox(demo_site, checkout, f"/disputes/{dispute['id']}", {"state": "lost"})
    expect(claim).to_have_attribute("data-state", "lost")  # it was watched
    burdens = claim.locator(".burden__amount").all_inner_texts()
    assert [re.sub(r"\D", "", text) for text in burdens] == [str(coins - 30), "30", "30", "0"]
    expect(claim.locator(".reached tbody tr")).to_have_count(1)
    for words in (room.creator, "30 coins", "30 diamonds", sent["transfer"]):
        expect(claim.locator(".reached")).to_contain_text(words)
    expect(page.locator(".happening").last).to_contain_text("Dispute lost: the money is gone")
    expect(page.locator(".happening").last).to_contain_text("The ledger")
    expect(row_of(page, payment)).to_contain_text("Dispute: lost")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(STILL)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(path=artifacts / f"ops-payment-{width}.png")


def test_a_part_is_given_back(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """What was typed goes out in minor units under one key; wrong amounts are told; the end of it is seen."""
    payment, _ = bought(visit, demo_site, "emeka")
    page = visit("/ops", "operator")
    row_of(page, payment).click()
    dialog = panel(page)
    amount, reason = dialog.get_by_role("textbox", name="Amount in USD"), dialog.get_by_role("textbox", name="Reason")
    send = dialog.locator(".back__form").get_by_role("button")
    expect(amount).to_have_value("0.99")
    posts: list[Any] = []
    page.on("request", lambda one: posts.append(one.post_data_json) if one.url.endswith("/refund") else None)
    for wrong, told in (
        ("0,40", "Write a plain number, such as 49.90."), ("", "Write a plain number"), ("-1", "Write a plain number"),
        ("0.405", "USD has 2 digits after the point, not 3."), ("0", "more than nothing"), ("1", "Only USD 0.99"),
    ):  # fmt: skip
        amount.fill(wrong)
        send.click()
        expect(dialog.get_by_role("alert")).to_contain_text(told)
        expect(amount).to_be_focused()
    amount.fill("0.4")
    send.click()
    expect(dialog.get_by_role("alert")).to_contain_text("Write why")
    reason.fill("bought by mistake")
    send.click()
    expect(page.get_by_role("dialog").last).to_contain_text("Give USD 0.40 back?")
    agree(page, "Keep the money")
    assert posts == []
    send.click()
    agree(page, "Give USD 0.40 back")
    expect(dialog.locator(".back__news")).to_have_text("USD 0.40 was given back.")
    assert [(one["amount_minor"], one["reason"]) for one in posts] == [(40, "bought by mistake")]
    expect(dialog.locator(".claim")).to_contain_text("Refund of USD 0.40")
    expect(dialog.locator(".claim")).to_contain_text("operator: bought by mistake")
    expect(dialog.locator(".terms")).to_contain_text("Partly given back")
    expect(amount).to_have_value("0.59")
    expect(row_of(page, payment)).to_contain_text("Partly given back")
    page.evaluate(STILL)
    page.screenshot(path=artifacts / "ops-given-back-1440.png")
    [claim] = known(demo_site, payment)["claims"]
    assert (claim["state"], claim["amount_minor"]) == ("lost", 40)


def test_a_refund_that_may_have_been_heard_is_asked_again_as_it_was(visit: Visit, demo_site: DemoSite) -> None:
    """While it is not known whether the server heard it, the same goes out under the same key, and nothing else can."""
    payment, _ = bought(visit, demo_site, "gui")
    page = visit(f"/ops?payment={payment}", "operator")
    dialog = panel(page)
    bodies: list[Any] = []

    def away(route: Route) -> None:
        bodies.append(route.request.post_data_json)
        refuse(route, 503, "unavailable")

    page.route("**/refund", away)
    amount, send = dialog.get_by_label("Amount in USD"), dialog.locator(".back__form").get_by_role("button")
    amount.fill("0.10")
    dialog.get_by_label("Reason").fill("a part")
    send.click()
    agree(page, "Give USD 0.10 back")
    expect(dialog.get_by_role("alert")).to_contain_text("It is not known whether this was asked for.")
    expect(amount).to_have_attribute("readonly", "")
    page.keyboard.press("Escape")
    row_of(page, payment).click()
    expect(amount).to_have_value("0.10")
    page.unroute("**/refund")
    with page.expect_request("**/refund") as sent:
        page.get_by_role("button", name="Ask again").click()
    assert sent.value.post_data_json == bodies[0]
    expect(dialog.locator(".back__news")).to_have_text("USD 0.10 was given back.")
    expect(amount).not_to_have_attribute("readonly", "")
    assert [one["amount_minor"] for one in known(demo_site, payment)["claims"]] == [10]


def test_what_was_spent_is_not_given_back(visit: Visit, demo_site: DemoSite, room: Room) -> None:
    """Such a refund ends unpaid, and the page says so, and that nothing has changed."""
    spend(demo_site, "jun", room.id, demo_site.ask("GET", "/v1/wallet", None, "jun")["coins"])
    payment, _ = bought(visit, demo_site, "jun")
    demo_site.send("jun", room.id, "kite")
    page = visit(f"/ops?payment={payment}", "operator")
    dialog = panel(page)
    dialog.get_by_label("Reason").fill("all of it")
    dialog.locator(".back__form").get_by_role("button").click()
    agree(page, "Give USD 0.99 back")
    expect(dialog.locator(".back__news")).to_contain_text("USD 0.99 was not given back: coins of it were spent")
    expect(dialog.locator(".claim")).to_contain_text("Not given back")
    expect(dialog.get_by_label("Amount in USD")).to_have_value("0.99")


def test_money_is_converted_by_its_own_exponent(visit: Visit) -> None:
    """Digit by digit for every currency of the server, and none is known otherwise than there."""
    page = visit("/ops", "operator")
    assert page.evaluate("import('/static/js/ui/money.js').then((it) => it.EXPONENTS)") == EXPONENTS
    cases = {
        ("1.1", "USD"): 110, ("0.29", "USD"): 29, ("1.005", "KWD"): 1005, ("1500", "JPY"): 1500, ("4.", "USD"): None,
        ("15.0", "JPY"): None, ("1e3", "USD"): None, ("9999999999.99", "USD"): 999_999_999_999, (" 7 ", "EUR"): 700,
        ("1,000", "USD"): None, ("٣", "USD"): None, ("1.0055", "KWD"): None, ("0.00", "USD"): None,
    }  # fmt: skip
    found = page.evaluate(
        """(cases) => import('/static/js/ui/typed_money.js')
            .then((it) => cases.map((one) => it.minorOf(...one).minor))""",
        [list(one) for one in cases],
    )
    assert found == list(cases.values())


def prices_tab(page: Page) -> Locator:
    """The prices, once they are there; the place to write another list."""
    page.get_by_role("tab", name="Prices").click()
    expect(page.locator("#in-force .price-table")).to_be_visible()
    return page.get_by_role("textbox", name="The price list as JSON")


def test_prices_are_proposed_and_not_approved_by_the_same(visit: Visit, demo_site: DemoSite) -> None:
    """The list in force as a table and as text; a refusal stands beside it; the proposer needs a second person."""
    page = visit("/ops", "operator")
    text, words = prices_tab(page), page.locator("#propose-words")
    table = page.locator("#in-force")
    expect(table.get_by_role("row", name=re.compile("^USD Everywhere else"))).to_contain_text("9.99")
    expect(table.get_by_role("row", name=re.compile("^JPY Japan"))).to_contain_text("1,500")
    expect(table).to_contain_text("10 % more on your first purchase")
    in_force = demo_site.ask("GET", "/v1/ops/prices", None, "operator")["in_force"]
    assert json.loads(text.input_value()) == in_force
    send = page.get_by_role("button", name="Propose", exact=True)
    send.click()
    expect(words).to_have_text("Nothing is changed yet.")
    text.fill(text.input_value() + "}")
    send.click()
    expect(words).to_contain_text("This is not JSON yet.")
    page.get_by_role("button", name="Start again").click()
    text.fill(text.input_value().replace('"currency": "JPY"', '"currency": "QQQ"'))
    send.click()
    expect(words).to_contain_text("region of JP: QQQ is not a currency this server knows")
    expect(text).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Start again").click()
    text.fill(text.input_value().replace('"coins": 70, "amount_minor": 99', '"coins": 70, "amount_minor": 109', 1))
    send.click()
    expect(words).to_contain_text("A second person must approve it.")
    assert json.loads(text.input_value()) == in_force
    proposal = page.locator(".proposal").first
    expect(proposal).to_contain_text("Proposed by operator")
    expect(proposal.locator(".changes > li")).to_have_text(
        ["USD, everywhere else: 70 coins cost USD 1.09 instead of USD 0.99."]
    )
    expect(proposal).to_contain_text("You proposed it: a second person must approve it.")
    expect(proposal.get_by_role("button", name="Approve")).to_have_attribute("aria-disabled", "true")
    assert demo_site.ask("GET", "/v1/ops/prices", None, "operator")["in_force"] == in_force


def test_a_second_person_approves(visit: Visit, demo_site: DemoSite) -> None:
    """What somebody else proposed is approved after a question; a refusal stands beside the button."""
    prices = demo_site.ask("GET", "/v1/ops/prices", None, "operator")
    now = json.loads(json.dumps(prices["in_force"]))
    now["regions"][0]["packs"].pop(0)
    now["regions"] = [one for one in now["regions"] if one["currency"] != "GBP"]
    now["promotions"] = []
    theirs = {
        "version": 900, "prices": now, "proposed_by": "yuki", "proposed_at_ms": 1_760_000_000_000,
        "approved_by": None, "approved_at_ms": None,
    }  # fmt: skip
    answers = prices | {"lists": [theirs]}
    posts: list[Any] = []

    def approve(route: Route) -> None:
        posts.append(route.request.post_data_json)
        if len(posts) == 1:
            refuse(route, 403, "forbidden")
            return
        answers.update(in_force=now, in_force_version=900)
        theirs.update(approved_by="operator", approved_at_ms=1_760_000_100_000)
        route.fulfill(json=theirs)

    routes = {"**/v1/ops/prices": lambda route: route.fulfill(json=answers), "**/v1/ops/prices/approve": approve}
    page = visit("/ops#prices", "operator", routes=routes)
    proposal = page.locator('.proposal[data-version="900"]')
    expect(proposal.locator(".changes > li")).to_have_text([
        "USD, everywhere else: no pack of 70 coins any more.",
        "No longer a region of its own: GBP, United Kingdom.",
        "No promotion “10 % more on your first purchase” any more.",
    ])  # fmt: skip
    button = proposal.get_by_role("button", name="Approve")
    button.click()
    expect(page.get_by_role("dialog")).to_contain_text("yuki proposed it. It makes 3 changes")
    agree(page, "Not now")
    assert posts == []
    for told in ("Not right now.", None):
        button.click()
        agree(page, "Put it in force")
        if told is not None:
            expect(proposal.locator(".proposal__words")).to_have_text(told)
    expect(page.locator("#in-force-words")).to_contain_text("Version 900: yuki proposed it, operator approved it")
    expect(proposal).to_contain_text("In force")
    expect(button).to_have_count(0)
    assert posts == [{"version": 900}] * 2


@pytest.mark.parametrize("width", WIDTHS)
def test_pictures(visit: Visit, demo_site: DemoSite, artifacts: Path, width: int) -> None:
    """What a designer looks at: the payments and the prices; nothing is too wide."""
    ordered(demo_site, "noor")
    page = visit("/ops", "operator", width)
    expect(page.locator(".payment-row").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artifacts / f"ops-payments-{width}.png", full_page=True)
    prices_tab(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artifacts / f"ops-prices-{width}.png", full_page=True)
