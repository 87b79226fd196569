"""The order of the rounds."""

from itertools import pairwise

from loadtest.bench.rounds import Case, measure, order_of


def test_every_round_has_every_case_in_another_order() -> None:
    """No case is always the first, or always after the same one."""
    orders = [order_of(4, number) for number in range(4)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len({order[0] for order in orders}) > 1
    assert (0, 1) in [(one, two) for order in orders for one, two in pairwise(order)]
    assert (1, 0) in [(one, two) for order in orders for one, two in pairwise(order)]


async def test_results_keep_the_order_of_the_cases_and_of_the_rounds() -> None:
    """However the rounds were mixed."""
    ran: list[str] = []

    def case(name: str) -> Case:
        async def run() -> dict[str, float]:
            ran.append(name)
            return {"turn": ran.count(name)}

        return Case(name, run)

    said: list[str] = []
    measured = await measure([case("a"), case("b")], 3, said.append)
    assert [one.name for one in measured] == ["a", "b"]
    assert [one.values for one in measured] == [{"turn": [1, 2, 3]}] * 2
    assert ran == ["a", "b", "a", "b", "a", "b"]
    assert said[-1] == "  round 3 of 3"
