"""Keys of the records in a dead-letter topic. Pure: no I/O.

A key is the dead letter's id and, after a replay, its generation: ``id~2`` is the dead letter that the job
became after its second replay. So the tombstone that a replay writes can never hide that the job has failed
again meanwhile. All generations of an id are in one partition, and only the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_GENERATION = re.compile(rb"~(\d{1,6})$")
_MAX_GENERATION = 999_999


def key_of(letter_id: bytes, generation: int) -> bytes:
    """The key; one of the first generation is the id itself, if that does not look like a later one."""
    if generation == 0 and not _GENERATION.search(letter_id):
        return letter_id
    return b"%b~%d" % (letter_id, min(generation, _MAX_GENERATION))


def id_of(key: bytes) -> bytes:
    """The id in a key: all records with the same id belong in one partition."""
    return _GENERATION.sub(b"", key)


def generation_of(key: bytes) -> int:
    """The generation in a key; 0 if it names none."""
    found = _GENERATION.search(key)
    return int(found[1]) if found else 0


def older_keys(key: bytes) -> Iterator[bytes]:
    """The keys of the earlier generations, the last one first."""
    found = _GENERATION.search(key)
    if found:
        letter_id = key[: found.start()]
        for generation in range(int(found[1]) - 1, -1, -1):
            yield key_of(letter_id, generation)
