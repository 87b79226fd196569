"""What a replay found out, as a table and as a verdict."""

from dataclasses import dataclass, field

from giftserver.traces.trace import Trace


@dataclass(frozen=True, slots=True)
class Row:
    """One witness and the coins it counted; None: it could not say."""

    witness: str
    coins: int | None
    remark: str = ""


@dataclass(slots=True)
class Report:
    """Everything a run found out."""

    trace: Trace
    rows: list[Row] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def agreed(self) -> bool:
        """Whether every witness counted the trace's true coins."""
        return bool(self.rows) and all(row.coins == self.trace.true_coins for row in self.rows)

    def text(self) -> list[str]:
        """The table, line by line."""
        trace, truth = self.trace, self.trace.true_coins

        def times(coins: int) -> str:
            return f"{coins / truth:.2f} times the truth"

        marked = [
            (row.witness, row.coins, "agrees" if row.coins == truth else "DIFFERS", row.remark) for row in self.rows
        ]
        table = [
            ("truth of the trace", truth, "", f"{len(trace.taps)} taps in {trace.streaks} streaks"),
            *marked,
            ("adding up every frame", trace.naive_coins, "wrong", times(trace.naive_coins)),
            ("waiting for streaks to end", trace.ended_coins, "wrong", times(trace.ended_coins)),
        ]  # fmt: skip
        wide = max(len(row[0]) for row in table)
        shown = [
            f"{name:<{wide}}  {'?' if coins is None else coins:>9}  {verdict:<7}  {remark}".rstrip()
            for name, coins, verdict, remark in table
        ]
        return [f"{'':<{wide}}      coins", *shown, *self.lines]
