"""The data folder: secrets and records that only its user may read."""

import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from giftserver.embedded.errors import EmbeddedError

LOG_BYTES_MAX = 5_000_000


class DataFolder:
    """One folder with everything the embedded engines keep."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def create(self) -> None:
        """Make the folder if it is missing; an existing one keeps its mode. Raises EmbeddedError."""
        with self.writing():
            if not self.path.exists():
                self.path.mkdir(parents=True, exist_ok=True)
                # As root, PostgreSQL runs as another user, who must pass through the folder but need not list
                # it.
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self.path = self.path.resolve()
            if not self.path.is_dir():
                raise NotADirectoryError(20, "it is not a folder")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn the system's refusal to write below the folder into an EmbeddedError with the way out."""
        try:
            yield
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise EmbeddedError(
                f"Cannot write to {self.path} ({reason}): make room there or allow writing, or name another "
                "folder "
                "with GIFTSERVER_DATA_DIR."
            ) from problem

    def secret(self) -> str:
        """The password of this folder's engines, made at first use and kept in a file with mode 0600."""
        return self.kept_once("secret", secrets.token_urlsafe(32))

    def kept_once(self, name: str, made: str) -> str:
        """The line a private file has; `made` is written if there is none. Of several at once, one writes."""
        path = self.path / name
        with self.writing():
            if not path.exists():
                fresh = self._written_aside(name, made + "\n")
                with suppress(FileExistsError):
                    os.link(fresh, path)
                fresh.unlink()
            return path.read_text().strip()

    def write_private(self, name: str, text: str) -> Path:
        """Replace a file in one step, mode 0600, on disk before it is seen."""
        path = self.path / name
        with self.writing():
            self._written_aside(name, text).replace(path)
        return path

    def _written_aside(self, name: str, text: str) -> Path:
        fresh = self.path / f"{name}.{os.getpid()}.{threading.get_ident()}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return fresh

    def read_record(self, name: str) -> dict[str, Any]:
        """A JSON record, or an empty one when it is missing or torn."""
        try:
            record = json.loads((self.path / name).read_text())
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def write_record(self, name: str, record: dict[str, Any]) -> None:
        """Write a JSON record, mode 0600."""
        self.write_private(name, json.dumps(record, indent=2) + "\n")

    def open_log(self, name: str) -> int:
        """Descriptor of an engine's log, for appending; a long one is set aside as `<name>.log.1` first."""
        path = self.path / f"{name}.log"
        with self.writing():
            if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
                path.replace(path.with_suffix(".log.1"))
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
