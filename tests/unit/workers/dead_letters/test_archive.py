"""Dead letters as lines of a file and back."""

from __future__ import annotations

from tests.helpers.records import Consumed
from workers.dead_letters.archive import from_line, to_line
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.reader import Entry
from workers.dead_letters.topic.letter_record import decode, encode


def test_a_null_header_that_another_program_has_added_stops_no_export() -> None:
    written = DeadLetter(Reason.FAILED, Origin("jobs", 3, 42, 1_000), b"job", 1_001, "g", message_id="m-1")
    record = encode(written)
    assert record.key is not None
    headers = [("job.traceparent", None), *record.headers, ("seen-by", None)]
    entry = Entry(written, Consumed(key=record.key, value=record.value, headers=headers))
    found = from_line(to_line(entry).encode())
    assert found == record
    assert decode(found.value or b"", found.headers) == written
