"""A small load test and its audit, end to end: Locust, a real server, real engines."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtest.audit import main
from loadtest.journal import journal_files, read_journal
from tests.loadtest.conftest import LoadRun


def audit(run: LoadRun, journal: Path) -> "tuple[int, str]":
    """Exit status and output of the audit."""
    done = CliRunner().invoke(main, [str(journal), "--data-dir", str(run.demo.folder)])
    return done.exit_code, done.output


def spoiled(run: LoadRun, folder: Path, change: str) -> Path:
    """A copy of the run's journal with one thing wrong."""
    [file] = journal_files([run.journal])
    lines = list(read_journal(file))
    first = next(line for line in lines if line["kind"] == "acknowledged")
    sent = next(line for line in lines if line["kind"] == "sent" and line["key"] == first["key"])
    match change:
        case "not in the ledger":
            key = "01900000-0000-7000-8000-000000000000"
            lines += [{**sent, "key": key}, {**first, "key": key, "transfer": "07-1-99999999"}]
        case "doubled":
            lines.append({**first, "transfer": "07-1-99999999"})
        case "sent twice":
            lines.append(sent)
        case "wrong amount":
            first["coins"] += 1
        case "another's transfer":
            other = [line for line in lines if line["kind"] == "acknowledged"][1]
            other["transfer"] = first["transfer"]
        case "forgotten":
            lines = [line for line in lines if line.get("key") != first["key"]]
        case "refused, yet charged":
            lines = [line for line in lines if line is not first]
            lines.append({"kind": "refused", "user": first["user"], "key": first["key"], "code": "rate_limited"})
        case "viewer saw more":
            next(line for line in lines if line["kind"] == "watched")["coins"] += 1
        case "history has a hole":
            lines = [line for line in lines if line["kind"] != "history"]
    copy = folder / "spoiled.jsonl"
    copy.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return copy


def test_the_run_gives_rows_and_a_journal(load_run: LoadRun) -> None:
    """Acks, fan-out lag by codec and the crowd's are Locust's rows; nothing failed; every gift is in the journal."""
    assert load_run.exit_code == 0, load_run.output
    rows = {
        name: int(count) for name, count in re.findall(r"^(\w+ +.+?) {2,}(\d+) +0\(0", load_run.output, re.MULTILINE)
    }
    names = {" ".join(name.split()) for name in rows}
    assert {"gift ack", "push fan-out msgpack", "push fan-out json"} <= names
    assert {"push crowd lag", "push crowd deliveries a second"} <= names
    lines = [line for file in journal_files([load_run.journal]) for line in read_journal(file)]
    kinds = [line["kind"] for line in lines]
    assert kinds.count("sent") >= 15
    assert kinds.count("watched") == 6
    assert {"web", "flusher", "postgres", "valkey-ledger"} <= {
        line["name"] for line in lines if line["kind"] == "process"
    }


def test_the_audit_finds_everything_right(load_run: LoadRun) -> None:
    """Each acknowledged gift is in the ledger once, viewers saw the history, and money is conserved."""
    status, output = audit(load_run, load_run.journal)
    assert status == 0, output
    assert "WRONG" not in output
    assert re.search(r"acknowledged gifts are in the ledger once +[1-9]\d* checked +right", output)
    assert re.search(r"viewers' sums are the room's history +6 checked +right", output)
    assert re.search(r"money is conserved +[1-9]\d* checked +right", output)
    assert "CPU web" in output


@pytest.mark.parametrize(
    ("change", "question", "words"),
    [
        ("not in the ledger", "acknowledged gifts are in the ledger once", "the ledger has no gift under this key"),
        ("doubled", "a key had one outcome", "was acknowledged as"),
        ("sent twice", "a key had one outcome", "stands 2 times in the journal as sent"),
        ("wrong amount", "acknowledged gifts are in the ledger once", "coins, the ledger took"),
        ("another's transfer", "a key had one outcome", "acknowledged for 2 keys"),
        ("forgotten", "the ledger holds no gift nobody sent", "coins for no key"),
        ("refused, yet charged", "refused gifts charged nothing", "yet charged as"),
        ("viewer saw more", "viewers' sums are the room's history", "was shown"),
        ("history has a hole", "viewers' sums are the room's history", "the history has 0"),
    ],
)
def test_the_audit_catches(load_run: LoadRun, tmp_path: Path, change: str, question: str, words: str) -> None:
    """Anything that a client was told and the ledger does not hold is found, named, and fails the audit."""
    done = CliRunner().invoke(
        main,
        [str(spoiled(load_run, tmp_path, change)), "--data-dir", str(load_run.demo.folder), "--deadline-s", "1"],
    )
    assert done.exit_code == 1
    assert re.search(rf"^{re.escape(question)} +\d+ checked +WRONG", done.output, re.MULTILINE), done.output
    assert words in done.output
