"""The operators' money: deciding about payments in review, our book beside the provider's, disputes, promotions."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.demo_site import DemoSite, until
from tests.browser.test_accessibility import serious
from tests.browser.test_cases import pictured
from tests.browser.test_ops import agree, bought, known, panel, prices_tab, row_of
from tests.browser.test_recharge import refuse

Visit = Callable[..., Page]


def test_a_payment_in_review_is_decided(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """A reason and a question first; crediting what was paid otherwise is refused in words; the money goes back."""
    payment, _ = bought(visit, demo_site, "fatima", wrong_amount=True)
    page = visit("/ops", "operator")
    page.get_by_role("button", name="Needs a look", exact=True).click()
    row_of(page, payment).click()
    dialog = panel(page)
    decide = dialog.get_by_role("region", name="Decide")
    expect(dialog.locator(".happening").last).to_contain_text("Not paid as it was ordered")
    posts: list[Any] = []
    page.on("request", lambda one: posts.append(one.post_data_json) if one.url.endswith("/review") else None)
    decide.get_by_role("button", name="Give the money back").click()
    expect(decide.get_by_role("alert")).to_contain_text("Write why")
    expect(decide.get_by_label("Why")).to_be_focused()
    decide.get_by_label("Why").fill("seen at the provider")
    decide.get_by_role("button", name="Give the money back").click()
    expect(page.get_by_role("dialog").last).to_contain_text("the order is never credited")
    agree(page, "Not now")
    assert posts == []
    pictured(page, artifacts, "ops-review")
    decide.get_by_role("button", name="Credit the coins").click()
    agree(page, "Credit the coins")
    expect(decide.get_by_role("alert")).to_contain_text("Nothing was credited")
    page.route("**/review", lambda route: refuse(route, 503, "unavailable"))
    decide.get_by_role("button", name="Give the money back").click()
    agree(page, "Give the money back")
    expect(decide.get_by_role("alert")).to_contain_text("Press again: it is decided once.")
    page.unroute("**/review")
    decide.get_by_role("button", name="Give the money back").click()
    agree(page, "Give the money back")
    expect(decide.get_by_role("status")).to_have_text("The money went back. Nothing is credited.")
    expect(decide.get_by_label("Why")).to_be_hidden()
    expect(dialog.locator(".terms")).to_contain_text("Given back")
    expect(dialog.locator(".terms")).not_to_contain_text("Needs a look")
    expect(dialog.locator(".happening").last).to_contain_text("Decided after a look")
    expect(row_of(page, payment)).not_to_contain_text("Needs a look")
    assert posts[-1] == {"decision": "refund", "reason": "seen at the provider"}
    assert known(demo_site, payment)["review"] is None
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Audit log").click()
    expect(page.locator(".act").first).to_contain_text("Payment given back after a look")


def test_what_was_credited_can_only_be_closed(visit: Visit, demo_site: DemoSite) -> None:
    """A payment that is marked although its coins are there offers neither coins nor money."""
    payment, _ = bought(visit, demo_site, "lena")
    told = known(demo_site, payment) | {"review": "the amount of a refund is strange"}
    routes = {f"**/v1/ops/payments/{payment}": lambda route: route.fulfill(json=told)}
    page = visit(f"/ops?payment={payment}", "operator", routes=routes)
    decide = panel(page).get_by_role("region", name="Decide")
    expect(decide.get_by_role("button")).to_have_text(["Close, and move nothing"])


def test_balances_are_compared(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """Our clearing account beside the provider's report; what differs opens its payment; a provider that is away is
    no agreement; a day without payments has none."""
    [strange] = [one for one in payments(demo_site, "wanda") if one["review"]]
    told: dict[str, Any] = {}

    def listen(route: Route) -> None:
        answer = route.fetch()
        told.update(answer.json())
        route.fulfill(response=answer)

    page = visit("/ops#balances", "operator", routes={"**/v1/ops/balances": listen})
    usd = page.locator('.balance[data-currency="USD"]')
    expect(page.get_by_role("region", name="Sandbox", exact=True)).to_be_visible()
    [ours] = [one for one in told["providers"][0]["balances"] if one["currency"] == "USD"]
    expect(usd.locator(".burden").first).to_contain_text(f"USD {ours['clearing_minor'] / 100:,.2f}")
    row = usd.locator(f'tr[data-payment="{strange["id"]}"]')
    expect(row).to_contain_text("USD 0.00")
    expect(row).to_contain_text("USD 5.00")
    expect(row).to_contain_text("At the provider, not in our book")
    pictured(page, artifacts, "ops-balances")
    page.set_viewport_size({"width": 390, "height": 844})
    card, words = usd.bounding_box(), row.locator("td").last.bounding_box()
    assert card is not None
    assert words is not None
    assert card["x"] < words["x"] < words["x"] + words["width"] < card["x"] + card["width"]
    assert words["width"] > card["width"] / 2, "a column of a word each is no help"
    row.get_by_role("button").click()
    expect(panel(page)).to_contain_text("Paid USD 5.00, asked for USD 4.99.")
    page.keyboard.press("Escape")
    page.get_by_label("Ordered on").fill("2020-02-29")
    expect(page.locator("#balances-words")).to_contain_text("29 February 2020")
    expect(page.locator(".balance tr")).to_have_count(0)

    away = {"provider": "sandbox", "agrees": False, "problem": "it does not answer", "balances": [
        {**ours, "clearing_minor": -1_205, "fees_minor": -3, "differences": []}]}  # fmt: skip
    other = {**away, "provider": "other", "problem": None, "agrees": True}
    waits = {**other, "provider": "third", "balances": [ours]}
    all_three = [away, other, waits]
    routes = {"**/v1/ops/balances*": lambda route: route.fulfill(json=told | {"providers": all_three})}
    page = visit("/ops#balances", "operator", routes=routes)
    third = page.get_by_role("region", name="Third")
    expect(third.locator(".state").first).to_have_text("Agrees but for what is on its way")
    first = page.get_by_role("region", name="Sandbox", exact=True)
    expect(first).to_contain_text("Could not be asked")
    expect(first.locator(".burden")).to_have_count(1)
    expect(first.locator(".burden")).to_contain_text("−USD 12.05")
    expect(page.get_by_role("region", name="Other", exact=True)).to_contain_text("−USD 0.03")


def payments(site: DemoSite, person: str) -> list[dict[str, Any]]:
    """Payments of somebody."""
    found: list[dict[str, Any]] = site.ask("GET", f"/v1/ops/payments?user={person}", None, "operator")["payments"]
    return found


def test_disputes_are_listed_with_who_bears_them(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """What was lost, what is open; the row opens the payment, and the filter leaves only what is asked for."""
    page = visit("/ops#disputes", "operator")
    lost = page.locator(f'.case-row[data-payment="{payments(demo_site, "viktor")[0]["id"]}"]')
    still = page.locator(f'.case-row[data-payment="{payments(demo_site, "ulla")[0]["id"]}"]')
    expect(lost).to_contain_text("The buyer gave up 270 coins and owes 500 coins; creators gave back 500 diamonds.")
    expect(lost).to_contain_text("USD 9.99")
    expect(still).to_contain_text("770 coins set aside.")
    pictured(page, artifacts, "ops-disputes")
    page.locator("#panel-disputes").get_by_role("button", name="Open", exact=True).click()
    expect(lost).to_have_count(0)
    still.click()
    expect(panel(page).locator(".claim")).to_contain_text("Dispute of USD 9.99")


def test_a_line_says_who_bore_a_lost_dispute_and_nothing_that_is_not_so(visit: Visit) -> None:
    """Frozen coins that ended are the buyer's loss; of what was never credited nobody has coins to give up."""
    page = visit("/ops", "operator")
    names = ("state", "frozen_coins", "owed_coins", "repaid_coins", "clawed_diamonds", "lost_diamonds")
    disputes = [
        dict(zip(names, ("lost", *numbers), strict=True))
        for numbers in ((7_700, 0, 0, 0, 0), (1, 500, 200, 300, 200), (0, 0, 0, 0, 0))
    ]
    script = "(disputes) => import('/static/js/ops/claim_words.js').then((it) => disputes.map(it.bearersOf))"
    assert page.evaluate(script, disputes) == [
        "The buyer gave up 7,700 coins.",
        "The buyer gave up 1 coin and owes 300 coins of 500 coins, the others are paid; "
        "creators gave back 300 diamonds; our loss: 200 diamonds.",
        "There were no coins of it to take.",
    ]
    script = (
        "(claims) => import('/static/js/ops/claim_words.js')"
        ".then((it) => claims.map((one) => it.sentenceOf(one, false)))"
    )
    states = [{"kind": "dispute", "state": state, "coins": 0, "frozen_coins": 0} for state in ("waiting", "lost")]
    waiting, lost = page.evaluate(script, states)
    assert "Nothing of the payment is credited" in waiting
    assert "who bears it" not in lost


