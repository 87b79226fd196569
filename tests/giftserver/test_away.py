"""Only an engine that is away is told as away: a mistake of the server's is one, and its values stay out of logs."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from giftserver.away import DATABASE_ERRORS, constraint_of, is_away, told
from giftserver.durable.store import open_database
from giftserver.engines import Engines
from giftserver.gifts.service import FAILED
from giftserver.settings import Settings
from tests.giftserver.conftest import Web, assert_refused
from tests.giftserver.web.sockets import joined


async def run(engines: Engines, *statements: str) -> None:
    """Change the database under the server."""
    async with engines.database.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


BROKEN = {
    "/v1/wallet": "ALTER TABLE wallet_state RENAME COLUMN held TO gone",
    "/v1/wallet/history": "ALTER TABLE transfer RENAME COLUMN gift TO gone",
    "/v1/gifts/{key}": "ALTER TABLE transfer RENAME COLUMN gift TO gone",
    "/v1/rooms": "ALTER TABLE room RENAME COLUMN title TO gone",
    "/rooms/harbour": "ALTER TABLE room RENAME COLUMN title TO gone",
}


@pytest.mark.parametrize("path", BROKEN)
async def test_a_bad_query_is_no_outage(web: Web, new_key: Callable[[], str], path: str) -> None:
    """500 for programs and for people; one line of the log says what and where, and no value."""
    await run(web.engines, BROKEN[path])
    with capture_logs() as logs:
        answer = await web.http.get(path.format(key=new_key()), headers=web.bearer("ana"))
    if path.startswith("/v1/"):
        assert "logged" in assert_refused(answer, 500, "internal")["message"]
    else:
        assert (answer.status_code, "That went wrong" in answer.text) == (500, True)
    (line,) = logs
    assert line.pop("where").startswith("giftserver/")
    assert line == {
        "event": "request_failed", "log_level": "error", "method": "GET", "error": "UndefinedColumnError",
        "sqlstate": "42703",
    }  # fmt: skip


async def test_the_first_page_of_a_demo_says_it_too(demo: Web) -> None:
    """It is not the moment in which the rooms cannot be looked up."""
    await run(demo.engines, BROKEN["/v1/rooms"])
    page = await demo.http.get("/")
    assert (page.status_code, "That went wrong" in page.text) == (500, True)


async def test_a_socket_is_told_so_too(web: Web, new_key: Callable[[], str]) -> None:
    """A handshake is refused with 500; a gift fails before anything is charged."""
    await web.give_coins("ana", 100)
    async with joined(web, "ana") as ana:
        web.services.rooms.forget("harbour")
        await run(web.engines, BROKEN["/v1/rooms"])
        refused = await ana.gift(1, new_key())
        assert (refused["code"], refused["message"]) == (FAILED.code.name, FAILED.message)
    with capture_logs() as logs, pytest.raises(InvalidStatus) as handshake:
        async with joined(web, "ana"):
            pass
    assert handshake.value.response.status_code == 500
    assert [line["error"] for line in logs if line["event"] == "room_not_read"] == ["UndefinedColumnError"]
    assert await web.services.ledger.balance("ana") == 100


async def test_no_value_is_logged(web: Web) -> None:
    """PostgreSQL names who is refused: the log does not."""
    await run(web.engines, "ALTER TABLE session_end ADD CONSTRAINT nobody CHECK (user_id <> 'ana-of-the-lake')")
    with capture_logs() as logs:
        answer = await web.http.post("/v1/sessions/end", json={}, headers=web.bearer("ana-of-the-lake"))
    assert_refused(answer, 500, "internal")
    assert [(line["error"], line["constraint_name"]) for line in logs] == [("CheckViolationError", "nobody")]
    assert "ana-of" not in str(logs)
    with pytest.raises(IntegrityError) as refused:
        async with web.engines.database.begin() as connection:
            await connection.execute(
                text("INSERT INTO session_end (user_id, before_s, by_user) VALUES (:user, 1, 'pia')"),
                {"user": "ana-of-the-lake"},
            )
    assert "ana-of" not in str(refused.value)
    assert (constraint_of(refused.value), told(refused.value)["sqlstate"]) == ("nobody", "23514")


AWAY = {
    "a statement that takes too long": "SELECT pg_sleep(20)",
    "a server that stops": "SELECT pg_terminate_backend(pg_backend_pid())",
    "a standby": "SET TRANSACTION READ ONLY; DELETE FROM overlay",
}
MISTAKES = {
    "no such table": "SELECT 1 FROM nowhere",
    "a rule of the tables": "INSERT INTO session_end (user_id) VALUES ('ana')",
    "not a number": "SELECT CAST('ana' AS bigint)",
    "nothing to divide by": "SELECT 1 / 0",
}


async def error_of(url: str, *statements: str, **values: Any) -> BaseException:
    """What a new connection raises for these statements."""
    database = open_database(url, statement_timeout_ms=200)
    try:
        async with database.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement), values)
    except DATABASE_ERRORS as problem:
        return problem
    finally:
        await database.dispose()
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("what", AWAY)
async def test_it_is_away(settings: Settings, what: str) -> None:
    """Slow, stopping, not the one that writes: the same may work in a moment."""
    assert settings.database_url is not None
    assert is_away(await error_of(settings.database_url, *AWAY[what].split("; ")))


@pytest.mark.parametrize("change", [{"port": 1}, {"database": "nowhere"}, {"username": "nobody_is_called_so"}])
async def test_nobody_is_let_in(settings: Settings, change: dict[str, Any]) -> None:
    """Nothing listens there, no such database, no such user: there is no connection."""
    url = make_url(settings.database_url or "").set(**change).render_as_string(hide_password=False)
    assert is_away(await error_of(url, "SELECT 1"))


@pytest.mark.parametrize("what", MISTAKES)
async def test_it_is_a_mistake(settings: Settings, what: str) -> None:
    """Asked again it is refused again."""
    assert settings.database_url is not None
    assert not is_away(await error_of(settings.database_url, MISTAKES[what]))


async def test_an_argument_that_cannot_be_sent_is_a_mistake(settings: Settings) -> None:
    """The driver refuses it before PostgreSQL sees it."""
    assert settings.database_url is not None
    assert not is_away(await error_of(settings.database_url, "SELECT CAST(:n AS integer)", n=2**40))


def test_what_no_driver_raises_is_nobodys_absence() -> None:
    """A bug is not an engine that is away; no answer in time is."""
    assert is_away(TimeoutError())
    assert not is_away(ZeroDivisionError())
