"""The application whose dead letters the tests of the command look at; it runs nothing."""

from __future__ import annotations

import os

import dramatiq

from workers import Cluster, KafkaBroker

broker = KafkaBroker(
    Cluster(tuple(os.environ["LETTERS_BOOTSTRAP_SERVERS"].split(",")), connect_timeout_s=2),
    namespace=os.environ["LETTERS_NAMESPACE"],
    partitions=4,
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="mail")
def send_mail(person: dict[str, str], urgent: bool = False) -> None: ...


@dramatiq.actor(queue_name="audit")
def record() -> None: ...
