"""No-op jobs while switches are set that match none of them."""

from __future__ import annotations

from workers.controls.then import Then
from workers.dead_letters.filter import Filter, parse_place

from ..dramatiq_kafka import broker_at, noop_rate


def noop_rate_with(address: str, namespace: str, jobs: int, switches: int) -> float:
    """No-op jobs per second; each switch is about another value in an argument of theirs."""
    broker = broker_at(address, namespace)
    broker.declare_queue("noop")
    for number in range(switches):
        where = Filter(actor="noop", where=(parse_place(f"args.2.title=Title {number}"),))
        broker.controls.switch(where, Then.HOLD, who="bench")
    broker.close()
    return noop_rate(address, namespace, jobs)
