"""A dead letter as a job again. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dramatiq

from ..errors import Undecodable, WrongUsage
from ..records import envelope
from ..records.envelope import Record
from ..records.headers import (
    ID_HEADER,
    ORIGIN_HEADER,
    REPLAYED_HEADER,
    REPLAYS_HEADER,
    TOO_LONG_HEADER,
    Headers,
    source_named_in,
    text_of,
)
from ..topics import Topics
from .edits import Edit, edited
from .letter import MAX_REPLAY_TIMES, DeadLetter

#: Options that dramatiq's Retries, and whoever gave the job up, left behind.
_FORGOTTEN_OPTIONS = frozenset({"retries", "traceback", "requeue_timestamp"})
#: Headers that are made anew.
_OWN_HEADERS = frozenset({ID_HEADER, ORIGIN_HEADER, REPLAYS_HEADER, REPLAYED_HEADER, "eta", "queue"})


def revived(
    letter: DeadLetter, topics: Topics, *, now_ms: int, to: str | None = None, edits: Sequence[Edit] = ()
) -> tuple[str, Record]:
    """The topic and the record of the job that a dead letter holds, to run as if for the first time.

    It keeps its message id; its attempts start again; its replays are counted. Bytes that are no message
    stay as they are and go where they came from; those of a source go to the queue's own topic. Raises
    WrongUsage where ``edits`` do not fit, or the bytes were not kept.
    """
    if text_of(TOO_LONG_HEADER, letter.job_headers) is not None:
        raise WrongUsage(
            f"dead letter {letter.id} cannot be replayed: its record was too long, see {letter.origin}"
        )
    message = message_of(letter)
    if message is None:
        if edits or to:
            raise WrongUsage(f"dead letter {letter.id} cannot be changed: it is not a readable message")
        return _topic_of_bytes(letter, topics), Record(letter.job_key, letter.value, _headers(letter, now_ms))
    changed = _begun_anew(message, to or message.queue_name, edits)
    value = letter.value if changed == message else changed.encode()
    headers = [*_headers(letter, now_ms), ("queue", changed.queue_name.encode())]
    return topics.jobs(changed.queue_name), Record(letter.job_key, value, headers)


def message_of(letter: DeadLetter) -> dramatiq.Message[Any] | None:
    """The message that a dead letter holds; None where its bytes are none."""
    if source_named_in(letter.job_headers):
        return None
    try:
        return envelope.decode(letter.value, letter.queue or "")
    except Undecodable:
        return None


def _begun_anew(message: dramatiq.Message[Any], queue: str, edits: Sequence[Edit]) -> dramatiq.Message[Any]:
    changed = edited(message, edits)
    options = {name: kept for name, kept in changed.options.items() if name not in _FORGOTTEN_OPTIONS}
    return replace(changed, queue_name=queue, options=options)  # Message.copy would merge the options


def _headers(letter: DeadLetter, now_ms: int) -> Headers:
    times = (*letter.replayed_at_ms, now_ms)[-MAX_REPLAY_TIMES:]
    return [
        *((name, kept) for name, kept in letter.job_headers if name not in _OWN_HEADERS),
        (ID_HEADER, letter.id.encode()),
        (ORIGIN_HEADER, letter.first_origin.encode()),
        (REPLAYS_HEADER, str(letter.replays + 1).encode()),
        (REPLAYED_HEADER, ",".join(str(ms) for ms in times).encode()),
    ]


def _topic_of_bytes(letter: DeadLetter, topics: Topics) -> str:
    """Where bytes that are no message go; a source is not ours to write to.

    Its name stays in a header, which tells the queue how to read the bytes.
    """
    if letter.queue and source_named_in(letter.job_headers):
        return topics.jobs(letter.queue)
    return letter.origin.topic
