"""Whose record a queue reads."""

from __future__ import annotations

import pytest

from tests.helpers.records import Consumed
from workers.records.decoding import QueueDecoder
from workers.records.headers import SOURCE_HEADER
from workers.records.sources import Source


@pytest.mark.parametrize(
    ("record", "is_of_source"),
    [
        (Consumed(), False),
        (Consumed(topic="events"), True),
        (Consumed(headers=[(SOURCE_HEADER, b"events")]), True),  # it was replayed into the queue's own topic
    ],
)
def test_records_of_a_source_are_those_of_its_topic_wherever_they_are(
    record: Consumed, is_of_source: bool
) -> None:
    decoder = QueueDecoder("default", [Source("events", lambda _: None)])
    assert decoder.is_of_source(record) == is_of_source
