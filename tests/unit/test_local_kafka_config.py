"""What a local Kafka is started with."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from workers.local_kafka_config import Ports, cluster_id, scram_arguments, server_properties

PORTS = Ports(client=9092, controller=9093, broker=9094)


def properties(users: dict[str, str]) -> dict[str, str]:
    lines = server_properties(PORTS, Path("/data/log"), users).splitlines()
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


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    assert cluster_id(UUID(int=0xF8 << 120)).startswith("A")
    assert len(cluster_id(UUID(int=0xF8 << 120))) == 22