def test_promotions_are_put_into_a_proposal(visit: Visit, demo_site: DemoSite, artifacts: Path) -> None:
    """One is left out and one is put in without writing JSON; what cannot be is told; nothing else is changed."""
    page = visit("/ops", "operator")
    text = prices_tab(page)
    editor, words = page.locator("#propose-promotions"), page.locator("#promotion-words")
    editor.get_by_text("Add a promotion").click()
    put = editor.get_by_role("button", name="Put it into the list")
    put.click()
    expect(words).to_contain_text("Write a title")
    editor.get_by_label("Title").fill("20 % more tonight")
    editor.get_by_label("Bonus, in %").fill("1.5")
    put.click()
    expect(words).to_contain_text("Write a whole number above 0: the bonus, in %.")
    expect(editor.get_by_label("Bonus, in %")).to_be_focused()
    editor.get_by_label("Bonus, in %").fill("20")
    editor.get_by_label("Bonus at most").fill("400")
    editor.get_by_label("Code").fill("tonight")
    editor.get_by_label("With", exact=True).select_option("The first purchase only")
    editor.get_by_label("Until").fill("2031-12-01T08:00")
    pictured(page, artifacts, "ops-promotions")
    before = json.loads(text.input_value())
    put.click()
    expect(words).to_contain_text("“20 % more tonight” is in the list below.")
    added = json.loads(text.input_value())["promotions"][-1]
    assert {name: value for name, value in added.items() if value} == {
        "id": "20-more-tonight", "title": "20 % more tonight", "bonus_percent": 20, "bonus_coins_max": 400,
        "first_purchase": True, "code": "TONIGHT", "ends": "2031-12-01T08:00:00Z",
    }  # fmt: skip
    first = before["promotions"][0]
    row = editor.locator(f'[data-promotion="{first["id"]}"]')
    row.get_by_role("button", name="Leave it out").click()
    expect(row).to_have_count(0)
    assert json.loads(text.input_value()) == before | {"promotions": [*before["promotions"][1:], added]}
    text.fill(text.input_value() + "}")
    expect(editor.locator(".promotion")).to_have_count(0)
    text.fill(text.input_value()[:-1])
    page.get_by_role("button", name="Propose", exact=True).click()
    expect(page.locator("#propose-words")).to_contain_text("A second person must approve it.")
    changes = page.locator(".proposal").first.locator(".changes > li")
    expect(changes.filter(has_text="New promotion “20 % more tonight”")).to_have_count(1)
    expect(changes.filter(has_text=f"No promotion “{first['title']}” any more.")).to_have_count(1)
    expect(editor.locator(".promotion")).to_have_count(len(before["promotions"]))


