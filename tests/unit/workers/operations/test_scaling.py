"""What an autoscaler gets while Kafka is away."""

from __future__ import annotations

from contextlib import closing

import pytest

from workers import KafkaBroker
from workers.errors import KafkaUnreachable
from workers.operations.scaling import Scale, Scaling


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
