"""`giftserver receipt FILE`: is this receipt genuine, and what does it say."""

import http.client
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from giftserver.cli import Sentence, WrongConfiguration, load_settings
from giftserver.errors import WrongSetting
from giftserver.receipts import receipt
from giftserver.receipts.keys import DEMO_FILE, JWKS_BYTES_MAX, ReceiptKeys, by_id, public_keys
from giftserver.receipts.receipt import NotGenuine, SignedReceipt

KEYS_PATH: Final = "/v1/receipt-keys"
FETCH_TIMEOUT_S: Final = 5.0


@click.command(name="receipt")
@click.argument("file")
@click.option("--keys", help="The server's address, the URL of its keys, or a file with them (JWKS).")
def command(file: str, keys: str | None) -> None:
    """Check the signed receipt in FILE (- is standard input), and say what it is for.

    Without --keys it is checked with the keys of this server's settings, or of the demo in this folder.

    Exit status: 0 when it is genuine, 1 when it is not.
    """
    known = keys_from(keys) if keys is not None else own_keys()
    try:
        found = receipt.read(_content(file))
        receipt.check(found, known)
    except NotGenuine as problem:
        raise Sentence(str(problem)) from problem
    for line in in_words(found):
        click.echo(line)


def in_words(found: SignedReceipt) -> list[str]:
    """A genuine receipt for people."""
    at = datetime.fromtimestamp(found.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return [
        f"{found.quantity} × {found.gift} from {found.sender} to {found.creator} in room {found.room}, {at} UTC: "
        f"{_counted(found.coins, 'coin')} paid, {_counted(found.diamonds, 'diamond')} earned.",
        f"Transfer {found.transfer}, key {found.key}, ledger hash {found.hash or 'none'}.",
        f"genuine: signed with key {found.kid}.",
    ]


def _counted(amount: int, unit: str) -> str:
    return f"{amount:,} {unit}{'' if amount == 1 else 's'}"


def own_keys() -> Mapping[str, Ed25519PublicKey]:
    """Keys of the settings, or of the demo in the data folder. Raises WrongConfiguration when there are none."""
    settings = load_settings()
    kept = settings.data_dir / DEMO_FILE
    if settings.receipt_key_file is None and kept.exists():
        settings = load_settings(receipt_key_file=kept)
    try:
        known = by_id(ReceiptKeys.of(settings.model_copy(update={"demo": False})).published.keys)
    except WrongSetting as problem:
        raise WrongConfiguration(str(problem)) from problem
    if not known:
        raise WrongConfiguration("There are no keys to check with: name the server or a file with --keys.")
    return known


def keys_from(place: str) -> Mapping[str, Ed25519PublicKey]:
    """Keys of a server or a file. Raises Sentence when they cannot be had."""
    try:
        data = _fetched(place) if "://" in place else Path(place).read_bytes()
        known = public_keys(data)
    except (OSError, ValueError, http.client.HTTPException) as problem:
        reason = getattr(problem, "reason", None) or getattr(problem, "strerror", None) or problem
        raise Sentence(f"The keys cannot be had from {place} ({reason}).") from problem
    if not known:
        raise Sentence(f"There is no Ed25519 key in {place}.")
    return known


def _fetched(url: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("an address begins with http:// or https://")
    if parts.path in ("", "/"):
        url = parts._replace(path=KEYS_PATH).geturl()
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as answer:
        return bytes(answer.read(JWKS_BYTES_MAX + 1))


def _content(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(receipt.BYTES_MAX + 1)
        with Path(file).open("rb") as opened:
            return opened.read(receipt.BYTES_MAX + 1)
    except OSError as problem:
        raise Sentence(f"{file} cannot be read ({problem.strerror}).") from problem
