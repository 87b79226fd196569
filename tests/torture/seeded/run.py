"""Takes out one safeguard after another and runs the tests named for it: `python -m tests.torture.seeded.run`.

Each bug is put into a copy of the source tree, never into the tree itself. Exit code 1 when a bug survives its tests or
when its text is not found.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from tests.torture.seeded import (
    admitting,
    banning,
    claiming,
    deciding,
    keeping,
    limiting,
    paying,
    paying_out,
    paying_out_providers,
    paying_out_stops,
    recovering,
    ruling,
    settling,
    sharing,
    staying,
)
from tests.torture.seeded.bug import Bug

ROOT = Path(__file__).resolve().parents[3]
BUGS: tuple[Bug, ...] = (
    *deciding.BUGS, *keeping.BUGS, *recovering.BUGS, *paying.BUGS, *claiming.BUGS, *limiting.BUGS, *settling.BUGS,
    *ruling.BUGS, *admitting.BUGS, *banning.BUGS, *paying_out.BUGS, *paying_out_providers.BUGS, *paying_out_stops.BUGS,
    *staying.BUGS, *sharing.BUGS,
)  # fmt: skip
COPIED = ("giftserver", "rooms", "loadtest", "tests", "pyproject.toml")
LINKED = ("static", "docs", "tools")
TEST_S = 240
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """What became of a bug: `caught` names the test, empty when it survived; `said` is the end of the output."""

    bug: Bug
    caught: str
    seconds: float
    said: str


def copy_tree(root: Path) -> None:
    """A copy of the sources to break."""
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, root / name)
    for name in LINKED:
        if (ROOT / name).exists():
            (root / name).symlink_to(ROOT / name)


def run_tests(root: Path, tests: Sequence[str], most_s: float, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run tests of a copy with the copy's sources, and with a folder for their files that no other run tidies up."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "--show-capture=no", "-p", "no:cacheprovider"]
    command += [f"--basetemp={root / 'files'}", *options]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*command, *tests], cwd=root, env=environment, capture_output=True, text=True, timeout=most_s)


def try_bug(bug: Bug) -> Result:
    """Put a bug into a copy and see which test notices. A test that cannot be found or imported is no catch."""
    began_s = time.monotonic()
    if missing := bug.missing(ROOT):
        return Result(bug, "", 0.0, f"not there exactly once: {missing[0].file}: {missing[0].text!r}")
    with tempfile.TemporaryDirectory(prefix="seeded-") as folder:
        Path(folder).chmod(0o711)
        copy_tree(Path(folder))
        for edit in bug.edits:
            edit.apply(Path(folder))
        try:
            done = run_tests(Path(folder), bug.tests, TEST_S, "-x")
        except subprocess.TimeoutExpired:
            return Result(bug, f"no end within {TEST_S} s", time.monotonic() - began_s, "")
    names = FAILED.findall(done.stdout)
    caught = names[0] if done.returncode == 1 and names else ""
    return Result(
        bug,
        caught,
        time.monotonic() - began_s,
        "\n".join([*done.stdout.splitlines()[-8:], *done.stderr.splitlines()[-8:], f"status {done.returncode}"]),
    )


def failing_without_bugs(bugs: Sequence[Bug]) -> list[str]:
    """Named tests that fail as it is: what they would catch proves nothing."""
    tests = tuple(sorted({test for bug in bugs for test in bug.tests}))
    with tempfile.TemporaryDirectory(prefix="seeded-") as folder:
        Path(folder).chmod(0o711)
        copy_tree(Path(folder))
        done = run_tests(Path(folder), tests, TEST_S * 4, "--maxfail=100")
    failing: list[str] = FAILED.findall(done.stdout)
    return failing or ([] if done.returncode == 0 else [done.stdout[-500:]])


@click.command()
@click.option("--jobs", default=2, show_default=True, help="Bugs at a time.")
@click.option("-k", "wanted", default="", help="Only bugs with this in their name.")
def main(jobs: int, wanted: str) -> None:
    """Break every safeguard once; each time a test must fail."""
    bugs = [bug for bug in BUGS if wanted in bug.name]
    if failing := failing_without_bugs(bugs):
        click.echo(f"these fail without any bug: {', '.join(failing)}")
        raise SystemExit(1)
    caught = 0
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(try_bug, bugs):
            caught += bool(result.caught)
            said = f"caught by {result.caught}" if result.caught else f"SURVIVED\n{result.said}"
            click.echo(f"{result.bug.name}: {said} ({result.seconds:.0f} s)")
    verdict = "all " if caught == len(bugs) else ""
    click.echo(f"{verdict}{caught} of {len(bugs)} caught")
    raise SystemExit(0 if caught == len(bugs) else 1)


if __name__ == "__main__":
    main()
