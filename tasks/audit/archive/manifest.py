"""The manifest of an archived month, and a row as a line of its file. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from ..chain import HASHED, Head, text_of

_TIMES = ("time", "recorded_at")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a month has: rows from ``first_sequence`` to ``last_sequence``, none left out.

    ``previous_hash`` is the hash of the row before the first, ``last_hash`` that of the last. ``sha256`` is
    of the compressed file with the rows.
    """

    month: str
    first_sequence: int
    last_sequence: int
    rows: int
    previous_hash: str
    last_hash: str
    sha256: str
    version: int = 1

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read what `content` wrote. Raises ValueError."""
        try:
            return TypeAdapter(cls).validate_json(content)
        except ValidationError as exc:
            raise ValueError(f"it is no manifest: {exc.error_count()} wrong values") from exc

    def content(self) -> bytes:
        """The bytes that are signed."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"

    @property
    def before(self) -> Head:
        """The end of the chain before the month."""
        return Head(self.first_sequence - 1, self.previous_hash)

    @property
    def head(self) -> Head:
        """The end of the chain after the month."""
        return Head(self.last_sequence, self.last_hash)


def line_of(row: Mapping[str, Any]) -> bytes:
    """Write a row as a line: what its hash is of, with the hash."""
    text = text_of(row)
    return f'{text[:-1]},"hash":{json.dumps(row["hash"])}}}\n'.encode()


def row_of(line: bytes) -> dict[str, Any]:
    """Read a line. Raises ValueError, KeyError or TypeError for what is none."""
    found = json.loads(line)
    row = {name: found[name] for name in (*HASHED, "hash")}
    return row | {name: datetime.fromisoformat(row[name]) for name in _TIMES}
