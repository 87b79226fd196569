"""One folder has one owner; others attach; nothing is left behind."""

import json
import os
import signal
import socket
import stat
from pathlib import Path

import asyncpg
import pytest
import redis

from giftserver.embedded import EmbeddedError, EngineUrls, Instance, instance, running
from giftserver.embedded.locks import FileLock
from giftserver.embedded.postgres import Postgres
from giftserver.embedded.valkey import Valkey


def value(url: str | None, *command: str) -> object:
    """What one Redis command answers."""
    assert url is not None
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.execute_command(*command)


async def test_all_engines_answer_with_their_durability(folder):
    """The ledger is on disk before an answer, rooms every second, PostgreSQL at each commit; none evicts."""
    with running(folder) as urls:
        assert value(urls.ledger_redis_url, "CONFIG", "GET", "appendfsync") == {"appendfsync": "always"}
        assert value(urls.rooms_redis_url, "CONFIG", "GET", "appendfsync") == {"appendfsync": "everysec"}
        for url in (urls.ledger_redis_url, urls.rooms_redis_url):
            assert value(url, "CONFIG", "GET", "appendonly") == {"appendonly": "yes"}
            assert value(url, "CONFIG", "GET", "maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert value(url, "CONFIG", "GET", "bind") == {"bind": "127.0.0.1"}
        connection = await asyncpg.connect(urls.database_url)
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
        await connection.close()


async def test_engines_refuse_a_caller_without_the_password(folder):
    """Other users of the machine do not get in."""
    with running(folder) as urls:
        stranger = urls.ledger_redis_url.replace(urls.ledger_redis_url.split("@")[0], "redis://:wrong")
        with pytest.raises(redis.AuthenticationError):
            value(stranger, "PING")
        place = urls.database_url.split("@")[1]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://giftserver:wrong@{place}")


async def test_data_and_ports_are_kept_between_runs(folder):
    """A second run finds the data of the first, at the same addresses."""
    with running(folder) as first:
        value(first.ledger_redis_url, "SET", "kept", "yes")
        connection = await asyncpg.connect(first.database_url)
        await connection.execute("CREATE TABLE kept (n int)")
        await connection.close()
    with running(folder) as second:
        assert second == first
        assert value(second.ledger_redis_url, "GET", "kept") == "yes"
        connection = await asyncpg.connect(second.database_url)
        assert await connection.fetchval("SELECT count(*) FROM kept") == 0
        await connection.close()


def test_asked_for_nothing_it_touches_nothing(folder):
    """With every URL set there is not even a folder."""
    with running(folder, ledger=False, rooms=False, database=False) as urls:
        assert urls == EngineUrls()
        assert urls.environment() == {}
    assert not folder.exists()


def test_secrets_are_readable_by_their_user_only(folder):
    """Passwords stand in files with mode 0600 and in no command line."""
    owner = Instance(folder, database=False)
    urls = owner.start()
    password = urls.ledger_redis_url.split(":")[2].split("@")[0]
    try:
        for path in folder.iterdir():
            if path.is_file():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        for pid in owner.pids.values():
            assert password not in Path(f"/proc/{pid}/cmdline").read_text()
            assert password not in Path(f"/proc/{pid}/environ").read_text()
    finally:
        owner.stop()


def test_a_second_process_attaches_and_leaves_the_engines_alone(folder, owner):
    """`giftserver verify` beside a running demo uses the demo's engines."""
    first = owner()
    said = first.say()
    guest = Instance(folder, database=False)
    urls = guest.start()
    assert not guest.owner
    assert guest.pids == said["pids"]
    assert urls.environment() == said["urls"]
    guest.stop()
    assert value(urls.ledger_redis_url, "PING") is True


def test_the_engines_end_with_their_owner(folder, owner, lives):
    """An owner that ends in order leaves no process behind."""
    first = owner("postgres")
    pids = first.say()["pids"]
    assert all(lives(pid) for pid in pids.values())
    assert first.end() == 0
    assert not any(lives(pid) for pid in pids.values())
    assert json.loads((folder / "engines.json").read_text())["state"] == "stopped"


def test_engines_left_by_a_killed_owner_are_adopted(folder, owner, lives, wait_until):
    """After kill -9 the next process takes over the same engine processes, and ends them."""
    first = owner("postgres")
    pids = first.say()["pids"]
    first.signal(signal.SIGKILL)
    wait_until(lambda: not lives(first.process.pid))
    assert all(lives(pid) for pid in pids.values())

    heir = Instance(folder)
    heir.start()
    assert heir.owner
    assert heir.pids == pids
    heir.stop()
    wait_until(lambda: not any(lives(pid) for pid in pids.values()))


def test_orphans_that_do_not_know_the_password_are_named_not_killed(folder, owner, lives, wait_until):
    """An engine that cannot be proved to be this folder's is left alone, with a sentence."""
    first = owner()
    pids = first.say()["pids"]
    first.signal(signal.SIGKILL)
    wait_until(lambda: not lives(first.process.pid))
    kept = (folder / "secret").read_text()
    (folder / "secret").write_text("another")
    with pytest.raises(EmbeddedError, match=f"end it .it was process {pids['valkey-rooms']}. and start again"):
        Instance(folder, database=False).start()
    assert all(lives(pid) for pid in pids.values())
    (folder / "secret").write_text(kept)


def test_a_guest_becomes_the_owner_when_its_owner_is_gone(folder, owner, lives, wait_until):
    """A demo that attached looks after the engines once nobody else does."""
    first = owner()
    pids = first.say()["pids"]
    guest = Instance(folder, database=False)
    guest.start()
    assert guest.revive() == []
    assert not guest.owner
    first.signal(signal.SIGKILL)
    wait_until(lambda: not lives(first.process.pid))
    os.kill(pids["valkey-rooms"], signal.SIGKILL)
    wait_until(lambda: not lives(pids["valkey-rooms"]))
    wait_until(lambda: guest.revive() == ["valkey-rooms"])
    assert guest.owner
    guest.stop()
    wait_until(lambda: not lives(pids["valkey-ledger"]))


def test_two_that_start_at_once_share_one_set_of_engines(folder, owner):
    """A race has one owner and one set of processes."""
    both = [owner("postgres"), owner("postgres")]
    said = [each.say() for each in both]
    assert sorted(each["owner"] for each in said) == [False, True]
    assert said[0]["pids"] == said[1]["pids"]
    assert said[0]["urls"] == said[1]["urls"]


def test_two_folders_have_engines_of_their_own(tmp_path):
    """Two instances on one machine do not meet."""
    with running(tmp_path / "a", database=False) as a, running(tmp_path / "b", database=False) as b:
        value(a.ledger_redis_url, "SET", "whose", "a")
        value(b.ledger_redis_url, "SET", "whose", "b")
        assert value(a.ledger_redis_url, "GET", "whose") == "a"
        assert len({*a.environment().values(), *b.environment().values()}) == 4


def test_ctrl_c_leaves_the_engines_to_their_owner(owner, lives, wait_until):
    """SIGINT of the terminal reaches the owner alone; its engines run until it stops them."""
    first = owner()
    pids = first.say()["pids"]
    assert all(os.getpgid(pid) != first.process.pid for pid in pids.values())
    first.signal(signal.SIGINT)
    assert first.say() == {"alive": True}
    wait_until(lambda: not any(lives(pid) for pid in pids.values()))


def test_nobody_attaches_to_engines_that_are_about_to_end(folder, monkeypatch):
    """A newcomer waits for an owner that stops, and then starts engines of its own."""
    owner, attached = Instance(folder, rooms=False, database=False), []
    owner.start()
    stop = Valkey.stop

    def stop_while_somebody_comes(engine):
        newcomer = Instance(folder, rooms=False, database=False)
        newcomer._engines = newcomer._make_engines()
        attached.append(newcomer._try_attach())
        stop(engine)

    monkeypatch.setattr(Valkey, "stop", stop_while_somebody_comes)
    owner.stop()
    assert attached == [False]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_owner_told_to_end_stops_its_engines_first(owner, lives, number):
    """SIGTERM and SIGHUP, which end a process at once by default, end it in order."""
    first = owner()
    pids = first.say()["pids"]
    first.signal(number)
    assert first.process.wait(60) == 128 + number
    assert not any(lives(pid) for pid in pids.values())


def test_a_dead_engine_is_revived_with_its_data_at_its_address(folder, lives, wait_until):
    """kill -9 of an engine: every acknowledged write is there again, under the same URL."""
    owner = Instance(folder)
    urls = owner.start()
    try:
        assert owner.revive() == []
        value(urls.ledger_redis_url, "SET", "kept", "yes")
        killed = {name: owner.pids[name] for name in ("valkey-ledger", "postgres")}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(lives(pid) for pid in killed.values()))
        revived = []
        wait_until(lambda: revived.extend(owner.revive()) or len(revived) == 2)
        assert sorted(revived) == sorted(killed)
        assert value(urls.ledger_redis_url, "GET", "kept") == "yes"
        assert Instance(folder).start() == urls
        assert all(owner.pids[name] != pid for name, pid in killed.items())
    finally:
        owner.stop()


