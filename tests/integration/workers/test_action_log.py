"""Two that write the log of actions at once, on a real Kafka."""

from __future__ import annotations

from workers import Cluster, KafkaBroker
from workers.operations.logged import log_of


def test_who_writes_learns_the_number_of_the_record_and_others_read_it(
    cluster: Cluster, namespace: str
) -> None:
    broker = KafkaBroker(cluster, namespace=namespace, run_mover=False)
    try:
        with log_of(broker) as one, log_of(broker) as other:
            assert one.write("a", "pause", {}) == 1
            assert other.write("b", "pause", {}) == 2
            assert one.write("a", "pause", {}) == 3
            assert other.chain.count == 2
            other.catch_up()
            assert other.chain.count == 3
            assert one.chain.flaw is None
        with one:
            assert one.chain.count == 3
    finally:
        broker.close()
