"""The cursor: how far a client has seen the log, as a short text that it hands back. Pure.

It holds the epoch (which topics these are, and with how many partitions) and the next offset of each
partition. The text is opaque to clients.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

_EPOCH_BYTES = 5
#: The longest text that is looked at: 500 partitions of any length.
MAX_CHARACTERS = 6_000


class InvalidCursor(ValueError):
    """The text is no cursor."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything below ``offsets``, one for each partition, was seen; ``epoch`` says of which topics."""

    epoch: bytes
    offsets: tuple[int, ...]

    def pack(self) -> str:
        """Return the cursor as text: 9 characters and 2 to 4 for each partition of usual length."""
        packed = bytearray(self.epoch)
        for offset in self.offsets:
            while offset > 0x7F:
                packed.append(offset & 0x7F | 0x80)
                offset >>= 7  # noqa: PLW2901
            packed.append(offset)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")


def unpack(text: str) -> Cursor:
    """Read what :meth:`Cursor.pack` has written. Raises InvalidCursor."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidCursor(f"the cursor has more than {MAX_CHARACTERS} characters")
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as exc:
        raise InvalidCursor("the cursor is no base64") from exc
    epoch, rest = packed[:_EPOCH_BYTES], packed[_EPOCH_BYTES:]
    if len(epoch) < _EPOCH_BYTES or (rest and rest[-1] & 0x80):
        raise InvalidCursor("the cursor is cut short")
    return Cursor(epoch, tuple(_offsets(rest)))


def _offsets(packed: bytes) -> Iterable[int]:
    offset, shift = 0, 0
    for byte in packed:
        offset |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield offset
            offset, shift = 0, 0
        elif shift > 63:
            raise InvalidCursor("the cursor has an offset that Kafka cannot have")


def epoch_of(topics: Iterable[tuple[str, object, int]]) -> bytes:
    """Make the epoch of topics, each with its name, its id and how many partitions it has.

    A topic that is made anew has another id, and another number of partitions is another order of offsets.
    """
    text = "\n".join(f"{name} {topic_id} {partitions}" for name, topic_id, partitions in topics)
    return hashlib.blake2b(text.encode(), digest_size=_EPOCH_BYTES).digest()
