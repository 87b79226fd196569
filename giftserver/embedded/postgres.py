"""The embedded PostgreSQL server."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from giftserver.embedded.binaries import (
    ENVIRONMENT,
    NOBODY,
    PostgresPrograms,
    ordinary_user_prefix,
    postgres_programs,
)
from giftserver.embedded.engine import ANSWER_MAX_S, HOST, Engine, free_port, telling_line
from giftserver.embedded.errors import EmbeddedError, Foreign, NotReady
from giftserver.embedded.folder import DataFolder

USER = "giftserver"
DATABASE = "giftserver"
COMMAND_S = 120.0
OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path has a short limit, a data folder's has none
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
}


class Postgres(Engine):
    """A PostgreSQL server on loopback TCP with a password, as an ordinary user even below root."""

    # SIGINT: end sessions and shut down; SIGQUIT: stop now and recover at the next start.
    stop_steps = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    def __init__(self, folder: DataFolder, name: str, pick_port: Callable[[], int] = free_port) -> None:
        super().__init__(folder, name, pick_port)
        self._data = folder.path / "postgres"
        self._password = folder.secret()
        self._programs: PostgresPrograms | None = None
        self._prefix: list[str] = []

    def prepare(self) -> None:
        """Find the programs, become able to run them, and make the cluster if there is none."""
        self._programs = postgres_programs()
        owner = self._data.stat().st_uid if self._data.exists() else os.geteuid()
        if os.geteuid() == 0:
            owner = owner or NOBODY
            self._prefix = ordinary_user_prefix(self._programs, self.folder.path, owner)
        elif owner != os.geteuid():
            raise EmbeddedError(
                f"{self._data} belongs to user {owner}, not to you: run giftserver as that user (or root), "
                "or name "
                "another folder with GIFTSERVER_DATA_DIR."
            )
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster(self._programs, owner)
        self._check_version(self._programs)
        self._forget_dead_server()

    def _make_cluster(self, programs: PostgresPrograms, owner: int) -> None:
        """Make the cluster aside and move it into place, so that a cut-off start leaves nothing half made."""
        fresh = self.folder.path / "postgres.new"
        password = self.folder.write_private("postgres.password", self._password + "\n")
        try:
            with self.folder.writing():
                shutil.rmtree(fresh, ignore_errors=True)
                fresh.mkdir(mode=0o700)
                if os.geteuid() == 0:
                    os.chown(fresh, owner, owner)
                    os.chown(password, owner, owner)
            command = [
                *self._prefix,
                str(programs.initdb),
                "-D",
                str(fresh),
                "-U",
                USER,
                f"--pwfile={password}",
            ]
            command += ["--auth=scram-sha-256", "--no-locale", "--encoding=UTF8"]
            run(command)
            with self.folder.writing():
                if self._data.exists():
                    self._data.rmdir()
                fresh.rename(self._data)
        finally:
            password.unlink(missing_ok=True)

    def _check_version(self, programs: PostgresPrograms) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        answer = run([str(programs.postgres), "--version"])
        if f" {made_by}." not in answer and not answer.strip().endswith(f" {made_by}"):
            raise EmbeddedError(
                f"{self._data} was made by PostgreSQL {made_by} and here is {answer.strip()}: install that "
                "version, or "
                "name another folder with GIFTSERVER_DATA_DIR."
            )

    def _forget_dead_server(self) -> None:
        """Remove a pid file whose process id was given to another program; PostgreSQL would refuse to start.

        The lock says that no server of ours lives. A server that someone started by hand keeps its pid file.
        """
        pid_file = self._data / "postmaster.pid"
        try:
            name = process_name(int(pid_file.read_text().splitlines()[0]))
        except (OSError, ValueError, IndexError):
            return
        if "postgres" not in name:
            pid_file.unlink()

    def command(self, port: int) -> list[str]:
        """The server's command."""
        assert self._programs is not None
        options = [f"{name}={value}" for name, value in {**OPTIONS, "port": str(port)}.items()]
        arguments = [part for option in options for part in ("-c", option)]
        return [*self._prefix, str(self._programs.postgres), "-D", str(self._data), *arguments]

    def remembered_port(self) -> int | None:
        """The port of the running server, else the one recorded at the last start."""
        try:
            return int((self._data / "postmaster.pid").read_text().splitlines()[3])
        except (OSError, ValueError, IndexError):
            port = self.folder.read_record("engines.json").get("engines", {}).get(self.name, {}).get("port")
            return port if isinstance(port, int) else None

    def probe(self, port: int, answer_s: float) -> int:
        """Process id of the server on `port`, which must know the password and keep its data here."""
        [row] = self._query(port, "SELECT current_setting('data_directory') AS data", answer_s)
        if os.path.realpath(row["data"]) != os.path.realpath(self._data):
            raise Foreign(f"a PostgreSQL server of {row['data']}")
        try:
            return int((self._data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError) as problem:
            raise NotReady("postmaster.pid is missing") from problem

    def finish(self) -> None:
        """Make the database at the first start."""
        assert self.port is not None
        if not self._query(self.port, f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            self._query(self.port, f"CREATE DATABASE {DATABASE}")

    def url(self) -> str:
        """`postgresql://giftserver:password@host:port/giftserver`; the user may create databases."""
        return f"postgresql://{USER}:{self._password}@{HOST}:{self.port}/{DATABASE}"

    def _query(self, port: int, statement: str, answer_s: float = ANSWER_MAX_S) -> list[dict[str, Any]]:
        # A thread of its own: the caller may already be inside a running event loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, ask(port, self._password, statement, answer_s)).result()


async def ask(port: int, password: str, statement: str, answer_s: float) -> list[dict[str, Any]]:
    """Rows of a statement; raises NotReady or Foreign."""
    import asyncpg

    try:
        connection = await asyncpg.connect(
            host=HOST,
            port=port,
            user=USER,
            password=password,
            database="postgres",
            ssl=False,
            timeout=answer_s,
        )
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as problem:
        raise Foreign(str(problem)) from problem
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as problem:  # also: starting up
        raise NotReady(str(problem)) from problem
    try:
        return [dict(row) for row in await connection.fetch(statement, timeout=COMMAND_S)]
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        raise NotReady(str(problem)) from problem
    finally:
        connection.terminate()


def run(command: list[str]) -> str:
    """Output of a command that ends by itself; raises EmbeddedError with the line that tells why."""
    program = next(Path(part).name for part in reversed(command) if Path(part).name in ("initdb", "postgres"))
    try:
        done = subprocess.run(
            command,
            cwd="/",
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            start_new_session=True,
        )
    except OSError as problem:
        raise EmbeddedError(f"The embedded PostgreSQL cannot be run: {command[0]}: {problem.strerror}.") from problem
    except subprocess.TimeoutExpired as problem:
        raise EmbeddedError(f"{program} of the embedded PostgreSQL did not end within {COMMAND_S:.0f} s.") from problem
    if done.returncode != 0:
        raise EmbeddedError(f"{program} of the embedded PostgreSQL failed: {telling_line(done.stderr)}.")
    return done.stdout


def process_name(pid: int) -> str:
    """Name of the program that runs under a process id, empty when there is none."""
    try:
        done = subprocess.run(["ps", "-p", str(pid), "-o", "comm="], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return "postgres"  # not known: nothing is removed
    return done.stdout.strip()
