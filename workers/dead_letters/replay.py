"""Makes a dead letter a job again, or the jobs of the batch that it keeps. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import dramatiq

from ..errors import MessageTooLarge, Undecodable, WrongUsage
from ..kafka import TopicPartition
from ..kafka.batch_reading import read_batch
from ..records import envelope
from ..records.consumed import ConsumedRecord
from ..records.envelope import Record, require_size
from ..records.headers import (
    BATCH_HEADER,
    ID_HEADER,
    ORIGIN_HEADER,
    REPLAYED_HEADER,
    REPLAYS_HEADER,
    SOURCE_HEADER,
    TOO_LONG_HEADER,
    Headers,
    filled,
    source_named_in,
    text_of,
    with_origin,
)
from ..records.numbers import whole
from ..topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES, Topics
from .edits import Edit, edited
from .letter import MAX_REPLAY_TIMES, DeadLetter, Reason

#: Reads the records of a partition from one offset to another, both included; none if the log does not have
#: all of these offsets any more.
ReadAgain = Callable[[TopicPartition, int, int], Sequence[ConsumedRecord]]

#: Options that dramatiq's Retries, or the middleware that gave the job up, left behind.
_FORGOTTEN_OPTIONS = frozenset({"retries", "traceback", "requeue_timestamp"})
#: Headers that are made anew.
_OWN_HEADERS = frozenset({ID_HEADER, ORIGIN_HEADER, REPLAYS_HEADER, REPLAYED_HEADER, "eta", "queue"})


def revived(
    letter: DeadLetter, topics: Topics, *, now_ms: int, to: str | None = None, edits: Sequence[Edit] = ()
) -> tuple[str, Record]:
    """The topic and the record of the job that a dead letter holds, to run as if for the first time.

    It keeps its message id; its attempts start again; its replays are counted. Bytes that are no message
    stay as they are. A batch that could not be read is for :func:`revived_batch`. Raises WrongUsage, which
    says what to do, if ``edits`` do not fit, the bytes were not kept, or nothing says which queue they are
    for.
    """
    size = text_of(TOO_LONG_HEADER, letter.job_headers)
    if size is not None and text_of(BATCH_HEADER, letter.job_headers) is None:
        raise WrongUsage(
            f"dead letter {letter.id} cannot be replayed: its record was too long, see {letter.origin}; of "
            f"{size} bytes only the beginning is kept: send the job again with a reference to the data, then "
            "discard this"
        )
    message = message_of(letter)
    if message is None:
        if edits or to:
            raise WrongUsage(f"dead letter {letter.id} cannot be changed: it is not a readable message")
        topic = topics.jobs(queue_of(letter))
        return topic, Record(letter.job_key, letter.value, _headers(letter, now_ms))
    # One that was held has not failed: it goes on where it was.
    forgotten = frozenset() if letter.reason is Reason.HELD else _FORGOTTEN_OPTIONS
    changed = _begun_anew(message, to or message.queue_name, edits, forgotten)
    value = letter.value if changed == message else changed.encode()
    headers = [*_headers(letter, now_ms), ("queue", changed.queue_name.encode())]
    return topics.jobs(changed.queue_name), Record(letter.job_key, value, headers)


def queue_of(letter: DeadLetter) -> str:
    """The queue that a dead letter's job goes back to. Raises WrongUsage if nothing names one.

    Bytes that are no message go there too: the queue may be able to read them now. Those of a source do not
    go back into it, as it is not ours to write to: its name stays in a header, which tells the queue how to
    read them.
    """
    queue = letter.queue or ((message := message_of(letter)) and message.queue_name)
    if not queue:
        raise WrongUsage(
            f"dead letter {letter.id} cannot be replayed: its bytes are no message, and nothing says which "
            "queue they are for; `show` prints them: send the job again, then discard this"
        )
    return queue


def revived_batch(
    letter: DeadLetter, topics: Topics, read_again: ReadAgain
) -> list[tuple[str, Record]] | None:
    """The topics and the records of a batch of the log that could not be read and that a dead letter keeps.

    None if it keeps no batch. Of one that was too long to keep, ``read_again`` reads the records from their
    log. Each record goes where it came from; those of a source go to the queue's own topic. Raises WrongUsage
    if the batch still cannot be read, is no longer there, or holds a record that no topic of jobs takes.
    """
    offsets = text_of(BATCH_HEADER, letter.job_headers)
    if offsets is None:
        return None
    topic = topics.jobs(letter.queue) if letter.queue else letter.origin.topic
    source = source_named_in(letter.job_headers)
    jobs = []
    for record in _records_of_batch(letter, offsets, read_again):
        job = _as_it_was(record, source)
        try:  # before any is sent: those in front of it would run once more at each replay
            require_size(job, f"its record at offset {record.offset}", MAX_JOB_BYTES + RETRY_ROOM_BYTES)
        except MessageTooLarge as exc:
            raise WrongUsage(f"dead letter {letter.id} cannot be replayed: {exc}") from exc
        jobs.append((topic, job))
    return jobs


def _records_of_batch(letter: DeadLetter, offsets: str, read_again: ReadAgain) -> list[ConsumedRecord]:
    origin, size = letter.origin, text_of(TOO_LONG_HEADER, letter.job_headers)
    try:
        first, last = map(whole, offsets.split("-"))
        if size is None:
            found: Sequence[ConsumedRecord] = read_batch(origin.topic, origin.partition, letter.value or b"")
        else:
            found = read_again(TopicPartition(origin.topic, origin.partition), first, last)
    except ValueError as exc:
        raise WrongUsage(f"dead letter {letter.id} still cannot be read: {exc}") from exc
    wanted = [record for record in found if first <= record.offset and record.first_offset <= last]
    if why := next((record.unreadable for record in wanted if record.unreadable), None):
        raise WrongUsage(f"dead letter {letter.id} still cannot be read: {why}")
    if size is not None and not wanted:
        raise WrongUsage(
            f"dead letter {letter.id} cannot be replayed: offsets {first} to {last} of {origin.topic}/"
            f"{origin.partition} are no longer in the log, and of the batch's {size} bytes only the "
            "beginning is kept: have their records sent again, then discard this"
        )
    return wanted


def _as_it_was(record: ConsumedRecord, source: str | None) -> Record:
    headers = filled(record.headers)
    if source is not None:
        others = [header for header in headers if header[0] != SOURCE_HEADER]
        headers = [(SOURCE_HEADER, source.encode()), *others]
    return Record(record.key, record.value, with_origin(headers, record))


def message_of(letter: DeadLetter) -> dramatiq.Message[Any] | None:
    """The message that a dead letter holds; None if its bytes are none."""
    marks = (SOURCE_HEADER, BATCH_HEADER)
    if any(text_of(mark, letter.job_headers) is not None for mark in marks):
        return None
    try:
        return envelope.decode(letter.value, letter.queue or None)
    except Undecodable:
        return None


def _begun_anew(
    message: dramatiq.Message[Any], queue: str, edits: Sequence[Edit], forgotten: Collection[str]
) -> dramatiq.Message[Any]:
    changed = edited(message, edits)
    options = {name: kept for name, kept in changed.options.items() if name not in forgotten}
    if queue == changed.queue_name and len(options) == len(changed.options):
        return changed
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
