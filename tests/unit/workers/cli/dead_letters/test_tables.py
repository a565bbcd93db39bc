"""A dead letter as a table."""

from __future__ import annotations

import pytest

from tests.helpers.hostile_text import printed
from workers.cli.dead_letters import tables
from workers.dead_letters.letter import DeadLetter, Origin, Reason


@pytest.mark.parametrize(("stamp", "shown"), [(-1, "not known"), (1_000, "1970-01-01T00:00:01+00:00")])
def test_a_letter_says_when_its_record_was_written_if_that_is_known(stamp: int, shown: str) -> None:
    letter = DeadLetter(Reason.FAILED, Origin("jobs", 0, 7, stamp), b"no job", 1_000, "1-a")
    lines = printed(tables.details(letter)).splitlines()
    assert [line.split(maxsplit=1)[1].strip() for line in lines if line.startswith("enqueued")] == [shown]
