"""Asking to be paid out: every rule, its words, and its way out; never more than is available, whoever asks at once."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from giftserver.durable import payout_accounts, payouts
from giftserver.durable.guardians import link, make_code
from giftserver.durable.payout_accounts import masked
from giftserver.recharge.payout_rates import RateCard, built_in
from tests.giftserver.conftest import Outage, assert_refused
from tests.giftserver.payouts.office import Office
from tests.giftserver.shop import new_key


async def test_terms_say_what_can_be_paid_out(office: Office) -> None:
    """Available, pending and held diamonds, the rate, the day, where to, and the ways there are."""
    terms = await office.terms()
    resets_at_ms = terms.pop("resets_at_ms")
    usable_at_ms = terms["account"].pop("usable_at_ms")
    assert terms == {
        "available_diamonds": 30_000, "pending_diamonds": 0, "held_diamonds": 0,
        "rate": {"diamonds": 2, "minor": 1, "currency": "USD", "exponent": 2, "version": 1},
        "min_minor": 5_000, "day_max_minor": 100_000, "day_left_minor": 100_000,
        "providers": [{"name": "sandbox", "title": "Sandbox", "label": "Sandbox address, such as paid@sandbox"}],
        "account": {"provider": "sandbox", "address_masked": "s…@sandbox"},
        "too_young": False, "on_hold": False,
    }  # fmt: skip
    assert resets_at_ms % 86_400_000 == 0
    assert 0 < resets_at_ms - usable_at_ms <= 86_400_000
    await office.asked()
    terms = await office.terms()
    assert (terms["available_diamonds"], terms["held_diamonds"], terms["day_left_minor"]) == (20_000, 10_000, 95_000)


async def test_somebody_who_never_earned_anything(empty_office: Office) -> None:
    """Nothing is available, there is no account; asking says which is needed first, then that there is nothing."""
    terms = await empty_office.terms("nina")
    assert (terms["available_diamonds"], terms["account"]) == (0, None)
    assert_refused(await empty_office.ask(user="nina"), 409, "payout_account_needed")
    await empty_office.set_account(user="nina")
    error = assert_refused(await empty_office.ask(user="nina"), 409, "payout_too_large")
    assert error["available_diamonds"] == 0
    assert await empty_office.sql("SELECT 1 FROM account WHERE owner = 'nina'") == []


async def test_the_diamonds_of_two_weeks_are_pending(empty_office: Office) -> None:
    """What was earned today cannot be paid out, and the refusal says what can."""
    await empty_office.earn(30_000)
    await empty_office.set_account()
    terms = await empty_office.terms()
    assert (terms["available_diamonds"], terms["pending_diamonds"]) == (0, 30_000)
    error = assert_refused(await empty_office.ask(), 409, "payout_too_large")
    assert error["available_diamonds"] == 0


async def test_a_key_is_one_payout(office: Office) -> None:
    """Twenty at once, and once more later: the same; with another wish it is refused."""
    key = new_key()
    answers = await asyncio.gather(*(office.ask(key=key) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await office.balances() == (20_000, 10_000, 0)
    assert_refused(await office.ask(12_000, key=key), 409, "key_reused")
    id = answers[0].json()["id"]
    await office.cancel(id)
    assert (await office.ask(key=key)).json()["state"] == "cancelled"
    assert (await office.ask(key=key, user="tomas")).status_code == 409  # another person's key is theirs alone
    await office.shop.proved()


async def test_many_keys_at_once_never_take_more_than_there_is(office: Office) -> None:
    """A double click with two keys is two payouts, as far as the diamonds go."""
    answers = await asyncio.gather(*(office.ask(12_000) for _ in range(10)))
    codes = [answer.status_code if answer.status_code == 200 else answer.json()["error"]["code"] for answer in answers]
    assert sorted(codes, key=str) == [200, 200, *["payout_too_large"] * 8]
    assert await office.balances() == (6_000, 24_000, 0)
    await office.shop.proved()


async def test_the_price_that_was_shown(office: Office) -> None:
    """Another amount or currency than today's is refused with today's; a payout that is there already stays."""
    for change in ({"amount_minor": 5_001}, {"currency": "EUR"}):
        error = assert_refused(await office.ask(**change), 409, "price_changed")
        assert (error["amount_minor"], error["currency"]) == (5_000, "USD")
    key = new_key()
    id = await office.asked(key=key)
    office.shop.web.services.payouts.rate = RateCard(2, "USD", 4, 1, 2_500, 100_000)
    assert_refused(await office.ask(), 409, "price_changed")
    assert (await office.ask(key=key)).json()["id"] == id


async def test_nothing_is_lost_by_rounding(office: Office) -> None:
    """An odd number of diamonds has no whole number of cents."""
    error = assert_refused(await office.ask(10_001), 400, "bad_request")
    assert "steps of 2" in error["message"]


async def test_the_least_and_the_most_of_a_day(office: Office) -> None:
    """Too little, too much, with what is left and until when; what was undone does not count, what came back does."""
    error = assert_refused(await office.ask(9_998), 409, "payout_too_small")
    assert (error["min_minor"], error["min_diamonds"]) == (5_000, 10_000)
    await office.earn(220_000)
    first = await office.asked(10_000)
    await office.asked(180_000)
    error = assert_refused(await office.ask(12_000), 409, "payout_day_full")
    assert (error["left_minor"], error["day_max_minor"]) == (5_000, 100_000)
    assert error["resets_at_ms"] == (await office.terms())["resets_at_ms"]
    assert "USD 50.00 are left" in error["message"]
    await office.cancel(first)
    second = await office.asked(12_000)
    await office.until(second, "sending")
    await office.settle(second, "paid")
    await office.settle(second, "returned")
    await office.until(second, "returned")
    assert (await office.terms())["day_left_minor"] == 4_000
    assert_refused(await office.ask(10_000), 409, "payout_day_full")
    await office.sql("ALTER TABLE payout DISABLE TRIGGER payout_keeps_its_terms")
    await office.sql("UPDATE payout SET created_at = created_at - interval '1 day'")
    await office.sql("ALTER TABLE payout ENABLE TRIGGER payout_keeps_its_terms")
    assert (await office.terms())["day_left_minor"] == 100_000
    await office.asked(10_000)
    await office.shop.proved()


async def test_the_most_of_a_day_holds_for_all_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten at once ask for a half of it each: two get it."""
    await office.earn(500_000)
    answers = await asyncio.gather(*(office.ask(100_000) for _ in range(10)))
    codes = [answer.status_code if answer.status_code == 200 else answer.json()["error"]["code"] for answer in answers]
    assert sorted(codes, key=str) == [200, 200, *["payout_day_full"] * 8]
    monkeypatch.setattr(payouts, "REQUESTS_MAX", 2)
    await office.cancel(next(answer.json()["id"] for answer in answers if answer.status_code == 200))
    error = assert_refused(await office.ask(), 429, "rate_limited")
    assert "tomorrow" in error["message"]


