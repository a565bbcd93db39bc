"""Events to clients as they happen, and what clients get that come back; with a real Kafka."""

from __future__ import annotations

from tests.integration.web.conftest import Publish, RunningBridge, titles


def test_a_user_sees_what_happens_to_their_todos_and_to_nobody_elses(
    bridge: RunningBridge, publish: Publish
) -> None:
    with bridge.client("Ana@example.com") as ana, bridge.client("bob@example.com") as bob:
        ana.connect()
        bob.connect()
        publish("one", "two")
        publish("three", owner="bob@example.com", watchers=["ana@example.com"])
        assert titles(ana.read_until(3)) == ["one", "two", "three"]
        assert titles(bob.read_until(1)) == ["three"]
        assert "email" not in str(ana.events)
