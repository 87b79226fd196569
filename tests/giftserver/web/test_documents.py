"""openapi.json and asyncapi.json: made from the code, complete, and true of real answers."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from starlette.routing import Route

from giftserver.auth.tokens import Identity
from giftserver.durable import earnings, payout_moves
from giftserver.durable.guardians import link, make_code
from giftserver.durable.payment_moves import flag
from giftserver.durable.rooms import set_live, upsert_room
from giftserver.errors import ERRORS
from giftserver.gifts import messages
from giftserver.gifts.messages import Person, SendGift
from giftserver.recharge.prices import built_in
from giftserver.settings import Settings
from giftserver.web import api, asyncapi, openapi
from rooms import protocol
from rooms.codec import JSON
from rooms.codes import CLOSE_CODES
from rooms.protocol import Command, Push
from tests.giftserver.conftest import Web, add_rooms
from tests.giftserver.shop import Shop, open_shop

DEMO = Settings(demo=True)
CODES = {code.name for code in ERRORS}
ELSEWHERE = ("take_webhook", "end_all_sessions", "get_month_as_csv", "take_break", "create_guardian_code")
"""Asked in tests of their own: of webhooks, sessions, statements and limits."""

QUERIES = {"get_quote": "?coins=100"}


def schema_in(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the document that can be validated alone."""
    return {**schema, "components": document["components"]}


def validate(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    jsonschema.Draft202012Validator(schema_in(document, schema)).validate(value)


def test_every_route_of_the_api_is_described() -> None:
    """Routes and document have the same paths and methods, with and without the demo."""
    for settings in (Settings(), DEMO):
        document = openapi.document(api.endpoints(settings), settings)
        routes = {
            (route.path, method.lower())
            for route in api.routes(settings)
            if isinstance(route, Route) and route.path.startswith(("/v1", "/demo"))
            for method in (route.methods or set()) - {"HEAD"}
        }
        described = {(path, method) for path, item in document["paths"].items() for method in item}
        assert described == routes
        assert any(path.startswith("/demo") for path, _ in described) == settings.demo


def test_the_document_holds_together() -> None:
    """Operations have their own names, every reference leads somewhere, and schemas are valid schemas."""
    for document in (openapi.document(api.endpoints(DEMO), DEMO), asyncapi.document(DEMO)):
        text = json.dumps(document)
        for part in text.split('"$ref": "#/')[1:]:
            place: Any = document
            for name in part.split('"')[0].split("/"):
                place = place[name]
        for schema in document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)
    operations = [
        operation
        for item in openapi.document(api.endpoints(DEMO), DEMO)["paths"].values()
        for operation in item.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]


@pytest.fixture
async def demo_shop(settings: Settings, static_dir: Path) -> AsyncIterator[Shop]:
    """A demo that sells coins."""
    async with open_shop(settings.model_copy(update={"static_dir": static_dir, "demo": True})) as shop:
        await add_rooms(shop.web.engines)
        yield shop


async def to_decide(demo: Web, payment: str, new_key: Callable[[], str]) -> dict[str, str]:
    """A report that opens a case, and proposals to approve and to reject; parts of paths by operation or name."""
    body = {"key": new_key(), "subject": {"kind": "payment", "id": payment}, "reason": "unauthorised"}
    await demo.http.post("/v1/reports", json=body, headers=demo.bearer("ana"))
    cases = (await demo.http.get("/v1/ops/cases", headers=demo.bearer("olga", "admin"))).json()["cases"]
    found = {"case": str(cases[0]["id"])}
    for decision in ("approve_adjustment", "reject_adjustment"):
        asked = {"key": new_key(), "user": "ana", "coins": 1, "reason": "a test", "case": found["case"]}
        made = await demo.http.post("/v1/ops/adjustments", json=asked, headers=demo.bearer("olga", "admin"))
        found[decision] = str(made.json()["id"])
    return found


