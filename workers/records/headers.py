"""Names of the headers that records of ours carry. Pure."""

from __future__ import annotations

from collections.abc import Iterable

#: Version of the record's layout, in the header ``schema``.
SCHEMA = b"1"


#: Header of a record that is not a job, but has key, value and headers of a source's: it names the source's
#: topic, so that the record is decoded as it was there.
SOURCE_HEADER = "source-topic"


#: Headers that :func:`encode` writes, or that are of no job; whatever else a record has rides along through
#: retries.
OWN_HEADERS = frozenset({"schema", "message-id", "actor", "queue", "eta", SOURCE_HEADER})


Headers = list[tuple[str, bytes]]


def source_named_in(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The source that a record outside of it came from; None for a job."""
    for name, value in headers:
        if name == SOURCE_HEADER and value is not None:
            return value.decode(errors="replace")
    return None
