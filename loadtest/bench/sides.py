"""The servers of the fan-out benchmark: how each is started on a core of its own, and what it needs."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil  # type: ignore[import-untyped]

from giftserver.embedded.engine import free_port
from loadtest.bench.publisher import Publisher, SocketIoPublisher

HERE: Final = Path(__file__).parent / "fanout_sides"
STARTS_S: Final = 15.0
NCHAN: Final = "ngx_nchan_module.so"
MODULE_FOLDERS: Final = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/nginx/modules")

PRECISE: Final = Path("/proc/self/schedstat")

OURS, OURS_NO_TICK = "ours", "ours, no tick"
AWAIT_LOOP, UWS, C_MERGED = "await send_bytes loop", "uWebSockets.js", "C, merged"


class Broken(Exception):
    """A server that should run does not; the text says which."""


@dataclass(frozen=True)
class Side:
    """A server to measure. In its command {port}, {limit} (the C program) and {folder} (a new one) are filled in."""

    name: str
    command: tuple[str, ...]
    npm: str = ""
    conf: str = ""
    """A file with MODULE and PORT to fill in, for nginx."""
    path: str = "/"
    hello: bytes = b""
    """What each viewer sends once its socket is open."""
    publisher: type[Publisher] = Publisher


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command of one of our own programs."""
    return (sys.executable, "-m", f"loadtest.bench.fanout_sides.{module}", "{port}", *arguments)


SIDES: Final = (
    Side(OURS, python("ours", "20")),
    Side(OURS_NO_TICK, python("ours", "0")),
    Side(AWAIT_LOOP, python("starlette_loop")),
    Side("websockets.broadcast", python("websockets_broadcast")),
    Side("ws", ("node", str(HERE / "ws.mjs"), "{port}"), npm="ws"),
    Side(
        "socket.io", ("node", str(HERE / "socketio.mjs"), "{port}"), npm="socket.io",
        path=SocketIoPublisher.path, hello=SocketIoPublisher.hello, publisher=SocketIoPublisher,
    ),
    Side(UWS, ("node", str(HERE / "uws.mjs"), "{port}"), npm="@trufflesuite/uws-js-unofficial"),
    Side("nchan", ("nginx", "-p", "{folder}", "-c", "nchan.conf", "-e", "stderr"), conf="nchan.conf"),
    Side("C, a write a message", ("{limit}", "{port}", "each")),
    Side(C_MERGED, ("{limit}", "{port}", "merge")),
)  # fmt: skip


class Sides:
    """Starts sides, one at a time, on one core. A context manager: the C program is built into a folder of its own."""

    def __init__(self, peers: Path | None, core: int | None) -> None:
        self._peers, self._core = peers, core
        self._exit = ExitStack()
        self._folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="giftserver-fanout-")))
        self._folder.chmod(0o711)
        self._built: bool | None = None

    def __enter__(self) -> "Sides":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def missing(self, side: Side) -> str:
        """What to install before the side can be measured; "" when nothing is missing."""
        if "{limit}" in side.command and not self._limit():
            return "install a C compiler (Debian: gcc and libc6-dev)"
        if side.command[0] == "node" and shutil.which("node") is None:
            return "install Node.js"
        if side.npm and not (self._peers and (self._peers / "node_modules" / side.npm).is_dir()):
            return f"`npm install --prefix FOLDER {side.npm}`, and name the folder with --peers"
        if side.conf and (_nginx() is None or _module() is None):
            return "install nginx with nchan (Debian: nginx-light and libnginx-mod-nchan)"
        return ""

    def _limit(self) -> bool:
        if self._built is None:
            compiler = shutil.which("cc") or shutil.which("gcc")
            command = [compiler or "cc", "-O2", "-o", str(self._folder / "limit"), str(HERE / "limit.c")]
            self._built = compiler is not None and subprocess.run(command, check=False).returncode == 0
        return self._built

    @contextmanager
    def serving(self, side: Side) -> Iterator[tuple[int, psutil.Process]]:
        """The side's port and process. Raises Broken when it does not listen in STARTS_S."""
        port = free_port()
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as folder:
            places = {"port": str(port), "limit": str(self._folder / "limit"), "folder": folder}
            command = [part.format(**places) for part in side.command]
            if side.conf:
                conf = (HERE / side.conf).read_text().replace("MODULE", str(_module())).replace("PORT", str(port))
                (Path(folder) / side.conf).write_text(conf)
                command[0] = str(_nginx())
            with pinned(self._core):
                process = subprocess.Popen(command, cwd=self._peers if side.npm else None)
            try:
                if not _listens(port, process):
                    raise Broken(f"its server did not start (exit status {process.poll()})")
                yield port, psutil.Process(process.pid)
            finally:
                process.kill()
                process.wait()


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Let what is started in the block run on this core alone; on any where there is none to spare."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _listens(port: int, process: "subprocess.Popen[bytes]") -> bool:
    until_s = time.monotonic() + STARTS_S
    while time.monotonic() < until_s and process.poll() is None:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False


def _nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _module() -> Path | None:
    return next((found for folder in MODULE_FOLDERS if (found := Path(folder) / NCHAN).exists()), None)


def rss_kib(process: psutil.Process) -> float:
    """Memory of a process and its children."""
    return sum(float(one.memory_info().rss) for one in (process, *process.children(recursive=True))) / 1_024


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process and its children: in ns where the kernel tells them, else in its ticks of 10 ms."""
    family = (process, *process.children(recursive=True))
    if PRECISE.exists():
        return sum(_run_ns(one.pid) for one in family) / 1e9
    return sum(sum(one.cpu_times()[:2]) for one in family)


def _run_ns(pid: int) -> int:
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
