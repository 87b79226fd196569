"""How much torture: little in the suite, as much as is asked for by hand."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the runs by hand."""
    group = parser.getgroup("torture")
    group.addoption("--torture-examples", type=int, default=0, help="stories the model and the ledger both tell")
