"""`giftserver sandbox`: everything by option or variable, and a process that serves."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from giftserver.sandbox.command import command

SECRETS = {"GIFTSERVER_SANDBOX_SECRET": "k", "GIFTSERVER_SANDBOX_WEBHOOK_SECRET": "w"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--secret"),
        (["--secret", "k"], "--webhook-secret"),
        (["--secret", "k", "--webhook-secret", "w", "--public-url", "nowhere"], "public URL must begin with http"),
        (["--secret", "k", "--webhook-secret", "w", "--port", "0"], "--port"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], words: str) -> None:
    """Without secrets, or with what cannot work, it ends with status 2 and a sentence."""
    result = CliRunner(env=dict.fromkeys(SECRETS)).invoke(command, arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_the_process_serves_and_ends(tmp_path: Path) -> None:
    """With its variables alone it answers on its port, and ends on SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    variables = {
        "GIFTSERVER_SANDBOX_PORT": str(port), "GIFTSERVER_SANDBOX_JOURNAL": str(tmp_path / "journal"), **SECRETS,
    }  # fmt: skip
    code = "from giftserver.sandbox.command import command; command()"
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | variables)
    try:
        until_s = time.monotonic() + 20
        while True:
            assert process.poll() is None
            assert time.monotonic() < until_s
            try:
                answer = httpx.get(
                    f"http://127.0.0.1:{port}/v1/balance", headers={"authorization": "Bearer k"}, trust_env=False
                )
                break
            except httpx.TransportError:
                time.sleep(0.02)
        assert answer.json() == {"balances": {}}
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
    assert status in (0, -signal.SIGTERM)
