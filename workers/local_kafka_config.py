"""What a local Kafka is started with. Pure: no I/O."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

#: Lines of Kafka's log that tell how its start went.
STARTED = "Kafka Server started"
PORT_TAKEN = "Address already in use"
NO_SPACE = "No space left on device"

_SCRAM_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")

#: Small and quick: one replica, few internal partitions, no wait for more group members.
_QUICK = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "2",
    "log.cleaner.dedupe.buffer.size": "2097152",
}


class Ports(NamedTuple):
    """For clients, for the controller, and, where clients log in, for the broker's own connections."""

    client: int
    controller: int
    broker: int


def server_properties(ports: Ports, log_dir: Path, users: Mapping[str, str]) -> str:
    """The text of ``server.properties``; with ``users``, clients log in and ``admin`` may do everything."""
    address = "127.0.0.1"
    listeners = {"CLIENT": ports.client, "CONTROLLER": ports.controller}
    protocols = dict.fromkeys(("CLIENT", "CONTROLLER", "BROKER"), "PLAINTEXT")
    if users:
        listeners["BROKER"] = ports.broker
        protocols["CLIENT"] = "SASL_PLAINTEXT"
    properties = _QUICK | {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"{address}:{ports.controller}",
        "listeners": _joined(f"{name}://{address}:{port}" for name, port in listeners.items()),
        "advertised.listeners": _joined(
            f"{name}://{address}:{port}" for name, port in listeners.items() if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": _joined(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        ),
        "inter.broker.listener.name": "BROKER" if users else "CLIENT",
        "log.dirs": str(log_dir),
    }
    if users:
        properties |= _login(users)
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def scram_arguments(users: Mapping[str, str]) -> list[str]:
    """What ``StorageTool format`` is told about the users."""
    arguments: list[str] = []
    for mechanism in _SCRAM_MECHANISMS:
        for name, password in users.items():
            arguments += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
    return arguments


def cluster_id(uuid: UUID) -> str:
    """A UUID as Kafka writes it: URL-safe base64 without padding.

    Like Kafka's own it never begins with a dash, which its command line would take for an option.
    """
    text = base64.urlsafe_b64encode(uuid.bytes).decode().rstrip("=")
    return "A" + text[1:] if text.startswith("-") else text


def _login(users: Mapping[str, str]) -> dict[str, str]:
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    plain_users = "".join(f' user_{name}="{password}"' for name, password in users.items())
    plain = f"org.apache.kafka.common.security.plain.PlainLoginModule required{plain_users};"
    return {
        "sasl.enabled.mechanisms": _joined((*_SCRAM_MECHANISMS, "PLAIN")),
        "listener.name.client.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.client.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.client.plain.sasl.jaas.config": plain,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The broker's and the controller's own connections are anonymous, and on loopback.
        "super.users": "User:admin;User:ANONYMOUS",
    }


def _joined(parts: object) -> str:
    return ",".join(parts)  # type: ignore[arg-type]
