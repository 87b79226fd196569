"""Guardians: linked by a code, stricter than the person, ended by either of the two; and who is too young."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from giftserver.durable.guardians import LETTERS, WARDS_MAX, make_code, wards_of
from giftserver.durable.guardians import link as enter
from giftserver.durable.limits import Refused
from giftserver.ledger import keys
from giftserver.settings import Settings
from tests.giftserver.conftest import Web, add_rooms, assert_refused, running
from tests.giftserver.limits.test_sending import age, of, put, refused
from tests.giftserver.web.sockets import NewKey, joined

CHILD = (datetime.now(UTC) - timedelta(days=12 * 365)).date()


async def ask(web: Web, method: str, path: str, user: str, body: Any = None, **claims: Any) -> httpx.Response:
    """A request of somebody; a wrong code is as good as any other one."""
    return await web.http.request(method, f"/v1/guardian{path}", json=body, headers=web.bearer(user, **claims))


async def link(web: Web, ward: str = "ana", guardian: str = "gus") -> str:
    """Make one the guardian of the other; the code that did it."""
    code: str = (await ask(web, "POST", "/codes", ward)).json()["code"]
    answer = await ask(web, "POST", "/wards", guardian, {"code": code.lower().replace("-", " ")})
    assert (answer.status_code, answer.json()["user"], answer.json()["name"]) == (200, ward, ward.title())
    return code


async def test_a_code_links_one_person_once(web: Web) -> None:
    """Wrong, used, replaced and late codes link nobody, and nobody has two guardians."""
    first = (await ask(web, "POST", "/codes", "ana")).json()["code"]
    code = await link(web)
    for wrong in (first, code, "AAAAA-AAAAA", "", "x" * 20):
        answer = await ask(web, "POST", "/wards", "hal", {"code": wrong})
        assert answer.status_code in (400, 409), wrong
    assert_refused(await ask(web, "POST", "/codes", "ana"), 409, "guardian_refused")

    late = (await ask(web, "POST", "/codes", "ben")).json()["code"]
    async with web.engines.database.begin() as connection:
        await connection.execute(text("UPDATE guardian_code SET expires_at = now() WHERE used_at IS NULL"))
    assert_refused(await ask(web, "POST", "/wards", "gus", {"code": late}), 409, "guardian_refused")
    own = (await ask(web, "POST", "/codes", "ben")).json()["code"]
    assert_refused(await ask(web, "POST", "/wards", "ben", {"code": own}), 409, "guardian_refused")
    answers = await asyncio.gather(*(ask(web, "POST", "/wards", f"p{n}", {"code": own}) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert (await ask(web, "DELETE", "", "ben")).status_code == 200
    assert_refused(await ask(web, "POST", "/wards", "hal", {"code": own}), 409, "guardian_refused")
    assert set(own) <= set(LETTERS) | {"-"}


async def test_codes_and_links_at_the_same_time_do_not_wait_in_a_circle(web: Web) -> None:
    """Whoever makes a code anew while it is entered is told, or has a guardian; nobody has more wards than allowed."""
    database = web.engines.database
    for n in range(6):
        codes = [(await make_code(database, f"{name}{n}", name))[0] for name in ("ana", "ben")]
        both = (enter(database, code, "gus", "Gus") for code in codes)
        again = (make_code(database, f"{name}{n}", name) for name in ("ana", "ben", "ana", "ben"))
        for found in await asyncio.gather(*both, *again, return_exceptions=True):
            assert not isinstance(found, BaseException) or isinstance(found, Refused), found
    answers = [(await make_code(database, f"cleo{n}", "cleo"))[0] for n in range(WARDS_MAX + 1)]
    await asyncio.gather(*(enter(database, code, "gus", "Gus") for code in answers), return_exceptions=True)
    assert len(await wards_of(database, "gus")) == WARDS_MAX


async def test_asking_about_anybody_else_touches_nothing(web: Web) -> None:
    """Names that nobody has are refused like others, and no wallet is loaded for a stranger."""
    for name in ("ana", "%00", "%ed%a0%80", "a%20%7Bb%7D", "x" * 65):
        for method, path, body in (
            ("GET", "/limits", None), ("PUT", "/limits", {}), ("POST", "/break", {"hours": 1}), ("DELETE", "", None),
        ):  # fmt: skip
            answer = await ask(web, method, f"/wards/{name}{path}", "gus", body)
            assert_refused(answer, 404, "not_your_ward")
    assert not await web.engines.ledger_redis.exists(keys.wallet(keys.shard_of("ana"), "ana"))


async def test_a_guardians_limits_hold_beside_ones_own(rich: Web, new_key: NewKey) -> None:
    """The stricter of the two; the ward cannot loosen the guardian's, nobody else can touch them, and they end late."""
    await link(rich)
    body = {"gift_coins": 20, "day_coins": 100}
    for other in ("hal", "ana"):
        for method, path in (("PUT", "/wards/ana/limits"), ("GET", "/wards/ana/limits"), ("DELETE", "/wards/ana")):
            found = await ask(rich, method, path, other, body if method == "PUT" else None)
            assert_refused(found, 404, "not_your_ward")
        assert_refused(await ask(rich, "POST", "/wards/ana/break", other, {"hours": 1}), 404, "not_your_ward")
    shown = (await ask(rich, "PUT", "/wards/ana/limits", "gus", body)).json()
    assert (of(shown, "gift")["guardian_coins"], shown["guardian"]) == (20, "Gus")
    async with joined(rich) as ana:
        await refused(ana, new_key(), 21, "gift", 20)
        shown = await put(rich, gift_coins=500, day_coins=30)
        assert (of(shown, "gift")["coins"], of(shown, "day")["coins"]) == (20, 30)
        await age(rich, 24)
        await refused(ana, new_key(), 21, "gift", 20)
        shown = (await ask(rich, "PUT", "/wards/ana/limits", "gus", {"gift_coins": None})).json()
        assert (of(shown, "gift")["coins"], shown["waiting"][0]["scope"]) == (20, "guardian")
        shown = (await ask(rich, "DELETE", "", "ana")).json()
        assert (shown["guardian"], of(shown, "gift")["coins"]) == (None, 20)
        assert_refused(await ask(rich, "GET", "/wards/ana/limits", "gus"), 404, "not_your_ward")
        assert_refused(await ask(rich, "DELETE", "", "ana"), 409, "guardian_refused")
        await age(rich, 24)
        await rich.services.limits.step()
        assert (await ana.gift(1, new_key(), quantity=30))["type"] == "reply"
        await refused(ana, new_key(), 1, "day", 0)


