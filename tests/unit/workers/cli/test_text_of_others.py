"""What records and servers say reaches the terminal as text, and controls it nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest

from tests.helpers.hostile_text import HOSTILE, SHOWN, is_safe, printed
from workers.cli import delayed, doctor, status
from workers.cli.dead_letters import tables
from workers.cli.topics import table
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.delays.waiting_jobs import DelayedJob
from workers.operations.doctor import Finding
from workers.operations.oldest_job import OldestJob
from workers.operations.topic_check import Checked, Found
from workers.records.consumed import ConsumedRecord
from workers.topics import TopicSpec


def delayed_jobs() -> str:
    record: Any = ConsumedRecord
    return printed(delayed._table([DelayedJob(1_000, HOSTILE, HOSTILE, HOSTILE, "1m", record)]))


def oldest_job() -> str:
    queue: Any = type("Queue", (), {"oldest": OldestJob("jobs", 0, 7, HOSTILE, HOSTILE, 1.0, in_hand=False)})
    return status._oldest(queue)


def topic() -> str:
    config = {"cleanup.policy": HOSTILE, "retention.ms": HOSTILE}
    return printed(table._topics_table([Checked(TopicSpec("jobs", 1), Found(1, 1, config))], []))


@pytest.mark.parametrize("show", [delayed_jobs, oldest_job, topic])
def test_a_table_shows_control_characters_written_out(show: Callable[[], str]) -> None:
    assert SHOWN in show()
    assert is_safe(show())


def test_the_json_of_a_dead_letters_job_has_control_characters_as_escapes() -> None:
    job = dramatiq.Message[None](HOSTILE, HOSTILE, (HOSTILE, "Zoë\x7f"), {HOSTILE: HOSTILE}, {}, HOSTILE)
    letter = DeadLetter(
        Reason.FAILED,
        Origin("jobs", 0, 7, 1_000),
        job.encode(),
        1_000,
        HOSTILE,
        job_headers=((HOSTILE, HOSTILE.encode()),),
        actor=HOSTILE,
        queue=HOSTILE,
        exception_message=HOSTILE,
        traceback=HOSTILE,
    )
    assert is_safe(printed(tables.details(letter)))
    shown = printed(tables._message(letter))
    assert json.loads(shown)["args"] == [HOSTILE, "Zoë\x7f"]
    assert "Zoë" in shown


def test_the_doctor_shows_what_a_server_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: [Finding("smtp", False, HOSTILE)])
    doctor.show(None, None, as_json=False)
    shown = capsys.readouterr().out
    assert SHOWN in shown
    assert is_safe(shown)