async def to_pay_out(demo: Web, new_key: Callable[[], str]) -> dict[str, str]:
    """Ana has earned 30,000 diamonds, which are available, and asked for two payouts; these by operation."""
    await upsert_room(demo.engines.database, "pier", creator="ana", creator_name="Ana", title="The pier")
    await set_live(demo.engines.database, "pier", True)
    await demo.give_coins("finn", 30_000)
    sender = Identity("finn", "Finn", "viewer", None, float("inf"))
    await demo.services.gifts.send(sender, "pier", SendGift(id=1, key=new_key(), gift="fountain", quantity=300))
    await demo.settle()
    account = {"provider": "sandbox", "address": "slow@sandbox"}
    await demo.http.put("/v1/payouts/account", json=account, headers=demo.bearer("ana"))
    made = []
    for _ in range(2):
        body = {"key": new_key(), "diamonds": 10_000, "amount_minor": 5_000, "currency": "USD"}
        answer = await demo.http.post("/v1/payouts", json=body, headers=demo.bearer("ana"))
        assert answer.status_code == 200, answer.text
        made.append(str(answer.json()["id"]))
    await payout_moves.flag(demo.engines.database, made[1], "a test")
    mine = {"get_payout": made[0], "cancel_payout": made[0]}
    return mine | {"get_any_payout": made[1], "void_payout": made[1], "decide_payout": made[1]}


def bodies_of(new_key: Callable[[], str], prices: Any, proposed: int) -> dict[str, Any]:
    """What is sent to the operations that take something."""
    return {
        "put_room": {"title": "Harbour"},
        "set_live": {"live": True},
        "send_test_gift": {"gift": "dewdrop"},
        "issue_token": {"id": "ana"},
        "top_up": {"coins": 5},
        "issue_ticket": {},
        "create_payment": {
            "key": new_key(), "provider": "sandbox", "pack": "coins-70", "amount_minor": 99, "bonus_coins": 0,
            "currency": "USD",
        },
        "review_payment": {"decision": "close", "reason": "a test"},
        "refund_payment": {"key": new_key(), "amount_minor": 1, "reason": "a test"},
        "propose_prices": prices,
        "approve_prices": {"version": proposed},
        "put_zone": {"zone": "Europe/Berlin"},
        "set_budget": {"coins": 5_000, "hours": 1},
        "break_for_ward": {"hours": 1},
        "report": {"key": new_key(), "subject": {"kind": "user", "id": "mira"}, "reason": "other"},
        "hold_case": {"version": 1, "reason": "a test"},
        "release_case": {"version": 2, "reason": "a test"},
        "ban_case": {"version": 3, "reason": "a test"},
        "unban_case": {"version": 4, "reason": "a test"},
        "note_case": {"version": 5, "reason": "a test"},
        "close_case": {"version": 6, "reason": "a test", "outcome": "resolved"},
        "propose_adjustment": {"key": new_key(), "user": "ana", "coins": -1, "reason": "a test"},
        "approve_adjustment": {"reason": "a test"},
        "reject_adjustment": {"reason": "a test"},
        "put_payout_account": {"provider": "sandbox", "address": "slow@sandbox"},
        "create_payout": {"key": new_key(), "diamonds": 10_000, "amount_minor": 5_000, "currency": "USD"},
        "void_payout": {"reason": "a test"},
        "decide_payout": {"decision": "dismiss", "reason": "a test"},
        "stop_all_payouts": {"reason": "a test"},
        "go_on_with_payouts": {"reason": "a test"},
    }  # fmt: skip


