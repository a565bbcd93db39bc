"""Declares the other topics that a queue reads: records of others become jobs. Pure: no I/O.

A source is a log that others own and read too. So the pool writes nothing into it and deletes nothing from
it: a job that came from one and is retried, delayed or replayed goes by way of the queue's own topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import dramatiq


class Incoming(NamedTuple):
    """A record of a source. ``timestamp_ms`` is when it was written, as its topic says.

    ``partition`` and ``offset`` are its place in the topic, None if it is read from elsewhere: from the dead
    letter of one that could not be decoded, for example.
    """

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int
    partition: int | None = None
    offset: int | None = None


#: Makes the job of a record: always the same job, as a record may be read again; None if it is no job.
#: It runs on the consuming thread, so it must be quick and do no I/O. A record over which it raises an error
#: becomes a dead letter.
Decode = Callable[[Incoming], dramatiq.Message[Any] | None]

#: Finds the headers ``traceparent`` and ``tracestate`` in the job of a record that has none itself.
FindContext = Callable[[dramatiq.MessageProxy], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Source:
    """A topic that a queue reads. ``config`` is the configuration to create it with if it does not exist."""

    topic: str
    decode: Decode
    config: Mapping[str, str] = field(default_factory=dict)
    find_context: FindContext | None = None
