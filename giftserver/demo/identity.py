"""The secret that signs the demo's tokens."""

import secrets
from pathlib import Path

from giftserver.embedded.folder import DataFolder

FILE = "jwt-secret"


def demo_secret(folder: DataFolder) -> str:
    """The secret of the demo in this folder, made at first use and kept in a file with mode 0600."""
    return folder.kept_once(FILE, secrets.token_hex(32))


def kept_secret(data_dir: Path) -> str | None:
    """The secret a demo left in this folder, if one ever ran there."""
    try:
        return (data_dir / FILE).read_text().strip() or None
    except OSError:
        return None
