"""What an autoscaler gets while Kafka is away."""

from __future__ import annotations

from contextlib import closing

import pytest

from workers import KafkaBroker
from workers.errors import KafkaUnreachable
from workers.operations.queue_status import QueueStatus
from workers.operations.scaling import Scale, Scaling, scale


def test_a_failure_is_told_again_for_a_while_before_kafka_is_asked_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, asked = 0.0, 0

    def read(_: Scaling) -> dict[str, Scale]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise KafkaUnreachable("Kafka is away")
        return {"letters": Scale(3, 1.0)}

    monkeypatch.setattr(Scaling, "_read", read)
    with closing(KafkaBroker()) as broker:
        broker.declare_queue("letters")
        scaling = Scaling(broker, lambda: now_s)
        for _ in range(3):
            with pytest.raises(KafkaUnreachable):
                scaling.of("letters")
        assert asked == 1
        now_s = 5.0
        assert scaling.of("letters") == Scale(3, 1.0)


def test_where_nobody_may_know_what_is_paused_a_queue_counts_as_open_and_that_is_said() -> None:
    queue = QueueStatus("letters", 1, 7, 0, 1, 0, None)
    assert scale(queue, 2, {"letters"}) == Scale(0, 0.0, is_paused=True)
    assert scale(queue, 2, {"other"}) == Scale(9, 0.0, is_paused=False)
    assert scale(queue, 2, None) == Scale(9, 0.0, is_paused=None)
