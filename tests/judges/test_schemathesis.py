"""schemathesis reads /openapi.json and asks every endpoint: no server error, no answer that the document does not have.

Only in `make judge`. It runs as a program of its own against a whole demo, with the operator's token.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.demo_server import DemoServer
from tests.judges.conftest import Say

EXAMPLES = 40
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance"
DEADLINE_S = 300.0


@pytest.fixture
def program() -> str:
    """The program, which `make judge` installs."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    found = shutil.which("schemathesis", path=path)
    assert found is not None, "schemathesis is not installed: run `make judge`"
    return found


async def test_every_endpoint_is_as_the_document_says(live_demo: DemoServer, program: str, say: Say) -> None:
    """Whatever is sent that the document allows, or does not, the answer is one it describes, and never a 5xx."""
    token = live_demo.ask("POST", "/demo/token", {"id": "operator"})["token"]
    process = await asyncio.create_subprocess_exec(
        program, "run", f"{live_demo.url}/openapi.json", "--header", f"Authorization: Bearer {token}",
        "--max-examples", str(EXAMPLES), "--phases", "fuzzing", "--checks", CHECKS, "--continue-on-failure",
        "--request-timeout", "10",
        cwd=live_demo.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE_S):
        output, _ = await process.communicate()
    told = output.decode(errors="replace")
    assert process.returncode == 0, told[-6_000:]
    counted = next(line for line in told.splitlines() if "generated" in line and "passed" in line)
    say(f"schemathesis: {counted.strip()}")