async def test_a_currency_of_another_shape_is_refused_in_words(office: Office) -> None:
    """No pattern reaches people."""
    message = assert_refused(await office.ask(currency="usd"), 400, "bad_request")["message"]
    assert "of three letters, such as USD" in message
    assert "[A-Z]" not in message


@pytest.mark.parametrize("minors", ["never", "guardian"])
async def test_only_adults(office: Office, monkeypatch: pytest.MonkeyPatch, minors: str) -> None:
    """By their token's birthdate, also where a guardian may answer for what they send; the diamonds stay theirs."""
    services = office.shop.web.services
    monkeypatch.setattr(services.limits, "guardians_help", minors == "guardian")
    code, _ = await make_code(services.database, "mira", "Mira")
    await link(services.database, code, "gus", "Gus")
    child = {"birthdate": date(date.today().year - 15, 1, 1)}
    body = {"key": new_key(), "diamonds": 10_000, "amount_minor": 5_000, "currency": "USD"}
    headers = office.bearer(**child)
    answer = await office.shop.web.http.post("/v1/payouts", json=body, headers=headers)
    assert "your diamonds stay yours" in assert_refused(answer, 403, "age_restricted")["message"]
    assert_refused(await office.set_account(**child), 403, "age_restricted")
    terms = (await office.shop.web.http.get("/v1/payouts/terms", headers=headers)).json()
    assert (terms["too_young"], terms["available_diamonds"]) == (True, 30_000)
    assert await office.balances() == (30_000, 0, 0)


async def test_nobody_in_a_case(office: Office) -> None:
    """Refused with words, and the way out; once the hold is over it is possible again."""
    case = await office.hold()
    error = assert_refused(await office.ask(), 403, "wallet_frozen")
    assert "Write to support" in error["message"]
    assert (await office.terms())["on_hold"]
    await office.release(case)
    assert not (await office.terms())["on_hold"]
    await office.asked()


@pytest.mark.parametrize("address", ["mira", "mira@", "mi ra@sandbox", "mira@sandbox\n", "\x00@sandbox", "m‮@sandbox"])
async def test_addresses_that_cannot_be(office: Office, address: str) -> None:
    """What the provider does not take, or hides something, is refused, and the account stays as it was."""
    answer = await office.set_account(address)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("payout_address_refused", "bad_request")
    assert (await office.terms())["account"]["address_masked"] == "s…@sandbox"