def test_a_server_that_refuses_lists_nothing(visit: Visit) -> None:
    """A failure is told beside the tab's own words; one that forbids closes the page."""

    def away(route: Route) -> None:
        refuse(route, 503, "unavailable")

    page = visit("/ops#balances", "operator", routes={"**/v1/ops/balances*": away, "**/v1/ops/disputes*": away})
    expect(page.locator("#balances-words")).to_contain_text("Nothing was compared. Not right now.")
    page.get_by_role("tab", name="Disputes").click()
    expect(page.locator("#panel-disputes")).to_contain_text("The disputes did not come.")
    assert serious(page) == []
    forbidden = {"**/v1/ops/balances*": lambda route: refuse(route, 403, "forbidden")}
    page = visit("/ops#balances", "operator", routes=forbidden)
    expect(page.locator("html")).to_have_attribute("data-state", "refused")
    expect(page.get_by_role("heading", name=re.compile("did not open"))).to_be_visible()


def test_the_second_operator_sees_what_waits(visit: Visit, demo_site: DemoSite) -> None:
    """What the deputy proposed when the demo began can be approved by the operator, and not by the deputy."""
    until(lambda: demo_site.ask("GET", "/v1/ops/adjustments?user=samir", None, "operator")["adjustments"])
    page = visit("/ops#adjustments", "operator")
    ours = page.locator(".act", has_text="Give 50 coins to samir")
    expect(ours.get_by_role("button", name="Approve")).not_to_have_attribute("aria-disabled", "true")
    page = visit("/ops#adjustments", "deputy")
    expect(page.locator(".act", has_text="samir")).to_contain_text("You proposed it")


def test_old_price_lists_stand_back(visit: Visit, demo_site: DemoSite) -> None:
    """The newest few and the one in force, others on demand; what never was in force is not said to have been."""
    now = demo_site.ask("GET", "/v1/ops/prices", None, "operator")["in_force"]
    lists = [
        {
            "version": version, "prices": now, "proposed_by": "yuki", "proposed_at_ms": 1_760_000_000_000 + version,
            "approved_by": "operator" if version != 3 else None,
            "approved_at_ms": {1: 1_760_000_300_000, 3: None}.get(version, 1_760_000_200_000 + version),
        }
        for version in range(8, 0, -1)
    ]  # fmt: skip
    answers = {"in_force": now, "in_force_version": 8, "lists": lists}
    page = visit("/ops#prices", "operator", routes={"**/v1/ops/prices": lambda route: route.fulfill(json=answers)})
    shown = page.locator(".proposal:visible")
    expect(shown).to_have_count(3)
    assert page.locator("#propose-send").bounding_box()["y"] < shown.first.bounding_box()["y"]  # type: ignore[index]
    page.locator("#proposals-older").click()
    expect(shown).to_have_count(8)
    expect(page.locator("#proposals-older")).to_be_hidden()
    expect(page.locator('.proposal[data-version="5"] summary')).to_be_focused()
    for version, words in ((8, "In force"), (7, "Was in force"), (3, "Overtaken"), (1, "never in force")):
        expect(page.locator(f'.proposal[data-version="{version}"] .state')).to_contain_text(words)
