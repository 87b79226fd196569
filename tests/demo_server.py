"""A whole demo in a process of its own, for tests that need every part and its real processes."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from giftserver.embedded.engine import free_port

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], deadline_s: float = 30.0) -> Found:
    """Wait for a condition and return what it gave."""
    until_s = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < until_s, "the condition did not come true in time"
        time.sleep(0.05)
    return found


class DemoServer:
    """A running demo: where it is, and its processes."""

    def __init__(self, folder: Path, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.folder, self.url, self.process = folder, f"http://127.0.0.1:{port}", process

    def child(self, name: str) -> int:
        """Process id of a child."""
        return int(json.loads((self.folder / "demo.json").read_text())["children"][name])

    def restarted(self, name: str, before: int) -> bool:
        """Whether a child runs again, under another process id than before."""
        children = json.loads((self.folder / "demo.json").read_text())["children"]
        return name in children and children[name] != before

    def kill(self, name: str) -> None:
        """End a child as a crash would; the demo starts it again."""
        os.kill(self.child(name), signal.SIGKILL)

    def ask(self, method: str, path: str, body: Any = None, user: str | None = None) -> Any:
        """A JSON answer, as somebody or as nobody; raises HTTPError."""
        headers = {"Content-Type": "application/json"}
        if user is not None:
            headers["Authorization"] = f"Bearer {self.ask('POST', '/demo/token', {'id': user})['token']}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def ready(self) -> bool:
        """Whether gifts can be sent."""
        try:
            return bool(self.ask("GET", "/readyz")["ready"])
        except (OSError, urllib.error.URLError):
            return False


@contextmanager
def running_demo(folder: Path) -> Iterator[DemoServer]:
    """A demo in this folder until the block ends."""
    port = free_port()
    with (folder.parent / f"{folder.name}.out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "giftserver", "demo", "--port", str(port), "--data-dir", str(folder)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
        )
    demo = DemoServer(folder, port, process)
    try:
        wait_until(lambda: demo.ready() or process.poll() is not None, 90.0)
        assert process.poll() is None, (folder.parent / f"{folder.name}.out").read_text()
        yield demo
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=90)
