"""Dead letters in a file: JSON Lines, with every byte of key, value and headers kept."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ..errors import WrongUsage
from ..records.envelope import Record
from ..records.headers import filled
from .reader import Entry
from .topic.letter_record import decode


def to_line(entry: Entry) -> str:
    """One dead letter as a line; ``id``, ``actor`` and ``error`` are only for people who read the file.

    A null header, which another program may have added, is left out: a dead letter has no use for it.
    """
    record, letter = entry.record, entry.letter
    return json.dumps(
        {
            "id": letter.id,
            "actor": letter.actor,
            "error": letter.exception_message,
            "key": _text(record.key),
            "value": _text(record.value),
            "headers": [[name, _text(value)] for name, value in filled(record.headers)],
        }
    )


def from_line(line: bytes) -> Record:
    """The record of a line. Raises WrongUsage for a line that :func:`to_line` did not write."""
    try:
        found: dict[str, Any] = json.loads(line)
        headers = [(str(name), _bytes(value)) for name, value in found["headers"]]
        record = Record(_bytes(found["key"]), _bytes(found["value"]), headers)
        decode(record.value or b"", headers)
    except (ValueError, KeyError, TypeError, binascii.Error) as exc:
        raise WrongUsage(f"no dead letter ({type(exc).__name__}: {exc})") from exc
    return record


def _text(value: bytes | None) -> str:
    assert value is not None, "neither a key nor a value of ours is null"
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
