"""A demo for the load test, and a small run of it whose journal the tests may spoil."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.demo_server import DemoServer

ROOT = Path(__file__).parent.parent.parent


@dataclass
class LoadRun:
    """A finished load test."""

    demo: DemoServer
    journal: Path
    output: str
    exit_code: int


def locust(demo: DemoServer, journal: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Locust headless to its end."""
    command = [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "--headless", "--only-summary"]
    places = ["--data-dir", str(demo.folder), "--journal", str(journal)]
    return subprocess.run(
        [*command, *places, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=180,
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo(live_demo: DemoServer) -> DemoServer:
    """A running demo with its bots."""
    return live_demo


@pytest.fixture(scope="module")
def load_run(demo: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> LoadRun:
    """Six viewers, three gifters and a crowd for a few seconds."""
    journal = tmp_path_factory.mktemp("journals")
    people = ("--viewers", "6", "--gifters", "3", "--crowd", "30")
    done = locust(demo, journal, *people, "--seconds", "6", "--gifts-per-s", "3")
    return LoadRun(demo, journal, done.stdout + done.stderr, done.returncode)
