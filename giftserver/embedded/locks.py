"""A file lock that ends with the processes that hold it."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """An advisory lock (flock) on a file.

    The kernel frees it when the last process with the descriptor ends, however it ends. So a lock whose
    descriptor a
    child inherits tells for certain whether that child lives, where a process id may have been given to
    another.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open descriptor, to hand to a child; the lock must be held."""
        if self._descriptor is None:
            raise RuntimeError(f"{self._path} is not locked by this object")
        return self._descriptor

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Take the lock if nobody has it; True when this object holds it. Raises OSError."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(descriptor)
            if isinstance(problem, BlockingIOError):
                return False
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go of this process's share; children that inherited the descriptor keep the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def taken(self) -> bool:
        """Whether another process (or a child that inherited the lock) holds it."""
        if self.held:
            return False
        if self.try_acquire():
            self.release()
            return False
        return True
