"""The embedded Valkey servers."""

import os
import re
from collections.abc import Callable, Mapping

from giftserver.embedded.binaries import valkey_server
from giftserver.embedded.engine import HOST, Engine, free_port
from giftserver.embedded.errors import Foreign, NotReady
from giftserver.embedded.folder import DataFolder

# Money: an answer is given only after the append-only file is on disk, and nothing is ever evicted.
LEDGER_OPTIONS = {"appendfsync": "always"}
# Rooms hold no money; a lost second of history costs nobody a coin.
ROOMS_OPTIONS = {"appendfsync": "everysec", "maxmemory": "256mb"}


class Valkey(Engine):
    """A Valkey server on loopback TCP with a password and an append-only file."""

    def __init__(
        self,
        folder: DataFolder,
        name: str,
        options: Mapping[str, str],
        pick_port: Callable[[], int] = free_port,
    ) -> None:
        super().__init__(folder, name, pick_port)
        self._options = options
        self._data = folder.path / "valkey" / name.removeprefix("valkey-")
        self._password = folder.secret()

    def prepare(self) -> None:
        """Make the folder of the append-only file."""
        with self.folder.writing():
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)

    def command(self, port: int) -> list[str]:
        """The server's command; its configuration is a private file, for arguments are public."""
        lines = {
            "bind": HOST,
            "port": str(port),
            "requirepass": self._password,
            "dir": quoted(str(self._data)),
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            **self._options,
        }
        text = "".join(f"{option} {value}\n" for option, value in lines.items())
        return [str(valkey_server()), str(self.folder.write_private(f"{self.name}.conf", text))]

    def remembered_port(self) -> int | None:
        """The port in the configuration of the last start."""
        try:
            text = (self.folder.path / f"{self.name}.conf").read_text()
        except OSError:
            return None
        found = re.search(r"^port (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else None

    def probe(self, port: int, answer_s: float) -> int:
        """Process id of the server on `port`, which must know the password and keep its data here."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        client = redis.Redis(
            host=HOST,
            port=port,
            password=self._password,
            socket_timeout=answer_s,
            decode_responses=True,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            client.ping()
            pid = int(client.info("server")["process_id"])
            data = str(client.config_get("dir")["dir"])
        except redis.AuthenticationError as problem:
            raise Foreign(str(problem)) from problem
        except (redis.ConnectionError, redis.TimeoutError, OSError) as problem:  # also: loading the dataset
            raise NotReady(str(problem)) from problem
        except (redis.RedisError, KeyError, ValueError, TypeError) as problem:
            raise Foreign(str(problem)) from problem
        finally:
            client.close()
        if os.path.realpath(data) != os.path.realpath(self._data):
            raise Foreign(f"a Valkey server of {data}")
        return pid

    def url(self) -> str:
        """`redis://:password@host:port/0`."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"


def quoted(path: str) -> str:
    """A path as Valkey's configuration writes it, whatever characters it has."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
