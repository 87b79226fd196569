"""What the numbers were measured on: processor, versions, what an fsync costs in the data folder."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from loadtest.bench.figures import percentile

PACKAGES: Final = ("redis", "hiredis", "asyncpg", "SQLAlchemy", "uvloop", "msgspec")
FSYNCS: Final = 50


def cpu_model() -> str:
    """Name of the processor as the kernel tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def filesystem(folder: Path) -> str:
    """Kind of file system a folder is on; on tmpfs an fsync costs nothing and proves nothing."""
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, point, name, *_ = line.split()
        inside = folder.resolve().as_posix() + "/"
        if inside.startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, name
    return kind


def fsync_ms(folder: Path) -> float:
    """Median time of an fsync after 4 kB in a folder, in ms."""
    path = folder / "fsync.probe"
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            file.write(b"x" * 4096)
            started_s = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started_s)
    path.unlink()
    return percentile(seconds, 50) * 1000


def machine(folder: Path) -> dict[str, Any]:
    """Facts of this machine and this Python, for the head of the report."""
    facts: dict[str, Any] = {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    facts["data_filesystem"] = filesystem(folder)
    facts["fsync_ms"] = round(fsync_ms(folder), 3)
    return facts
