"""Whatever is done in whatever order, the real ledger says what a page of plain Python says."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.torture.machine import SHARDS, USERS, LedgerMachine

EXAMPLES = 8
STEPS = 40
BOUNDED = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    derandomize=True,
    print_blob=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def test_model_and_ledger_agree(engine_urls: Any, template: str, pytestconfig: pytest.Config) -> None:
    """A few long stories in the suite; `--torture-examples 500` tells more of them, each time others."""
    examples = pytestconfig.getoption("--torture-examples", 0)
    LedgerMachine.urls, LedgerMachine.template = engine_urls, template
    by_hand = settings(BOUNDED, max_examples=examples or 1, derandomize=False, phases=(Phase.generate, Phase.shrink))
    run_state_machine_as_test(LedgerMachine, settings=by_hand if examples else BOUNDED)
    assert len(USERS) == 3
    assert len(SHARDS) == 2
