"""The report: a table for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.bench.figures import Figure, Measured, Row, Spread, short, spread


def table(row: Row) -> str:
    """A row as text: its cases with medians and spread, then its figures, then what a reader must know."""
    metrics = list(dict.fromkeys(metric for case in row.cases for metric in case.values))
    lines = [f"{row.letter}. {row.title}", ""]
    lines += aligned([["case", *metrics], *([case.name, *cells(case, metrics)] for case in row.cases)])
    lines.append("")
    lines += aligned([["figure", "median [least … greatest]", "target"], *map(figure_cells, row.figures)])
    lines.append("")
    lines += [f"  {note}" for note in row.notes]
    return "\n".join(lines)


def cells(case: Measured, metrics: Sequence[str]) -> list[str]:
    """A case's medians, and how far the farthest round is from each; empty where it has no such metric."""
    return [short_spread(case.spread(metric)) if metric in case.values else "" for metric in metrics]


def short_spread(found: Spread) -> str:
    """A median and its spread in the width of a column."""
    return f"{short(found.median)} ±{found.off_percent:.0f}%"


def figure_cells(figure: Figure) -> list[str]:
    """A figure's name, value and target."""
    return [figure.name, f"{spread(figure.values)} {figure.unit}".rstrip(), figure.target]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table with columns as wide as their widest cell; the first is to the left, the others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        others = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  " + "  ".join([row[0].ljust(widths[0]), *others]).rstrip())
    return lines


def head(facts: Mapping[str, Any]) -> str:
    """The facts of a run, one a line."""
    width = max(map(len, facts), default=0)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in facts.items())


def as_json(facts: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Everything measured, with the value of each round."""
    return {
        "facts": dict(facts),
        "rows": {
            row.letter: {
                "title": row.title,
                "cases": {case.name: as_json_case(case) for case in row.cases},
                "figures": {
                    figure.name: {**summary(figure.values), "unit": figure.unit, "target": figure.target}
                    for figure in row.figures
                },
                "notes": row.notes,
            }
            for row in rows
        },
    }  # fmt: skip


def as_json_case(case: Measured) -> dict[str, Any]:
    """A case's metrics."""
    return {metric: summary(values) for metric, values in case.values.items()}


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Median, extremes and every round's value, to a precision that means something."""
    found = spread(values)
    return {
        "median": rounded(found.median),
        "low": rounded(found.low),
        "high": rounded(found.high),
        "rounds": [rounded(value) for value in values],
    }


def rounded(value: float) -> float | str:
    """Five significant digits; what is without bound is a word, for JSON has no number for it."""
    return "never" if value == float("inf") else float(f"{value:.5g}")


def write_json(path: Path, facts: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write the result for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(facts, rows), indent=1, ensure_ascii=False) + "\n")


def headline(rows: Sequence[Row]) -> str:
    """One line a figure, for the end of the output."""
    return "\n".join(
        f"  {row.letter}  {figure.name}: {short(spread(figure.values).median)} {figure.unit}".rstrip()
        for row in rows
        for figure in row.figures
    )
