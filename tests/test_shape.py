"""The shape of the tree: who imports whom, where SQL and the environment are, how long things get."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("rooms", "giftserver", "loadtest")
LINES_MAX = 400
MEDIAN_LINES_MAX = 150
FUNCTION_LINES_MAX = 60
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
# Folder -> what its files may never import.
WALLS = {
    "rooms": ("giftserver", "loadtest", "tests"),
    "giftserver": ("loadtest", "tests"),
    "giftserver/ledger": ("giftserver.web", "rooms", "giftserver.durable", "giftserver.gifts"),
    "giftserver/durable": ("giftserver.web",),
    "giftserver/gifts": ("giftserver.web",),
    "giftserver/recharge": ("giftserver.web", "giftserver.gifts", "giftserver.ledger.ledger"),
    "giftserver/sandbox": (
        "giftserver.web",
        "giftserver.durable",
        "giftserver.ledger",
        "giftserver.recharge",
        "giftserver.gifts",
        "rooms",
    ),
    "giftserver/embedded": ("giftserver.settings", "giftserver.web", "rooms"),
}
SQL = re.compile(
    r"\b(SELECT\s+.+\s+FROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX|TRIGGER)|ALTER\s+TABLE)\b",
    re.DOTALL,
)
# The embedded server is asked whether it is the right one, before the ledger's tables exist.
SQL_PLACES = ("giftserver/durable/", "giftserver/embedded/postgres.py")
CHECKS = re.compile(r"raises|warns|assert|expect|verify|check|fail")


def python_files(*folders: str) -> list[Path]:
    """Files of the folders, without caches."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(), str(path))


def relative(path: Path) -> str:
    """The path as a reader names it."""
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("folder", WALLS)
def test_imports_go_one_way(folder):
    """giftserver uses rooms, never back; services use the ledger, which knows neither rooms nor the web."""
    wrong = [
        f"{relative(path)}:{line} imports {name}"
        for path in python_files(folder)
        for line, name in imports(parsed(path))
        if any(name == wall or name.startswith(wall + ".") for wall in WALLS[folder])
    ]
    assert wrong == []


def test_only_settings_reads_the_environment():
    """Every setting is in one file; others only hand variables to their children."""
    reading = re.compile(r"os\.environ(?!\.update\()|os\.getenv|from os import .*\b(environ|getenv)\b")
    wrong = [
        relative(path)
        for path in python_files("rooms", "giftserver")
        if relative(path) != "giftserver/settings.py" and reading.search(path.read_text())
    ]
    assert wrong == []


def test_sql_is_in_one_place():
    """All SQL is below giftserver/durable."""
    wrong = []
    for path in python_files(*PRODUCT):
        if relative(path).startswith(SQL_PLACES):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
                wrong.append(f"{relative(path)}:{node.lineno}")
    assert wrong == []


def test_files_stay_short():
    """No file is over the limit, and half of them are much shorter."""
    sources = [*python_files(*PRODUCT, "tests")]
    for kind in ("*.js", "*.css", "*.html", "*.lua"):
        sources += [path for top in ("static", *PRODUCT) for path in (ROOT / top).rglob(kind)]
    sizes = {relative(path): path.read_text().count("\n") + 1 for path in sources if "vendor" not in path.parts}
    assert {name: lines for name, lines in sizes.items() if lines > LINES_MAX} == {}
    product = sorted(lines for name, lines in sizes.items() if name.endswith(".py") and name.startswith(PRODUCT))
    assert product[len(product) // 2] <= MEDIAN_LINES_MAX


def test_functions_stay_short():
    """A function fits on a screen."""
    wrong = [
        f"{relative(path)}:{function.lineno} {function.name}"
        for path in python_files(*PRODUCT, "tests")
        for function in functions(parsed(path))
        if (function.end_lineno or function.lineno) - function.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert wrong == []


def test_names_tell_what_is_inside():
    """No drawer for everything."""
    files = [*python_files(*PRODUCT, "tests"), *(ROOT / "static" / "js").rglob("*.js")]
    assert [relative(path) for path in files if path.stem in VAGUE] == []


def test_public_definitions_are_documented():
    """Contract, units, errors: at least a sentence, on everything public."""
    wrong = []
    for path in python_files(*PRODUCT):
        tree = parsed(path)
        closed = [*functions(tree), *(node for node in ast.walk(tree) if is_private_class(node))]
        inner = {node for outer in closed for node in ast.walk(outer) if node is not outer}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and node not in inner
                and not node.name.startswith("_")
                and ast.get_docstring(node) is None
            ):
                wrong.append(f"{relative(path)}:{node.lineno} {node.name}")
    assert wrong == []


def is_private_class(node: ast.AST) -> bool:
    """Whether nobody outside the file should see the class."""
    return isinstance(node, ast.ClassDef) and node.name.startswith("_")


def test_every_test_can_fail():
    """A test without a check proves nothing."""
    wrong = []
    for path in python_files("tests"):
        for function in functions(parsed(path)):
            if function.name.startswith("test_") and not checks_something(function):
                wrong.append(f"{relative(path)}:{function.lineno} {function.name}")
    assert wrong == []


def checks_something(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function asserts, or calls something that does."""
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and CHECKS.search(ast.unparse(node.func)))
        for node in ast.walk(function)
    )


def test_tests_wait_for_conditions_not_for_time():
    """No test sleeps longer than a moment between two looks."""
    wrong = []
    for path in python_files("tests"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "asyncio.sleep", "sleep"):
                argument = node.args[0]
                if not (isinstance(argument, ast.Constant) and argument.value <= 0.1):
                    wrong.append(f"{relative(path)}:{node.lineno}")
    assert wrong == []


def test_nothing_is_left_for_later():
    """No marks of unfinished work."""
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    files = [*python_files(*PRODUCT, "tests"), *(ROOT / "static" / "js").rglob("*.js")]
    assert [relative(path) for path in files if marks.search(path.read_text())] == []
