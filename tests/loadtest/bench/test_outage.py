"""The benchmark of an outage, on a thousand gifts."""

from click.testing import CliRunner

from loadtest.bench.outage import main


def test_it_measures_and_proves() -> None:
    """Gifts go on without PostgreSQL, all of them are posted afterwards, and every invariant holds."""
    result = CliRunner().invoke(main, ["--gifts", "1000"])
    assert result.exit_code == 0, result.output
    for name in ("with PostgreSQL", "PostgreSQL away", "a waiting gift in the stream", "catch-up", "verify, all gifts"):
        assert f"\n{name}" in result.output
    assert "All invariants hold." in result.output
