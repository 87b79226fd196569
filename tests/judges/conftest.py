"""The judges: little of them in the suite, all of them with `--judge`, which is what `make judge` says."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.conftest import fresh_settings
from tests.judges.process import WebProcess, web_process

ONLY_JUDGED = ("test_autobahn.py", "test_localstripe.py", "test_schemathesis.py", "test_websocat.py")
"""These need what is installed for `make judge` alone."""

COMBO_MS = 500
Say = Callable[[str], None]
Fuzz = Callable[..., int]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make judge`."""
    parser.getgroup("judges").addoption("--judge", action="store_true", help="all judges, and the long fuzzing")


def judging(config: pytest.Config) -> bool:
    """Whether this is `make judge`."""
    return bool(config.getoption("--judge", default=False))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what the suite has not installed."""
    return True if collection_path.name in ONLY_JUDGED and not judging(config) else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the judges said."""
    said = [
        text
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name == "judge" and report.when == "teardown"
    ]
    if said:
        terminalreporter.section("judges")
        for text in said:
            terminalreporter.write_line(text)


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Say:
    """Puts a line, or several, into the summary."""
    return lambda text: record_property("judge", text)


@pytest.fixture
def all_judges(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make judge`, with everything installed and time enough."""
    return judging(request.config)


@pytest.fixture
def fuzz(all_judges: bool) -> Fuzz:
    """`fuzz(judge, short, long)`: run a test of hypothesis on `short` examples, in `make judge` on `long`; how many.

    `shrink` False leaves what fails as it was found: over a socket each try may take until its deadline.
    """

    def run(judge: Callable[[], None], short: int, long: int, *, shrink: bool = True) -> int:
        examples = long if all_judges else short
        phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else [])]
        limits = settings(
            max_examples=examples, phases=phases, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        limits(judge)()
        return examples

    return run


@pytest.fixture(scope="module")
async def web(engine_urls: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process for the tests of one file."""
    async with (
        fresh_settings(engine_urls, template, tmp_path_factory.mktemp("judges")) as fresh,
        web_process(fresh, COMBO_WINDOW_MS=COMBO_MS) as started,
    ):
        yield started
