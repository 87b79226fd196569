"""One engine process: ports, adoption, stopping, and causes told in a sentence."""

import os
import signal
import socket

import pytest

from giftserver.embedded import EmbeddedError
from giftserver.embedded.engine import free_port, telling_line
from giftserver.embedded.folder import DataFolder
from giftserver.embedded.valkey import LEDGER_OPTIONS, Valkey, quoted


@pytest.fixture
def data(folder):
    """An opened data folder."""
    opened = DataFolder(folder)
    opened.create()
    return opened


def test_a_port_lost_between_choice_and_start_is_replaced(data):
    """Another program takes the port after it was chosen: the engine goes to the next one."""
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        free = free_port()
        ports = iter([thief.getsockname()[1], free])
        engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS, pick_port=lambda: next(ports))
        engine.start()
        assert engine.port == free
        engine.stop()


def test_no_port_at_all_is_a_sentence(data):
    """The tries have an end."""
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS, pick_port=lambda: thief.getsockname()[1])
        with pytest.raises(EmbeddedError, match=r"valkey-ledger did not start: .*already in use"):
            engine.start()


def test_a_running_engine_is_never_started_twice(data):
    """Two objects of one folder have one process: the second adopts it."""
    first = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    first.start()
    second = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    second.start()
    assert second.pid == first.pid
    second.stop()
    assert not first.alive


def test_an_engine_that_hangs_is_ended_by_force(data, lives):
    """A stopped process cannot delay the end for ever."""
    engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    engine.start()
    pid = engine.pid
    engine.stop_steps = ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
    os.kill(pid, signal.SIGSTOP)
    engine.stop()
    assert not engine.alive
    assert not lives(pid)


def test_a_reused_process_id_is_not_touched(data, lives):
    """An engine that is gone is not looked for by its number, which may be another program's by now."""
    engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    engine.start()
    engine.stop()
    engine.pid = os.getpid()
    engine.stop()
    assert lives(os.getpid())


def test_engines_get_a_session_of_their_own_and_no_environment(data, monkeypatch):
    """Signals of the terminal and secrets of giftserver do not reach them."""
    monkeypatch.setenv("GIFTSERVER_JWT_SECRET", "not for engines")
    engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    engine.start()
    with open(f"/proc/{engine.pid}/environ") as file:
        assert "GIFTSERVER" not in file.read()
    assert os.getsid(engine.pid) == engine.pid
    engine.stop()


def test_a_damaged_append_only_file_stops_the_start(data):
    """Damage in the middle is reported, never cut away: the coins behind it would be gone."""
    engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    engine.start()
    import redis

    with redis.Redis.from_url(engine.url()) as client:
        for number in range(100):
            client.set(f"key{number}", "x" * 100)
    engine.stop()
    [file] = (data.path / "valkey" / "ledger").rglob("*.incr.aof")
    content = bytearray(file.read_bytes())
    content[2000:2040] = b"?" * 40
    file.write_bytes(content)
    with pytest.raises(EmbeddedError, match=r"The embedded valkey-ledger did not start: .*Bad file format"):
        engine.start()
    assert file.read_bytes() == content


def test_a_torn_end_of_the_append_only_file_is_survived(data):
    """Power loss in the middle of a write: everything before it is there."""
    engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    engine.start()
    import redis

    with redis.Redis.from_url(engine.url()) as client:
        client.set("first", "1")
        client.set("second", "2")
    engine.stop()
    [file] = (data.path / "valkey" / "ledger").rglob("*.incr.aof")
    file.write_bytes(file.read_bytes()[:-3])
    engine.start()
    with redis.Redis.from_url(engine.url(), decode_responses=True) as client:
        assert client.mget("first", "second") == ["1", None]
    engine.stop()


def test_a_folder_with_any_name_works(tmp_path):
    """Quotes, spaces and other scripts in a path."""
    data = DataFolder(tmp_path / 'a "b" \\ ü 礼')
    data.create()
    engine = Valkey(data, "valkey-ledger", LEDGER_OPTIONS)
    engine.start()
    assert engine.alive
    engine.stop()


def test_the_telling_line_is_found_and_stripped():
    """A log becomes one clause without times and process ids."""
    valkey = "12:M 22 Nov 2026 14:00:00.123 * Go\n12:M 22 Nov 2026 14:00:00.124 # Failed listening on port 1."
    assert telling_line(valkey) == "Failed listening on port 1"
    postgres = "2026-11-22 14:58:12.648 UTC [4568] FATAL:  no room.\nLOG: shut down"
    assert telling_line(postgres) == "FATAL:  no room"
    assert telling_line("\n") == "it said nothing"


def test_paths_are_quoted_for_the_configuration():
    """Quotes and backslashes are escaped."""
    assert quoted('a"b\\c') == '"a\\"b\\\\c"'
