"""The data folder: private, whole, and clear about why it cannot be used."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from giftserver.embedded import EmbeddedError, running
from giftserver.embedded.folder import LOG_BYTES_MAX, DataFolder


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    """A file in its place, or below a file."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(EmbeddedError, match=r"Cannot write to .*name another folder with GIFTSERVER_DATA_DIR"):
            running(path, database=False).__enter__()


def test_an_existing_folder_keeps_its_mode(tmp_path):
    """Somebody's folder is not closed or opened by us."""
    tmp_path.chmod(0o755)
    DataFolder(tmp_path).create()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_new_folder_cannot_be_listed_by_others(tmp_path):
    """Root's may be passed through, by PostgreSQL's user."""
    DataFolder(tmp_path / "new").create()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_one_secret_whoever_asks_first(tmp_path):
    """Of several at once one makes it, all get it."""
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(lambda _: DataFolder(tmp_path).secret(), range(32)))
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 32
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_torn_record_reads_as_empty(tmp_path):
    """A record is a hint; the locks are the truth."""
    folder = DataFolder(tmp_path)
    folder.write_record("engines.json", {"state": "ready"})
    assert folder.read_record("engines.json") == {"state": "ready"}
    for torn in ('{"state": "re', "[]", ""):
        (tmp_path / "engines.json").write_text(torn)
        assert folder.read_record("engines.json") == {}


def test_a_long_log_is_set_aside(tmp_path):
    """A log does not grow for ever."""
    folder = DataFolder(tmp_path)
    (tmp_path / "web.log").write_bytes(b"x" * (LOG_BYTES_MAX + 1))
    os.close(folder.open_log("web"))
    assert (tmp_path / "web.log").stat().st_size == 0
    assert (tmp_path / "web.log.1").stat().st_size == LOG_BYTES_MAX + 1
