"""A producer that gets no producer id answers for its records all the same."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.cluster import ClusterMetadata
from kafka.errors import IllegalStateError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.producer.sender import Sender

from tests.helpers.waiting import wait_for
from workers.kafka.patches import sender as patch
from workers.kafka.patches.sender import EndingSender


def without_producer_id() -> Any:
    """A transaction manager that waits for the answer to its request."""
    answers = {"has_in_flight_transactional_request": True}
    names = ("is_transactional", "has_producer_id", "has_in_flight_transactional_request")
    methods = {name: lambda name=name: answers.get(name, False) for name in names}
    return SimpleNamespace(**methods, init_producer_id=lambda: None)


def client() -> Any:
    return SimpleNamespace(
        cluster=ClusterMetadata(),
        poll=lambda **_: time.sleep(0.001),
        in_flight_request_count=lambda: 0,
        wakeup=lambda: None,
        close=lambda: None,
    )


upstream = pytest.mark.xfail(reason="kafka-python keeps the record for ever", raises=AssertionError)


@pytest.mark.parametrize("kind", [EndingSender, pytest.param(Sender, marks=upstream)])
def test_a_record_fails_when_its_time_is_up_though_there_is_no_producer_id(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch, "_INTERVAL_S", 0.01)
    monkeypatch.setattr(patch, "_GRACE_S", 0.01)
    accumulator = RecordAccumulator(delivery_timeout_ms=50, request_timeout_ms=10)
    manager = without_producer_id()
    sender = kind(client(), None, accumulator, transaction_manager=manager)
    thread = threading.Thread(target=sender.run, daemon=True)
    future = accumulator.append(TopicPartition("t", 0), None, b"k", b"v", [])[0]
    thread.start()
    try:
        wait_for(lambda: future.is_done, 30 if kind is EndingSender else 2)
        assert isinstance(future.exception, IllegalStateError)
    finally:
        sender.force_close()
        thread.join(30)
