"""Finding circles of people who give each other."""

from collections.abc import Mapping

from giftserver.rules.numbers import RING_MEMBERS_MAX


def find_rings(coins: Mapping[tuple[str, str], int]) -> list[tuple[str, ...]]:
    """A circle for each person who is the smallest id of one: the shortest, of these the one with the most coins.

    `coins` has the pairs (from, to) that count. The members are in the order of giving, the smallest id first; the
    circles with the most coins come first.
    """
    given: dict[str, list[str]] = {}
    for sender, creator in coins:
        given.setdefault(sender, []).append(creator)
    found = []
    for first in sorted(given):
        paths: list[tuple[str, ...]] = [(first,)]
        for _ in range(RING_MEMBERS_MAX - 1):
            paths = [(*path, to) for path in paths for to in given.get(path[-1], ()) if to > first and to not in path]
            closed = [path for path in paths if (path[-1], first) in coins]
            if closed:
                found.append(max(closed, key=lambda path: (_total(coins, path), path)))
                break
    return sorted(found, key=lambda path: (-_total(coins, path), path))


def _total(coins: Mapping[tuple[str, str], int], members: tuple[str, ...]) -> int:
    return sum(coins[pair] for pair in zip(members, (*members[1:], members[0]), strict=True))
