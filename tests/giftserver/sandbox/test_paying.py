"""Paying on the hosted page, as a browser does it without scripts."""

import pytest

from giftserver.sandbox.cards import CARDS, passes_luhn
from tests.giftserver.sandbox.conftest import Sandbox, expect_ok, words_of

PAID = ["session.authorised", "session.captured"]
DECLINED = {number: outcome.decline for number, outcome in CARDS.items() if outcome.decline and not outcome.secure}


def back(session: dict[str, str]) -> str:
    """Where the customer is sent after paying."""
    return f"http://127.0.0.1:9/back?order=1&sandbox_session={session['id']}"


async def test_the_page_says_what_it_is(sandbox: Sandbox) -> None:
    """It names itself, the purchase, the amount and every test card, and may run no script."""
    session = await sandbox.create(currency="JPY", amount_minor=1200)
    page = await sandbox.browser.get(session["url"])
    words = words_of(page)
    assert words.startswith("Sandbox: no real money 500 coins JPY 1,200")
    assert all(f"{number[:4]} {number[4:8]} {number[8:12]} {number[12:]}" in words for number in CARDS)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self' http://127.0.0.1:9;" in policy
    assert page.headers["cache-control"] == "no-store"


async def test_a_good_card_pays(sandbox: Sandbox) -> None:
    """Authorised and captured at once; the customer goes back with the session's id."""
    session = await sandbox.create()
    answer = await sandbox.pay(session)
    assert (answer.status_code, answer.headers["location"]) == (303, back(session))
    paid = await sandbox.session(session["id"])
    assert (paid["state"], paid["method"], paid["captured_minor"]) == ("captured", "card", 499)
    assert await sandbox.kinds(session["id"]) == PAID
    assert "already paid" in (await sandbox.browser.get(session["url"])).text
    await sandbox.pay(session)
    assert await sandbox.kinds(session["id"]) == PAID


@pytest.mark.parametrize(("number", "decline"), [*DECLINED.items(), ("5555555555554444", "card_declined")])
async def test_a_decline_lets_try_again(sandbox: Sandbox, number: str, decline: str) -> None:
    """The session stays pending with the reason, the page says it, and another card pays."""
    session = await sandbox.create()
    answer = await sandbox.pay(session, number=number)
    assert answer.status_code == 303
    page = await sandbox.browser.get(str(answer.url.join(answer.headers["location"])))
    assert 'role="alert"' in page.text
    declined = await sandbox.session(session["id"])
    assert (declined["state"], declined["decline"], declined["captured_minor"]) == ("pending", decline, 0)
    await sandbox.pay(session)
    paid = await sandbox.session(session["id"])
    assert (paid["state"], paid["decline"]) == ("captured", None)
    assert await sandbox.kinds(session["id"]) == ["session.declined", *PAID]


async def test_five_declines_are_the_end(sandbox: Sandbox) -> None:
    """The fifth declined attempt fails the session with its reason, and no card pays it."""
    session = await sandbox.create()
    for number in [*["4000000000000002"] * 4, "4000000000009987"]:
        await sandbox.pay(session, number=number)
    await sandbox.pay(session)
    failed = await sandbox.session(session["id"])
    assert (failed["state"], failed["decline"]) == ("failed", "lost_card")
    assert await sandbox.kinds(session["id"]) == [*["session.declined"] * 4, "session.failed"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"number": "4242424242424241"}, "one of its digits is wrong"),
        ({"number": "42"}, "16 digits"),
        ({"number": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}, "16 digits"),
        ({"number": ""}, "Enter the card number"),
        ({"expiry": "01/20"}, "has expired"),
        ({"expiry": "13/40"}, "month and year"),
        ({"cvc": "12"}, "3 digits"),
    ],
)
async def test_wrong_input_is_told_beside_its_field(sandbox: Sandbox, form: dict[str, str], words: str) -> None:
    """The field names its problem for eyes and ears, nothing is attempted, and the number is not sent back."""
    session = await sandbox.create()
    answer = await sandbox.pay(session, **form)
    name = next(iter(form))
    assert answer.status_code == 422
    problem = answer.text.partition(f'id="{name}-wrong">')[2].partition("<")[0]
    assert words in problem
    assert f'aria-describedby="{name}-wrong"' in answer.text
    assert 'value="4' not in answer.text
    assert await sandbox.kinds(session["id"]) == []


async def test_the_bank_asks_and_yes_pays(sandbox: Sandbox) -> None:
    """A 3-D Secure card leads to the bank's page, which names the amount, and yes captures."""
    session = await sandbox.create()
    answer = await sandbox.pay(session, number="4000 0000 0000 3220")
    secure = str(answer.url.join(answer.headers["location"]))
    assert secure == f"{session['url']}/secure"
    assert (await sandbox.session(session["id"]))["state"] == "requires_action"
    words = words_of(await sandbox.browser.get(secure))
    assert "Your bank asks: is this you?" in words
    assert "USD 4.99" in words
    assert "ending in 3220" in words
    answer = await sandbox.browser.post(secure, data={"answer": "yes"})
    assert answer.headers["location"] == back(session)
    assert await sandbox.kinds(session["id"]) == ["session.requires_action", *PAID]


