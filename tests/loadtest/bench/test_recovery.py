"""The recovery benchmark on a handful of people."""

from click.testing import CliRunner

from loadtest.bench.recovery import main


def test_it_measures_and_checks() -> None:
    """Every line is printed and every balance is exact."""
    result = CliRunner().invoke(main, ["--people", "50", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    for name in ("first gift", "all wallets", "verify"):
        assert f"\n{name}" in result.output
    assert "50 people, 1 rounds: balances exact" in result.output
