"""`giftserver receipt`: genuine in words, anything else in one sentence."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from giftserver.receipts.keys import DEMO_FILE, new_key_pem
from tests.giftserver.conftest import Web
from tests.giftserver.test_cli import giftserver, sentence


async def run(*arguments: str, folder: Path) -> Any:
    """The command in a process of its own, while this one serves."""
    return await asyncio.to_thread(giftserver, "receipt", *arguments, folder=folder)


@pytest.fixture
async def saved(demo: Web, new_key: Callable[[], str], tmp_path: Path) -> Path:
    """A receipt as a person saves it."""
    key = new_key()
    await demo.give_coins("ana", 100)
    await demo.send_gift("ana", key, quantity=3)
    await demo.settle()
    answer = await demo.http.get(f"/v1/gifts/{key}/receipt", headers=demo.bearer("ana"))
    assert answer.status_code == 200, answer.text
    path = tmp_path / "receipt.json"
    path.write_bytes(answer.content)
    return path


async def test_a_genuine_receipt_is_told_in_words(saved: Path, demo: Web, tmp_path: Path) -> None:
    """Against the server, offline with saved keys, and with the demo's own key in the folder."""
    jwks = tmp_path / "keys.json"
    jwks.write_bytes((await demo.http.get("/v1/receipt-keys")).content)
    (tmp_path / ".giftserver").mkdir()
    (tmp_path / ".giftserver" / DEMO_FILE).write_text((tmp_path / DEMO_FILE).read_text())
    url = demo.settings.public_url
    assert url is not None
    for keys in (["--keys", url], ["--keys", f"{url}/v1/receipt-keys"], ["--keys", str(jwks)], []):
        done = await run(str(saved), *keys, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "3 × dewdrop from ana to mira in room harbour" in done.stdout
        assert "3 coins paid, 3 diamonds earned" in done.stdout
        assert done.stdout.splitlines()[-1].startswith("genuine: signed with key ")


async def test_anything_else_is_one_sentence_and_status_1(saved: Path, demo: Web, tmp_path: Path) -> None:
    """A changed byte, another server's key, a file that is none, keys that cannot be had."""
    url = str(demo.settings.public_url)
    text = await asyncio.to_thread(saved.read_text)
    (tmp_path / "changed.json").write_text(text.replace('"coins":3', '"coins":9'))
    (tmp_path / "torn.json").write_text(text[:-20])
    (tmp_path / "other.json").write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": X_OF_ANOTHER}]}))
    (tmp_path / "none.json").write_text('{"keys": []}')
    for file, keys, said in (
        ("changed.json", url, "not genuine: its signature does not fit"),
        ("torn.json", url, "no receipt, or it was damaged"),
        ("missing.json", url, "cannot be read"),
        ("receipt.json", "other.json", "names a key that is not among"),
        ("receipt.json", "none.json", "no Ed25519 key"),
        ("receipt.json", "missing.json", "cannot be had"),
        ("receipt.json", "http://127.0.0.1:1", "cannot be had"),
        ("receipt.json", "ftp://127.0.0.1/", "http:// or https://"),
        ("receipt.json", f"{url}/v1/catalog", "cannot be had"),
    ):
        done = await run(file, "--keys", keys, folder=tmp_path)
        assert done.returncode == 1, (file, keys)
        assert said in sentence(done)
    done = await run("receipt.json", folder=tmp_path)
    assert done.returncode == 2
    assert "--keys" in sentence(done)


X_OF_ANOTHER = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def test_a_key_file_that_cannot_be_used_ends_the_server_with_a_sentence(tmp_path: Path) -> None:
    """Status 2 before it serves, as for every wrong setting."""
    (tmp_path / "key.pem").write_text(new_key_pem()[:40])
    urls = {f"GIFTSERVER_{name}_URL": "redis://127.0.0.1:1" for name in ("LEDGER_REDIS", "ROOMS_REDIS")}
    done = giftserver(
        "web", folder=tmp_path, GIFTSERVER_RECEIPT_KEY_FILE="key.pem",
        GIFTSERVER_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", **urls,
    )  # fmt: skip
    assert done.returncode == 2
    assert "GIFTSERVER_RECEIPT_KEY_FILE" in sentence(done)