@pytest.mark.parametrize(
    ("number", "answer", "decline"),
    [
        ("4000000000003220", "no", "authentication_failed"),
        ("4000000000003063", "no", "authentication_failed"),
        ("4000000000003063", "yes", "insufficient_funds"),
    ],
)
async def test_the_bank_can_decline(sandbox: Sandbox, number: str, answer: str, decline: str) -> None:
    """No, or yes to a card without money, leads back to the pay page with words."""
    session = await sandbox.create()
    await sandbox.pay(session, number=number)
    told = await sandbox.browser.post(f"{session['url']}/secure", data={"answer": answer})
    assert str(told.url.join(told.headers["location"])) == session["url"]
    assert 'role="alert"' in (await sandbox.browser.get(session["url"])).text
    declined = await sandbox.session(session["id"])
    assert (declined["state"], declined["decline"]) == ("pending", decline)


async def test_an_abandoned_question_stays_open(sandbox: Sandbox) -> None:
    """Who goes back leaves the session waiting, can pay otherwise, and else it expires."""
    sessions = [await sandbox.create() for _ in range(2)]
    for session in sessions:
        await sandbox.pay(session, number="4000000000003220")
        page = await sandbox.browser.get(f"{session['url']}/secure")
        assert f'href="{back(session).replace("&", "&amp;")}"' in page.text
        assert (await sandbox.session(session["id"]))["state"] == "requires_action"
    await sandbox.pay(sessions[0], method="wallet")
    assert (await sandbox.session(sessions[0]["id"]))["method"] == "wallet"
    expired = await sandbox.post(f"/v1/sessions/{sessions[1]['id']}/expire")
    assert expect_ok(expired)["state"] == "expired"


@pytest.mark.parametrize(("number", "state"), [("4000000000000259", "open"), ("4000000000002685", "warning")])
async def test_some_payments_are_disputed(sandbox: Sandbox, number: str, state: str) -> None:
    """These cards pay, and the dispute comes by itself."""
    session = await sandbox.create()
    await sandbox.pay(session, number=number)
    paid = await sandbox.session(session["id"])
    assert paid["state"] == "captured"
    dispute = paid["disputes"][0]
    assert (dispute["amount_minor"], dispute["reason"], dispute["state"]) == (499, "fraudulent", state)
    assert await sandbox.kinds(session["id"]) == [*PAID, f"dispute.{state}"]


async def test_pocket_pays_at_once(sandbox: Sandbox) -> None:
    """The wallet needs one button."""
    session = await sandbox.create()
    answer = await sandbox.browser.post(session["url"], data={"method": "wallet"})
    assert answer.headers["location"] == back(session)
    paid = await sandbox.session(session["id"])
    assert (paid["state"], paid["method"]) == ("captured", "wallet")


async def test_a_transfer_is_paid_when_it_arrives(sandbox: Sandbox) -> None:
    """Sent is authorised; settled is captured; bounced is failed; by mischief it settles by itself."""
    sessions = [await sandbox.create() for _ in range(2)]
    for session in sessions:
        await sandbox.browser.post(session["url"], data={"method": "bank"})
        sent = await sandbox.session(session["id"])
        assert (sent["state"], sent["method"], sent["captured_minor"]) == ("authorised", "bank", 0)
        assert "on its way" in (await sandbox.browser.get(session["url"])).text
    settled = expect_ok(await sandbox.post(f"/v1/sessions/{sessions[0]['id']}/settle"))
    assert (settled["state"], settled["captured_minor"]) == ("captured", 499)
    bounced = expect_ok(await sandbox.post(f"/v1/sessions/{sessions[1]['id']}/settle", {"result": "bounced"}))
    assert (bounced["state"], bounced["decline"]) == ("failed", "transfer_bounced")
    await sandbox.mischief(settle_after_s=0.05)
    session = await sandbox.create()
    await sandbox.browser.post(session["url"], data={"method": "bank"})
    await sandbox.merchant.until(lambda: len(sandbox.merchant.hooks) == 6)
    assert (await sandbox.session(session["id"]))["state"] == "captured"


async def test_the_customer_can_turn_back(sandbox: Sandbox) -> None:
    """The button cancels the session and leads back."""
    session = await sandbox.create(return_url="http://shop.example/back#top")
    answer = await sandbox.pay(session, action="cancel")
    assert answer.headers["location"] == f"http://shop.example/back?sandbox_session={session['id']}#top"
    assert (await sandbox.session(session["id"]))["state"] == "cancelled"
    assert "was cancelled" in (await sandbox.browser.get(session["url"])).text


def test_every_test_card_is_a_card() -> None:
    """All numbers pass Luhn, so that none is refused as mistyped."""
    assert [number for number in CARDS if not passes_luhn(number)] == []
