"""The journal: one JSON object a line for each change, from which the sandbox starts again."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from giftserver.sandbox.mischief import Mischief
from giftserver.sandbox.objects import Event, Kept, KeptPayout, PayoutEvent


class SessionLine(msgspec.Struct, frozen=True, tag_field="what", tag="session"):
    """A session as it is from now on, with its refunds and disputes."""

    kept: Kept


class EventLine(msgspec.Struct, frozen=True, tag_field="what", tag="event"):
    """A new event, not yet delivered."""

    event: Event


class PayoutLine(msgspec.Struct, frozen=True, tag_field="what", tag="payout"):
    """A payout as it is from now on."""

    kept: KeptPayout


class PayoutEventLine(msgspec.Struct, frozen=True, tag_field="what", tag="payout_event"):
    """A new event of a payout, not yet delivered."""

    event: PayoutEvent


class DeliveredLine(msgspec.Struct, frozen=True, tag_field="what", tag="delivered"):
    """An event that is not sent by itself any more."""

    event: str


class KeyLine(msgspec.Struct, frozen=True, tag_field="what", tag="key"):
    """An idempotency key: the request it was used for, and the id of what that made."""

    key: str
    request: str
    made: str


class MischiefLine(msgspec.Struct, frozen=True, tag_field="what", tag="mischief"):
    """Mischief for sessions and payouts to come."""

    mischief: Mischief


Line = SessionLine | EventLine | PayoutLine | PayoutEventLine | DeliveredLine | KeyLine | MischiefLine


class JournalDamaged(Exception):
    """A line of the journal, other than a last one that was cut off, cannot be read."""


class Journal:
    """A file that is only appended to; without a path nothing is written. Methods raise OSError."""

    def __init__(self, path: Path | None) -> None:
        self._path: Final = path
        self._file: BinaryIO | None = None
        self._encoder: Final = msgspec.json.Encoder()

    def open(self) -> Iterator[Line]:
        """Yield every line that is there, then be ready to append. Raises JournalDamaged.

        What a crash cut off in its last line is taken away.
        """
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b")
        self._file.seek(0)
        decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
        whole_bytes = 0
        for number, text in enumerate(self._file, 1):
            if not text.endswith(b"\n"):
                break
            try:
                yield decoder.decode(text)
            except (msgspec.DecodeError, UnicodeError) as problem:
                raise JournalDamaged(f"Line {number} of {self._path} cannot be read: {problem}.") from problem
            whole_bytes += len(text)
        self._file.truncate(whole_bytes)
        self._file.seek(0, os.SEEK_END)

    def append(self, *lines: Line) -> None:
        """Write lines together, so that a crash keeps all or the first ones."""
        if self._file is not None:
            self._file.write(b"".join(self._encoder.encode(line) + b"\n" for line in lines))
            self._file.flush()

    def close(self) -> None:
        """Close the file; nothing is written any more."""
        if self._file is not None:
            self._file.close()
            self._file = None
