"""Log lines carry no secrets and no personal data, whoever writes them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from giftserver import logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged, as JSON; the logging of other tests is put back."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def last(stream: io.StringIO) -> dict[str, object]:
    """The last line."""
    line: dict[str, object] = json.loads(stream.getvalue().splitlines()[-1])
    return line


@pytest.mark.parametrize(
    "name",
    ["token", "ticket", "jwt_secret", "password", "Authorization", "set-cookie", "overlay_token", "email", "note"],
)
def test_private_fields_are_masked(lines, name):
    """By a word of their name, in any case and any place."""
    structlog.get_logger().info("seen", **{name: "hush"})
    assert last(lines)[name] == logs.MASK
    structlog.get_logger().info("seen", outer={name: ["hush"], "gift": "kite"})
    assert last(lines)["outer"] == {name: logs.MASK, "gift": "kite"}
    assert "hush" not in lines.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/rooms/r/ws?epoch=1&ticket=hush-hush-1&offset=2",
        "sent 'Authorization: Bearer hush-hush-1'",
        "cannot reach postgresql://giftserver:hush-hush-1@127.0.0.1/giftserver",
        "redis://:hush-hush-1@127.0.0.1:6379/0 is away",
        "GET /overlay/hush-hush-1?theme=dark",
        "password=hush-hush-1",
        'violates check constraint "c"\nDETAIL:  Failing row contains (hush-hush-1, 5).\nHINT: none',
    ],
)
def test_secrets_inside_a_text_are_masked(lines, text):
    """Query strings, headers, URLs with passwords, overlay addresses, what PostgreSQL says of a row."""
    structlog.get_logger().warning(text, where=text)
    assert "hush-hush-1" not in lines.getvalue()
    assert logs.MASK in str(last(lines)["where"])


def test_what_is_not_secret_stays(lines):
    """Ids, amounts and places are what a log is for."""
    structlog.get_logger().info("sent", user="ana", gift="kite", coins=10, token_count=3, room="harbour", ok=True)
    line = last(lines)
    assert (line["user"], line["gift"], line["room"]) == ("ana", "kite", "harbour")
    assert (line["coins"], line["token_count"], line["ok"]) == (10, 3, True)
    assert line["level"] == "info"
    assert str(line["at"]).endswith("Z")


def test_the_standard_library_goes_the_same_way(lines):
    """uvicorn and SQLAlchemy log through it too."""
    logging.getLogger("uvicorn.error").warning("closed %s", f"/ws?ticket={JWT}")
    assert last(lines)["event"] == "closed /ws?ticket=***"
    before = lines.getvalue()
    logging.getLogger("uvicorn.access").info("GET /ws?ticket=hush")
    assert lines.getvalue() == before


def test_tracebacks_tell_the_place_and_no_values(lines):
    """Local variables and secrets in the message stay out."""
    hidden = "hush" + "-hush-2"
    try:
        raise ValueError(f"bad token={hidden}")
    except ValueError:
        structlog.get_logger().exception("failed")
    line = last(lines)
    assert "test_tracebacks_tell" in str(line["exception"])
    assert hidden not in lines.getvalue()


def test_bytes_tuples_and_depth(lines):
    """Whatever is logged becomes text that was looked at."""
    deep: dict[str, object] = {"gift": "kite"}
    for _ in range(10):
        deep = {"inner": deep}
    structlog.get_logger().info("odd", raw=b"ticket=hush", pair=("a", 1), deep=deep)
    line = last(lines)
    assert line["raw"] == "ticket=***"
    assert line["pair"] == ["a", 1]
    assert "kite" not in json.dumps(line["deep"])


def test_lines_below_the_level_are_left_out(lines):
    """log_level is the least level written."""
    structlog.get_logger().debug("quiet")
    assert lines.getvalue() == ""


def test_the_console_format_is_for_people(lines):
    """The same masking, without JSON."""
    stream = io.StringIO()
    logs.configure("console", "info", stream)
    structlog.get_logger().info("sent", ticket="hush", gift="kite")
    assert "gift=kite" in stream.getvalue()
    assert "hush" not in stream.getvalue()
