"""Autobahn's cases against the edge, beside a server of the library that it stands on. Only in `make judge`."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.judges.conftest import Say

ROOT = Path(__file__).resolve().parents[2]
KOSOKU = Path(sys.executable).with_name("kosoku")
REPORTS = ROOT / "artifacts" / "autobahn"
CASES_S = 300
CASES_MIN = 517
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
DEFLATE = ("12.", "13.")
"""Compression, which is off on purpose: docs/decisions/0013-the-edge.md."""

MANY_FRAMES = "a message in more than 4,096 frames is refused with 1009"
EXPLAINED = {
    "7.1.5": "a close within a fragmented message is answered with 1002, where the case wants 1000 back",
    "9.3.1": MANY_FRAMES, "9.3.2": MANY_FRAMES, "9.4.1": MANY_FRAMES, "9.4.2": MANY_FRAMES,
}  # fmt: skip
"""What the library fails too, by its own compliance notes or its limit."""


@dataclass(frozen=True)
class Verdict:
    """Of one case: on what was exchanged, and on the end."""

    behaviour: str
    close: str

    @property
    def good(self) -> bool:
        """Whether it counts as passed."""
        return {self.behaviour, self.close} <= GOOD


@contextlib.asynccontextmanager
async def serving(kind: str, log: Path) -> AsyncIterator[int]:
    """The port of an echo server of this kind, until the block ends."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.judges.echo", kind, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
        )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 30))
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)


async def judged(kind: str, folder: Path) -> dict[str, Verdict]:
    """All cases against a server of this kind; the report for people is in the folder."""
    async with serving(kind, folder / f"{kind}.log") as port:
        process = await asyncio.create_subprocess_exec(
            KOSOKU, "--parallelism", "2", "--outdir", folder / kind, f"ws://127.0.0.1:{port}",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        await asyncio.wait_for(process.wait(), CASES_S)
    [cases] = json.loads((folder / kind / "index.json").read_text()).values()
    return {case: Verdict(found["behavior"], found["behaviorClose"]) for case, found in cases.items()}


def table(servers: Mapping[str, Mapping[str, Verdict]]) -> list[str]:
    """How many cases of each chapter each server passed."""
    lines = [f"autobahn  {'chapter':>7}  {'cases':>5}" + "".join(f"  {name:>7}" for name in servers)]
    chapters = Counter(case.partition(".")[0] for case in next(iter(servers.values())))
    for chapter, cases in sorted(chapters.items(), key=lambda item: int(item[0])):
        passed = [
            sum(v.good for case, v in found.items() if case.startswith(f"{chapter}.")) for found in servers.values()
        ]
        off = "  off: deflate" if f"{chapter}." in DEFLATE else ""
        lines.append(f"autobahn  {chapter:>7}  {cases:>5}" + "".join(f"  {count:>7}" for count in passed) + off)
    return lines


async def test_the_edge_does_as_well_as_the_library(say: Say) -> None:
    """It fails no case but those that the library fails in the same way, each with its reason; and logs no failure."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    servers = {kind: await judged(kind, REPORTS) for kind in ("edge", "library")}
    edge, library = servers["edge"], servers["library"]
    for line in table(servers):
        say(line)
    assert len(edge) >= CASES_MIN
    failed = {case: verdict for case, verdict in edge.items() if not verdict.good and not case.startswith(DEFLATE)}
    for case in failed:
        say(f"autobahn  {case} fails here and in the library: {EXPLAINED.get(case, 'unexplained')}")
    assert set(failed) <= set(EXPLAINED)
    assert failed == {case: library[case] for case in failed}
    deflate = {verdict.behaviour for case, verdict in edge.items() if case.startswith(DEFLATE)}
    assert deflate == {"UNIMPLEMENTED"}
    log = (REPORTS / "edge.log").read_text()
    assert "Traceback" not in log