async def test_real_answers_are_as_described(
    demo_shop: Shop, new_key: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every endpoint is asked; its answer fits the schema of its status, and so do its refusals."""
    demo = demo_shop.web
    document = (await demo.http.get("/openapi.json")).json()
    payment = await demo_shop.paid("ana")
    await demo_shop.until_state(payment["id"], "credited")
    prices = msgspec.to_builtins(built_in().list)
    proposed = await demo.http.post("/v1/ops/prices", json=prices, headers=demo.bearer("olga", "admin"))
    await flag(demo.engines.database, payment["id"], "a test", "provider")
    key = new_key()
    await demo.give_coins("ana", 100)
    await demo.send_gift("ana", key)
    await demo.services.announcer.close()
    await demo.settle()
    bodies = bodies_of(new_key, prices, proposed.json()["version"])
    bodies["add_ward"] = {"code": (await make_code(demo.engines.database, "ben", "Ben"))[0]}
    await link(demo.engines.database, (await make_code(demo.engines.database, "ana", "Ana"))[0], "gus", "Gus")
    monkeypatch.setattr(earnings, "PENDING_DAYS", 0)
    paid_out = await to_pay_out(demo, new_key)
    decided = await to_decide(demo, payment["id"], new_key)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = operation["operationId"]
            if name in ELSEWHERE:
                continue
            role = "creator" if "{room}" in path else "admin" if "/ops/" in path else "viewer"
            person = demo.bearer({"creator": "mira", "admin": "otto"}.get(role, "ana"), role)
            url = path.replace("{room}", "harbour").replace("{key}", key).replace("{payment}", payment["id"])
            url = url.replace("{ward}", "ben").replace("{month}", f"{datetime.now(UTC):%Y-%m}")
            url = url.replace("{case}", decided["case"]).replace("{adjustment}", decided.get(name, ""))
            url = url.replace("{payout}", paid_out.get(name, ""))
            good = await demo.http.request(method, url + QUERIES.get(name, ""), headers=person, json=bodies.get(name))
            assert good.status_code == 200, (name, good.text)
            validate(document, operation["responses"]["200"]["content"]["application/json"]["schema"], good.json())
            refusals = [
                await demo.http.request(method, url, json={"wrong": 1}),
                await demo.http.request(method, url, headers={**person, "origin": "https://evil.example"}),
                await demo.http.request(method, f"{url}?limit=x&after=x", headers=person, content=b"x"),
            ]
            for refused in (answer for answer in refusals if answer.status_code >= 400):
                described = operation["responses"].get(str(refused.status_code))
                assert described is not None, (name, refused.text)
                validate(document, described["content"]["application/json"]["schema"], refused.json())
                assert refused.json()["error"]["code"] in described["description"]
                assert refused.json()["error"]["code"] in CODES


def test_every_message_is_described() -> None:
    """All types of both directions, the error table and the close codes are in the document."""
    document = asyncapi.document(DEMO)
    for base, prefix in ((Push, "push"), (Command, "command")):
        kinds = [
            kind
            for module in (protocol, messages)
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, base) and kind is not base
        ]
        assert kinds
        for kind in kinds:
            message = document["components"]["messages"][f"{prefix}_{kind.__struct_config__.tag}"]
            assert message["payload"] == {"$ref": f"#/components/schemas/{kind.__name__}"}
            assert message["summary"]
    assert [row["code"] for row in document["x-errors"]] == [code.name for code in ERRORS]
    assert [row["code"] for row in document["x-close-codes"]] == [code.code for code in CLOSE_CODES]
    sent = {ref["$ref"].rpartition("/")[2] for ref in document["operations"]["push"]["messages"]}
    taken = {ref["$ref"].rpartition("/")[2] for ref in document["operations"]["command"]["messages"]}
    assert sent | taken == set(document["components"]["messages"])
    assert sent | taken == set(document["channels"]["room"]["messages"])
    assert not sent & taken


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("push_gift", messages.Gift(offset=1, transfer="07-1-1", sender=Person("a", "A"), gift="dewdrop", quantity=1,
                                    coins=1, diamonds=1, combo=None, combo_quantity=1, at_ms=1)),
        ("push_snapshot", messages.Snapshot(status="live", title="T", creator=Person("m", "M"), stream_url=None,
                                            viewers=0, combos=[], top=[], goal=None, total_coins=0, total_diamonds=0)),
        ("push_welcome", protocol.Welcome(room="r", epoch="e", offset=0, server_time_ms=1, heartbeat_s=20,
                                          catalog_version=1, resumed=False,
                                          you=messages.You("a", "A", "viewer", None))),
        ("push_reply", protocol.Reply(1, messages.Receipt("07-1-1", "k", 1, 1, 0, "accepted"))),
        ("push_error", protocol.Error(id=None, code="bad_request", message="m", temporary=False)),
        ("command_send_gift", SendGift(id=1, key="01890a5d-ac96-774b-bcce-b302099a8057", gift="dewdrop", quantity=1)),
    ],
)  # fmt: skip
def test_messages_are_as_described(name: str, message: Any) -> None:
    """What the codec writes fits the schema, and a wrong type does not."""
    document = asyncapi.document(DEMO)
    schema = document["components"]["messages"][name]["payload"]
    value = json.loads(JSON.encode(message))
    validate(document, schema, value)
    with pytest.raises(jsonschema.ValidationError):
        validate(document, schema, {**value, "type": "something else"})


async def test_both_documents_are_served(web: Web) -> None:
    """Of the server that is asked."""
    for path, version in (("/openapi.json", "openapi"), ("/asyncapi.json", "asyncapi")):
        answer = await web.http.get(path)
        assert answer.status_code == 200
        assert version in answer.json()
        assert str(web.http.base_url.port) in answer.text
