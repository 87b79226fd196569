"""What rooms/edge.py and rooms/handshake.py rely on inside uvicorn and websockets; a change fails here first."""

import ast
import inspect
import textwrap

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import Protocol
from websockets.server import ServerProtocol

from rooms.edge import EdgeProtocol
from rooms.handshake import HandshakeProtocol

OVERRIDDEN = (
    "data_received", "handle_connect", "run_asgi", "send_receive_event_to_app", "handle_cont", "handle_ping",
    "handle_pong", "connection_lost",
    "handle_close", "handle_parser_exception",
)  # fmt: skip
CALLED = ("stop_keepalive", "handle_parser_exception", "send_500_response")
READ = (
    "app", "close_sent", "close_timer", "config", "conn", "curr_msg_data_type", "disconnected", "frames",
    "handshake_complete", "handshake_initiated", "logger", "loop", "queue", "read_paused", "transport", "writable",
)  # fmt: skip
HTTP_OVERRIDDEN = (
    "connection_made", "on_message_begin", "on_headers_complete", "on_message_complete", "connection_lost",
)  # fmt: skip
LET_GO = ("scope", "request", "response", "app_state")


def attributes_set(kind: type) -> set[str]:
    """Names that methods of a class assign on self."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }


def readers_of(kind: type, name: str) -> set[str]:
    """Methods of a class that read an attribute of self."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    [body] = tree.body
    assert isinstance(body, ast.ClassDef)
    return {
        method.name
        for method in body.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and node.attr == name and ast.unparse(node.value) == "self"
    }


@pytest.mark.parametrize("name", [*OVERRIDDEN, *CALLED])
def test_the_methods_are_there(name: str) -> None:
    """With the parameters that the edge gives them."""
    theirs = inspect.signature(getattr(WebSocketsSansIOProtocol, name))
    ours = inspect.signature(getattr(EdgeProtocol, name))
    assert list(theirs.parameters) == list(ours.parameters)


@pytest.mark.parametrize("name", [*READ, *LET_GO])
def test_the_attributes_are_there(name: str) -> None:
    """Renamed, they would be created anew and mean nothing."""
    assert name in attributes_set(WebSocketsSansIOProtocol)


@pytest.mark.parametrize("name", LET_GO)
def test_what_is_let_go_is_of_the_handshake_alone(name: str) -> None:
    """Nothing that runs after it reads these."""
    handshake = {"__init__", "handle_connect", "run_asgi", "send"}
    assert readers_of(WebSocketsSansIOProtocol, name) <= handshake


def test_the_queue_is_only_put_into_once_the_task_is_gone() -> None:
    """Nothing else of it, and of `writable`, has to be stood in for."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(WebSocketsSansIOProtocol)))
    used = {
        (node.value.attr, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr in ("queue", "writable")
    }
    assert used == {
        ("queue", "put_nowait"), ("queue", "get"), ("queue", "empty"),
        ("writable", "set"), ("writable", "clear"), ("writable", "wait"),
    }  # fmt: skip


def test_the_http_protocol_hands_the_connection_over() -> None:
    """To an object made from the class of the configuration."""
    source = inspect.getsource(HttpToolsProtocol)
    assert "self.ws_protocol_class(" in source
    assert "set_protocol(protocol)" in source


@pytest.mark.parametrize("name", HTTP_OVERRIDDEN)
def test_the_http_methods_are_there(name: str) -> None:
    """With the parameters that the deadline's class gives them."""
    theirs = inspect.signature(getattr(HttpToolsProtocol, name))
    assert list(theirs.parameters) == list(inspect.signature(getattr(HandshakeProtocol, name)).parameters)


@pytest.mark.parametrize("name", ["loop", "transport", "cycle"])
def test_the_http_attributes_are_there(name: str) -> None:
    """Renamed, the deadline could not end anything."""
    assert name in attributes_set(HttpToolsProtocol)


def test_websockets_closes_and_tells() -> None:
    """`send_close`, `data_to_send` and what it remembers are public; these are all that is used of it."""
    assert {"send_close", "data_to_send"} <= set(dir(Protocol))
    assert {"handshake_exc", "close_sent", "current_size", "parser", "state"} <= attributes_set(Protocol)


def test_where_websockets_waits_is_told_by_its_generators() -> None:
    """Between messages it waits for the end of the stream, at one place (tests/rooms/test_incoming.py does it)."""
    assert inspect.getsource(Protocol.parse).count("self.reader.at_eof()") == 1
    assert "super().parse()" in inspect.getsource(ServerProtocol.parse)
