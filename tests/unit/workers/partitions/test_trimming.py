"""Trimming without Kafka: what it does where it cannot."""

from __future__ import annotations

import threading

import pytest

from workers import Cluster
from workers.kafka import TopicPartition
from workers.partitions.trimming import Trimmer

JOBS = TopicPartition("t.letters", 0)


def no_room(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_process_without_room_for_a_thread_trims_at_the_next_interval(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    trimmed: list[dict[TopicPartition, int]] = []
    trimmer = Trimmer(Cluster(), "t.letters", interval_ms=1_000, keep_done_ms=0, clock=lambda: now)
    monkeypatch.setattr(trimmer, "_run", trimmed.append)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        trimmer.trim({JOBS: 5})
        trimmer.close({JOBS: 5})
    assert "can't start new thread" in caplog.text
    assert not trimmer.is_due(now)
    now = 1.0
    assert trimmer.is_due(now)
    trimmer.close({JOBS: 5})
    assert trimmed == [{JOBS: 5}]