def test_a_taken_port_is_replaced(folder):
    """Another program on the port of the last run does not keep the engine from starting."""
    with running(folder, rooms=False, database=False) as first:
        port = int(first.ledger_redis_url.rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with running(folder, rooms=False, database=False) as second:
            assert second != first
            assert value(second.ledger_redis_url, "PING") is True


def test_an_owner_without_a_wanted_engine_is_named(folder):
    """Different settings in one folder end with a sentence, not with a wait."""
    first = Instance(folder, rooms=False, database=False)
    first.start()
    try:
        with pytest.raises(EmbeddedError, match="without valkey-rooms: give both the same settings"):
            Instance(folder, database=False).start()
    finally:
        first.stop()


def test_an_owner_that_never_gets_ready_is_named(folder, monkeypatch):
    """Waiting for another process has an end."""
    monkeypatch.setattr(instance, "ATTACH_S", 0.1)
    folder.mkdir()
    lock = FileLock(folder / "owner.lock")
    assert lock.try_acquire()
    with pytest.raises(EmbeddedError, match="its engines do not answer: stop it, or name another folder"):
        Instance(folder, database=False).start()
    lock.release()


def test_a_start_cut_short_leaves_no_engine(folder, monkeypatch):
    """Ctrl-C during the start stops what had started, and frees the folder."""
    with monkeypatch.context() as patched:
        patched.setattr(Postgres, "prepare", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        broken = Instance(folder, database=True)
        # PostgreSQL comes last here, so that something runs when it fails.
        patched.setattr(Instance, "_make_engines", lambda self: dict(reversed(made(self).items())))
        with pytest.raises(KeyboardInterrupt):
            broken.start()
    assert not any(FileLock(path).taken() for path in folder.glob("*.lock"))


made = Instance._make_engines
