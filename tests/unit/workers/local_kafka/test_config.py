"""The configuration that a local Kafka is started with."""

from __future__ import annotations

from uuid import UUID

import pytest

from workers.errors import LocalKafkaError
from workers.local_kafka.config import (
    Ports,
    cluster_id,
    last_errors,
    scram_arguments,
    server_properties,
    taken_port,
)

PORTS = Ports(client=9092, controller=9093, broker=9094)


def properties(users: dict[str, str]) -> dict[str, str]:
    lines = server_properties(PORTS, users).splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_without_users_there_is_one_open_listener() -> None:
    written = properties({})
    assert written["listeners"] == "CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert written["advertised.listeners"] == "CLIENT://127.0.0.1:9092"
    assert "authorizer.class.name" not in written


def test_with_users_clients_log_in_and_the_broker_does_not() -> None:
    written = properties({"admin": "a", "alice": "b"})
    assert "CLIENT:SASL_PLAINTEXT" in written["listener.security.protocol.map"]
    assert "BROKER:PLAINTEXT" in written["listener.security.protocol.map"]
    assert written["inter.broker.listener.name"] == "BROKER"
    assert written["super.users"].startswith("User:admin;")
    assert 'user_alice="b"' in written["listener.name.client.plain.sasl.jaas.config"]


def test_users_are_formatted_for_both_mechanisms() -> None:
    arguments = scram_arguments({"alice": "b"})
    assert arguments == [
        *("--add-scram", "SCRAM-SHA-512=[name=alice,password=b]"),
        *("--add-scram", "SCRAM-SHA-256=[name=alice,password=b]"),
    ]


@pytest.mark.parametrize(("name", "password"), [("al ice", "b"), ("alice", "secret,b"), ("alice", 'secret"')])
def test_a_user_that_would_need_quoting_is_refused(name: str, password: str) -> None:
    with pytest.raises(LocalKafkaError, match=f"user '{name}' cannot be made") as raised:
        scram_arguments({name: password})
    assert "secret" not in str(raised.value)


def test_a_taken_port_is_found_in_the_log() -> None:
    assert taken_port("Socket server failed to bind to 127.0.0.1:9093: Address already in use.") == 9093
    assert taken_port("Kafka Server started") is None


def test_the_gist_of_a_log_is_its_errors_else_its_end() -> None:
    log = """\
2026-01-01 00:00:00.000 [main] INFO kafka.Kafka - starting
2026-01-01 00:00:00.001 [main] ERROR kafka.Kafka$ - Exiting Kafka due to fatal exception
java.lang.RuntimeException: Stored node id 7 doesn't match
\tat kafka.server.KafkaRaftServer.<init>(KafkaRaftServer.scala:55)
2026-01-01 00:00:00.002 [main] INFO kafka.Kafka - stopping
"""
    assert last_errors(log) == (
        "2026-01-01 00:00:00.001 [main] ERROR kafka.Kafka$ - Exiting Kafka due to fatal exception"
        " | java.lang.RuntimeException: Stored node id 7 doesn't match"
    )
    assert last_errors("one\n\ntwo\nthree\nfour\n") == "two | three | four"
    assert last_errors("") == "nothing"


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    assert cluster_id(UUID(int=0xF8 << 120)).startswith("A")
    assert len(cluster_id(UUID(int=0xF8 << 120))) == 22
