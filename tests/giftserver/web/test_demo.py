"""The demo's endpoints: be anyone, coins for nothing, and not there elsewhere."""

from typing import Any

import pytest

from tests.giftserver.conftest import Outage, Web, assert_refused

NOT_AMOUNTS = [
    b'{"coins": true}',
    b'{"coins": 7.0}',
    b'{"coins": 7.5}',
    b'{"coins": 1e3}',
    b'{"coins": "7"}',
    b'{"coins": null}',
    b'{"coins": 0}',
    b'{"coins": -7}',
    b'{"coins": 10001}',
    b'{"coins": 9223372036854775808}',
    b'{"coins": 100000000000000000000000000000}',
    b'{"coins": NaN}',
    b'{"coins": [7]}',
    b'{"coins": 7, "user": "mira"}',
    b"{}",
    b"",
    b"7",
    b"coins=7",
    b'{"coins": 7',
    b"\xff\xfe",
    b'{"coins": "\xff"}',
    b"[" * 16_000,
    b'{"x": ' * 2_000,
]


async def test_people_get_tokens_that_work(demo: Web) -> None:
    """Viewers, creators with their rooms, and the operator can be become."""
    people = (await demo.http.get("/demo/people")).json()["people"]
    by_id = {person["id"]: person for person in people}
    assert by_id["ana"] == {"id": "ana", "name": "Ana", "role": "viewer"}
    assert by_id["mira"] == {"id": "mira", "name": "Mira", "role": "creator", "room": "harbour"}
    assert by_id["viktor"] == {
        "id": "viktor", "name": "Viktor", "role": "viewer", "story": "a dispute lost, the coins spent"
    }  # fmt: skip
    assert [person["id"] for person in people if person["role"] == "admin"] == ["operator", "deputy"]
    for person in people:
        answer = await demo.http.post("/demo/token", json={"id": person["id"]})
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        assert 0 < answer.json()["expires_in_s"] <= 900
        assert (await demo.http.get("/v1/wallet", headers=headers)).status_code == 200
    mira = await demo.http.post("/demo/token", json={"id": "mira"})
    headers = {"authorization": f"Bearer {mira.json()['token']}"}
    assert (await demo.http.get("/v1/studio/harbour", headers=headers)).status_code == 200
    assert_refused(await demo.http.post("/demo/token", json={"id": "nobody"}), 404, "not_found")


async def test_somebody_is_too_young(demo: Web) -> None:
    """One of the people has a birthdate in the token, as a platform would tell it: what is for adults is not theirs."""
    for person, status, code in (("mika", 403, "age_restricted"), ("ana", 409, "guardian_refused")):
        token = (await demo.http.post("/demo/token", json={"id": person})).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        answer = await demo.http.post("/v1/guardian/wards", headers=headers, json={"code": "AAAA-AAAA-AAAA"})
        assert_refused(answer, status, code)


async def test_coins_for_nothing_reach_the_wallet(demo: Web) -> None:
    """Each top-up is a credit of its own."""
    ana = demo.bearer("ana")
    for number in (1, 2):
        answer = await demo.http.post("/demo/topup", headers=ana, json={"coins": 10_000})
        assert answer.json() == {"credit_no": number, "coins": 10_000}
    assert (await demo.http.get("/v1/wallet", headers=ana)).json()["settled_coins"] == 20_000
    assert_refused(await demo.http.post("/demo/topup", json={"coins": 1}), 401, "unauthorized")


async def test_only_a_whole_number_is_an_amount(demo: Web) -> None:
    """No bool, float or text is taken for coins, nothing is credited, and nothing but a refusal comes back."""
    ana = {**demo.bearer("ana"), "content-type": "application/json"}
    for body in NOT_AMOUNTS:
        assert_refused(await demo.http.post("/demo/topup", headers=ana, content=body), 400, "bad_request")
    assert (await demo.http.get("/v1/wallet", headers=ana)).json()["settled_coins"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/demo/people", None), ("POST", "/demo/token", {"id": "ana"}), ("POST", "/demo/topup", {"coins": 1})],
)
async def test_outside_the_demo_they_are_not_there(web: Web, method: str, path: str, body: Any) -> None:
    """404, whoever asks, and not in the document either."""
    answer = await web.http.request(method, path, json=body, headers=web.bearer("root", "admin"))
    assert_refused(answer, 404, "not_found")
    assert path not in (await web.http.get("/openapi.json")).json()["paths"]


async def test_no_coins_are_added_while_postgresql_is_away(outage: Outage) -> None:
    """Refused in words that say it may be tried again; the balance stays what it was."""
    demo, ana = outage.web, outage.web.bearer("ana")
    await demo.give_coins("ana", 10)
    assert (await demo.http.get("/v1/wallet", headers=ana)).json()["coins"] == 10
    await outage.proxy.stop()
    answer = await demo.http.post("/demo/topup", json={"coins": 70}, headers=ana)
    refused = assert_refused(answer, 503, "unavailable")
    assert refused["temporary"] is True
    assert "try again" in refused["message"]
    assert (await demo.http.get("/v1/wallet", headers=ana)).json()["coins"] == 10