async def test_a_guardian_has_a_ward_take_a_break(rich: Web, new_key: NewKey) -> None:
    """Which only gets longer, also for the guardian, and outlives the link."""
    await link(rich)
    assert (await ask(rich, "POST", "/wards/ana/break", "gus", {"hours": 2})).json()["break_until_ms"]
    assert_refused(await ask(rich, "POST", "/wards/ana/break", "gus", {"hours": 1}), 409, "limit_stays")
    assert_refused(await ask(rich, "POST", "/wards/ana/break", "gus", {"hours": 745}), 400, "bad_request")
    assert (await ask(rich, "DELETE", "/wards/ana", "gus")).json() == {"wards": []}
    async with joined(rich) as ana:
        await refused(ana, new_key(), 1, "locked", 0)


@pytest.mark.parametrize("minors", ["never", "guardian"])
async def test_who_is_too_young(settings: Settings, new_key: NewKey, minors: str) -> None:
    """Sends and buys nothing, unless the operator lets guardians answer for it; is no guardian and never leaves one."""
    async with running(settings.model_copy(update={"minors": minors})) as web:
        await add_rooms(web.engines)
        await web.give_coins("kim", 100)
        child, grown = web.bearer("kim", birthdate=CHILD), web.bearer("kim", birthdate=CHILD.replace(year=1990))

        async def sent(headers: dict[str, str]) -> str | None:
            ticket = (await web.http.post("/v1/tickets", json={}, headers=headers)).json()["ticket"]
            async with joined(web, None, query=f"?ticket={ticket}") as kim:
                code: str | None = (await kim.gift(1, new_key())).get("code")
                return code

        assert (await sent(child), await sent(grown)) == ("age_restricted", None)
        order = {"key": new_key(), "provider": "sandbox", "pack": "coins-700", "amount_minor": 999, "currency": "USD"}
        answer = await web.http.post("/v1/payments", json=order, headers=child)
        assert_refused(answer, 403, "age_restricted")
        for path in ("/v1/store", "/v1/store/quote?coins=700"):
            refused = assert_refused(await web.http.get(path, headers=child), 403, "age_restricted")
            assert refused["guardian_helps"] == (minors == "guardian")
            assert (await web.http.get(path, headers=grown)).status_code == 200
        code = (await ask(web, "POST", "/codes", "ben")).json()["code"]
        assert_refused(await ask(web, "POST", "/wards", "kim", {"code": code}, birthdate=CHILD), 403, "age_restricted")

        await link(web, "kim", "gus")
        assert_refused(await ask(web, "DELETE", "", "kim", birthdate=CHILD), 403, "age_restricted")
        assert_refused(await ask(web, "DELETE", "/wards/kim", "kim", birthdate=CHILD), 404, "not_your_ward")
        assert await sent(child) == ("age_restricted" if minors == "never" else None)
        assert (await web.http.get("/v1/store", headers=child)).status_code == (403 if minors == "never" else 200)


async def test_a_birthdate_that_is_none_lets_nobody_in(web: Web) -> None:
    """A token that tells nonsense is not believed."""

    class Nonsense:
        def isoformat(self) -> str:
            return "2008-02-31"

    answer = await web.http.get("/v1/limits", headers=web.bearer("ana", birthdate=Nonsense()))
    assert "birthdate" in assert_refused(answer, 401, "unauthorized")["message"]


BAD = [
    ("PUT", "", {"gift_coins": -1}), ("PUT", "", {"gift_coins": 1.5}), ("PUT", "", {"day_coins": True}),
    ("PUT", "", {"day_coins": "7"}), ("PUT", "", {"month_coins": 2**63}), ("PUT", "", {"weekly": 1}),
    ("PUT", "/zone", {"zone": "Mars/Olympus"}), ("PUT", "/zone", {"zone": "../../etc/passwd"}),
    ("PUT", "/zone", {"zone": "Etc/GMT+12"}), ("POST", "/break", {"hours": 0}), ("POST", "/break", {}),
    ("POST", "/break", {"hours": 9_000}), ("POST", "/session", {"coins": 5, "hours": 25}),
    ("POST", "/session", {"hours": 2}),
]  # fmt: skip


async def test_bad_wishes_change_nothing(web: Web) -> None:
    """Each is refused in words."""
    before = (await web.http.get("/v1/limits", headers=web.bearer("ana"))).json()
    for method, path, body in BAD:
        answer = await web.http.request(method, f"/v1/limits{path}", json=body, headers=web.bearer("ana"))
        assert_refused(answer, 400, "bad_request")
    assert (await web.http.put("/v1/limits", json={}, headers=web.bearer("ana"))).status_code == 200
    assert (await web.http.get("/v1/limits", headers=web.bearer("ana"))).json() == before
