"""What the documents say is what the code does."""

from pathlib import Path

from giftserver.errors import ERRORS
from giftserver.gifts.messages import Commands  # noqa: F401  (loads every message type)
from giftserver.settings import Settings
from rooms.codes import CLOSE_CODES
from rooms.protocol import Push

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_every_error_code_is_in_the_protocol_document() -> None:
    """One table, with status and whether it is temporary."""
    text = (DOCS / "protocol.md").read_text()
    for error in ERRORS:
        row = f"| `{error.name}` | {error.status} | {'yes' if error.temporary else 'no'} | {error.meaning} |"
        assert row in text, row


def test_every_error_code_has_words_and_a_way_out() -> None:
    """Pages say each in a sentence, with a button that helps."""
    text = (DOCS.parent / "static" / "js" / "refusals.js").read_text()
    sentences, _, ways_out = text.partition("const WAYS_OUT")
    for error in ERRORS:
        assert f"\n  {error.name}: (" in sentences, error.name
        assert f"\n  {error.name}: {{ label" in ways_out, error.name


def test_every_close_code_is_in_the_protocol_document() -> None:
    """One table; codes below 4500 ask to reconnect."""
    text = (DOCS / "protocol.md").read_text()
    for code in CLOSE_CODES:
        assert f"| {code.code} | `{code.name}` | {code.meaning} |" in text, code
        assert len(code.meaning.encode()) <= 120


def test_every_message_type_is_in_the_protocol_document() -> None:
    """No message goes over the wire undocumented."""
    text = (DOCS / "protocol.md").read_text()
    for kind in Push.__subclasses__():
        if kind.__module__.startswith(("rooms.", "giftserver.")):
            tag = kind.__struct_config__.tag
            assert f"`{tag}`" in text, tag


def test_settings_named_in_documents_exist() -> None:
    """A setting that a document names can be set."""
    names = {f"GIFTSERVER_{name.upper()}" for name in Settings.model_fields}
    for path in [*DOCS.rglob("*.md"), DOCS.parent / "README.md", DOCS.parent / "loadtest" / "README.md"]:
        for word in path.read_text().replace("`", " ").replace("=", " ").replace(",", " ").split():
            if word.startswith("GIFTSERVER_") and not word.startswith("GIFTSERVER_TEST") and word.isupper():
                assert word.strip(".:;()…") in names, f"{path.name}: {word}"
