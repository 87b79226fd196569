"""The restart storm in small: everybody is back, told exactly what was missed, and the ledger is whole."""

from pathlib import Path

import pytest

from loadtest.bench import storm


async def test_a_storm_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rules hold for a few viewers."""
    monkeypatch.setattr(storm, "CALM_S", 1.0)
    found = await storm.run(tmp_path, 60)
    assert [rule.holds for rule in found] == [True] * 4, [str(rule) for rule in found]
