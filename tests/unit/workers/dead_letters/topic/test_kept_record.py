"""How much of a record its dead letter keeps."""

from __future__ import annotations

import dramatiq
import pytest

from tests.helpers.records import Consumed
from workers.dead_letters.topic.kept_record import kept_of
from workers.records.headers import BATCH_HEADER, TOO_LONG_HEADER
from workers.topics import MAX_JOB_BYTES, RETRY_ROOM_BYTES

#: The longest batch that a topic of ours takes.
LONGEST = MAX_JOB_BYTES + RETRY_ROOM_BYTES


@pytest.mark.parametrize("source", [None, "numbers"])
def test_a_batch_that_cannot_be_read_is_kept_whole_if_it_may_be_in_a_topic_that_is_trimmed(
    source: str | None,
) -> None:
    batch = Consumed(offset=9, first=7, key=None, value=b"x" * LONGEST, unreadable="no codec")
    kept = kept_of(batch, None, source)
    assert kept.value == batch.value
    assert dict(kept.headers)[BATCH_HEADER] == b"7-9"
    assert TOO_LONG_HEADER not in dict(kept.headers)


def test_of_a_longer_batch_of_a_source_the_offsets_the_size_and_a_beginning_are_kept() -> None:
    batch = Consumed(offset=9, first=7, key=None, value=b"x" * (LONGEST + 1), unreadable="no codec")
    kept = kept_of(batch, None, "numbers")
    assert kept.value == b"x" * 16 * 1024
    assert dict(kept.headers)[BATCH_HEADER] == b"7-9"
    assert int(dict(kept.headers)[TOO_LONG_HEADER]) > LONGEST


@pytest.mark.parametrize("source", [None, "numbers"])
@pytest.mark.parametrize("readable", [True, False])
def test_headers_of_others_do_not_say_that_a_letter_keeps_less_or_more_than_it_does(
    source: str | None, readable: bool
) -> None:
    message = dramatiq.Message[None]("default", "work", (1,), {}, {})
    headers = [(TOO_LONG_HEADER, b"7"), (BATCH_HEADER, b"0-7"), ("trace", b"1")]
    record = Consumed(value=message.encode() if readable else b"?", headers=headers)
    kept = dict(kept_of(record, message if readable else None, source).headers)
    assert kept["trace"] == b"1"
    assert not kept.keys() & {TOO_LONG_HEADER, BATCH_HEADER}