async def test_a_provider_that_pays_nobody_out(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there, and one that does not; both name the ways there are."""
    error = assert_refused(await office.set_account(provider="stripe"), 404, "payouts_off")
    assert "Sandbox" in error["message"]
    monkeypatch.setattr(office.shop.web.services.payouts, "_providers", {})
    assert_refused(await office.set_account("other@sandbox"), 404, "payouts_off")
    assert_refused(await office.ask(), 404, "payouts_off")
    assert (await office.terms())["providers"] == []


async def test_an_address_that_the_provider_takes_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was right when it was set; the refusal says what is taken now."""
    title, form = office.shop.web.services.payouts.ways["sandbox"]
    narrower = {"sandbox": (title, type(form)("An IBAN", "[A-Z]{2}[0-9]+"))}
    monkeypatch.setattr(type(office.shop.web.services.payouts), "ways", narrower)
    error = assert_refused(await office.ask(), 400, "payout_address_refused")
    assert "An IBAN" in error["message"]


async def test_a_changed_account_waits_a_day(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is usable at once; the same again changes nothing; another waits, and the refusal says until when."""
    before = (await office.terms())["account"]
    assert (await office.set_account()).json() == before
    await office.asked()
    changed = (await office.set_account("thief@sandbox")).json()
    assert changed["usable_at_ms"] - before["usable_at_ms"] > 86_300_000
    error = assert_refused(await office.ask(), 409, "payout_account_new")
    assert error["usable_at_ms"] == changed["usable_at_ms"]
    assert_refused((await office.set_account("SLOW@sandbox")) and await office.ask(), 409, "payout_account_new")
    monkeypatch.setattr(payout_accounts, "WAIT", payout_accounts.WAIT * 0)
    await office.asked()


async def test_an_account_that_changes_while_a_payout_is_asked_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was looked at is the one that is paid out to, or nothing is made."""
    real = payouts.account_of

    async def changed(connection: Any, user: str) -> Any:
        found = await real(connection, user)
        return None if found is None else payout_accounts.PayoutAccount(0, "sandbox", "x@y", found.now, found.now)

    monkeypatch.setattr(payouts, "account_of", changed)
    assert_refused(await office.ask(), 409, "payout_account_new")
    assert await office.balances() == (30_000, 0, 0)


async def test_accounts_are_changed_ten_times_a_day(office: Office) -> None:
    """More is refused; the last one stays."""
    answers = [await office.set_account(f"nr{n}@sandbox") for n in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 9 + [429]
    assert len(await office.sql("SELECT 1 FROM payout_account")) == 10


async def test_an_owner_undoes_what_a_thief_did(office: Office) -> None:
    """Whoever was in the session used up the day's changes: the old address is set back at once, and used at once."""
    for n in range(9):
        assert (await office.set_account(f"thief{n}@sandbox")).status_code == 200
    assert_refused(await office.set_account("thief9@sandbox"), 429, "rate_limited")
    assert_refused(await office.ask(), 409, "payout_account_new")
    for _ in range(2):
        back = await office.set_account()
        assert (back.status_code, back.json()["address_masked"]) == (200, "s…@sandbox")
        await office.asked()
        assert_refused(await office.set_account("thief9@sandbox"), 429, "rate_limited")
        await office.sql("INSERT INTO payout_account (user_id, provider, address) VALUES ('mira', 'sandbox', 'x@y')")


async def test_setting_an_account_back_does_not_count(office: Office) -> None:
    """Between the first and nine others it was set back each time: the tenth new one is the first too many."""
    for n in range(9):
        assert (await office.set_account(f"nr{n}@sandbox")).status_code == 200
        assert (await office.set_account()).status_code == 200
    assert_refused(await office.set_account("nr9@sandbox"), 429, "rate_limited")


async def test_what_never_could_be_used_waits_again(office: Office) -> None:
    """A thief's address that was undone within the day is as new as before; one that stood for a day is not."""

    async def stood(address: str, days: float) -> None:
        await office.sql(
            "INSERT INTO payout_account (user_id, provider, address, set_at) "
            "VALUES ('tomas', 'sandbox', :address, now() - CAST(:ago AS interval))",
            address=address, ago=timedelta(days=days),
        )  # fmt: skip

    for address, days in (
        ("a@sandbox", 9), ("thief@sandbox", 8), ("a@sandbox", 7.1), ("b@sandbox", 7), ("a@sandbox", 5),
    ):  # fmt: skip
        await stood(address, days)

    async def usable_at_once(address: str) -> bool:
        found = (await office.set_account(address, user="tomas")).json()
        return bool(found["usable_at_ms"] <= (await office.sql("SELECT extract(epoch FROM now()) AS s"))[0].s * 1_000)

    assert not await usable_at_once("thief@sandbox")
    assert await usable_at_once("b@sandbox")
    assert await usable_at_once("a@sandbox")


async def test_a_payout_goes_where_it_was_asked_to(office: Office) -> None:
    """An account that changes afterwards changes nothing of it."""
    id = await office.asked()
    await office.set_account("thief@sandbox")
    await office.until(id, "sending")
    assert [one["address"] for one in await office.at_provider(id)] == ["slow@sandbox"]
    assert (await office.payout(id))["address_masked"] == "s…@sandbox"


async def test_payouts_are_their_creators_alone(office: Office) -> None:
    """Somebody else's is not there; lists are newest first, page by page."""
    ids = [await office.asked() for _ in range(3)]
    for path in (f"/v1/payouts/{ids[0]}", "/v1/payouts/nothing", f"/v1/payouts/out_{'0' * 32}"):
        answer = await office.shop.web.http.get(path, headers=office.bearer("tomas"))
        assert_refused(answer, 404, "payout_not_found")
    assert_refused(await office.cancel(ids[0], "tomas"), 404, "payout_not_found")
    page = (await office.shop.web.http.get("/v1/payouts?limit=2", headers=office.bearer())).json()
    assert [one["id"] for one in page["payouts"]] == ids[:0:-1]
    rest = (await office.shop.web.http.get(f"/v1/payouts?before={page['next']}", headers=office.bearer())).json()
    assert ([one["id"] for one in rest["payouts"]], rest["next"]) == (ids[:1], None)
    assert (await office.shop.web.http.get("/v1/payouts", headers=office.bearer("tomas"))).json()["payouts"] == []


async def test_operators_see_all_with_masked_addresses(office: Office) -> None:
    """By state, page by page; nobody else may look, and no answer has an address."""
    id = await office.asked()
    (found,) = await office.listed(state="requested")
    assert (found["id"], found["user"], found["address_masked"], found["voidable"]) == (id, "mira", "s…@sandbox", True)
    assert await office.listed(state="paid") == []
    assert await office.listed(user="tomas") == []
    assert await office.listed(before=id) == []
    assert_refused(await office.shop.web.http.get("/v1/ops/payouts", headers=office.bearer()), 403, "forbidden")
    for path in ("/v1/payouts/terms", "/v1/payouts", f"/v1/payouts/{id}"):
        assert "slow@" not in (await office.shop.web.http.get(path, headers=office.bearer())).text


async def test_addresses_are_in_no_log(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither when an account is set, nor when a payout is asked for, sent, and paid."""
    await office.set_account("somebody.secret@sandbox", user="tomas")
    await office.earn(10_000)
    id = await office.sent()
    await office.settle(id, "paid")
    await office.until(id, "paid")
    told = capsys.readouterr()
    assert "payout_requested" in told.out
    assert "secret@" not in told.out + told.err
    assert "slow@sandbox" not in told.out + told.err


@pytest.mark.parametrize(
    ("address", "shown"),
    [("mira@example.org", "m…@example.org"), ("m@example.org", "…@example.org"), ("DE02120300000000202051", "D…"),
     ("x", "…"), ("a@b@c", "a…@c")],
)  # fmt: skip
def test_masked_addresses(address: str, shown: str) -> None:
    """Enough to know it again, too little to write to."""
    assert masked(address) == shown


def test_the_rate_card() -> None:
    """Two diamonds are a cent; a card that cannot be is refused."""
    card = built_in()
    assert (card.amount_minor(10_000), card.amount_minor(10_001), card.diamonds_for(5_000)) == (5_000, None, 10_000)
    assert RateCard(1, "JPY", 3, 2, 1, 1).amount_minor(9) == 6
    for wrong in ({"currency": "ABC"}, {"min_minor": 3, "day_max_minor": 2}):
        fields = {"version": 1, "currency": "USD", "diamonds": 2, "minor": 1, "min_minor": 1, "day_max_minor": 2}
        with pytest.raises(ValueError, match="payout"):
            RateCard(**{**fields, **wrong})


async def test_postgresql_is_away(outage: Outage) -> None:
    """A clear error that says to try again; nothing is asked for."""
    web = outage.web
    headers = web.bearer("mira", "creator")
    await outage.proxy.stop()
    body = {"key": new_key(), "diamonds": 10_000, "amount_minor": 5_000, "currency": "USD"}
    answer = await web.http.post("/v1/payouts", json=body, headers=headers)
    assert assert_refused(answer, 503, "unavailable")["temporary"]
    assert_refused(await web.http.get("/v1/payouts/terms", headers=headers), 503, "unavailable")
