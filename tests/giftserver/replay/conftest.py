"""Replays need every part of the server."""

import pytest

from tests.demo_server import DemoServer


@pytest.fixture
def demo(live_demo: DemoServer) -> DemoServer:
    """A running demo with its bots."""
    return live_demo
