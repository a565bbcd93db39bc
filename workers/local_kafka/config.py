"""Writes the configuration of a local Kafka, and reads its log for errors of its start. Pure: no I/O."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from ..errors import LocalKafkaError

#: Names in the data directory, which is the broker's current directory: Kafka takes a comma in a path for the
#: end of it, and reads its settings in Latin-1.
PROPERTIES_FILE, LOG_DIR = "server.properties", "log"

#: Lines of Kafka's log that say how its start went.
STARTED = "Kafka Server started"
NO_SPACE = "No space left on device"
_PORT_TAKEN = re.compile(r"failed to bind to [^ ]*:(\d+): Address already in use")

#: An error in the log: a line of that level, or the exception that follows it.
_ERROR = re.compile(r"\] (ERROR|FATAL) |^(Caused by: )?[\w.$]*(Exception|Error)\b")
_ERROR_LINES, _ERROR_WIDTH = 3, 300

_SCRAM_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")

#: Small and quick: few internal partitions, no wait for more group members.
_QUICK = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": LOG_DIR,
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.num.partitions": "2",
    "log.cleaner.dedupe.buffer.size": "2097152",
    # Not a record every half a second that says nothing: a third of what an idle broker costs.
    "metadata.max.idle.interval.ms": "0",
}
#: Kafka's own topics, each in so many copies, of which so many must have a record.
_COPIES = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
_MIN_COPIES = ("transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr")
_HOST = "127.0.0.1"


class Ports(NamedTuple):
    """Ports for clients, for the controller and, if clients log in, for the broker's own connections."""

    client: int
    controller: int
    broker: int


def server_properties(ports: Ports, users: Mapping[str, str]) -> str:
    """The text of ``server.properties``; with ``users``, clients log in and ``admin`` may do everything."""
    listeners = {"CLIENT": ports.client, "CONTROLLER": ports.controller}
    protocols = dict.fromkeys(("CLIENT", "CONTROLLER", "BROKER"), "PLAINTEXT")
    if users:
        listeners["BROKER"] = ports.broker
        protocols["CLIENT"] = "SASL_PLAINTEXT"
    properties = _QUICK | _copies(1, 1)
    properties |= {
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"{_HOST}:{ports.controller}",
        "listeners": _joined(f"{name}://{_HOST}:{port}" for name, port in listeners.items()),
        "advertised.listeners": _joined(
            f"{name}://{_HOST}:{port}" for name, port in listeners.items() if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": _joined(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        ),
        "inter.broker.listener.name": "BROKER" if users else "CLIENT",
    }
    if users:
        properties |= _login(users)
    return _text(properties)


def member_properties(node: int, members: Mapping[int, Ports]) -> str:
    """The text of ``server.properties`` of one of several brokers, each of which is a controller as well.

    A topic gets as many copies as whoever creates it says, one by default, as with Kafka's own defaults.
    """
    ports = members[node]
    return _text(
        _QUICK
        | _copies(3, 2)
        | {
            "node.id": str(node),
            "controller.quorum.voters": _joined(
                f"{each}@{_HOST}:{of.controller}" for each, of in members.items()
            ),
            "listeners": f"CLIENT://{_HOST}:{ports.client},CONTROLLER://{_HOST}:{ports.controller}",
            "advertised.listeners": f"CLIENT://{_HOST}:{ports.client}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
        }
    )


def scram_arguments(users: Mapping[str, str]) -> list[str]:
    """The arguments of ``StorageTool format`` for the users.

    Raises LocalKafkaError for a name or password that would need quoting there or in `server.properties`.
    """
    for name, password in users.items():
        if not all(re.fullmatch(r"[\w.@+-]+", text, re.ASCII) for text in (name, password)):
            raise LocalKafkaError(
                f"The user {name!r} cannot be made: a name and a password may have letters, digits and _.@+-"
            )
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


def taken_port(log: str) -> int | None:
    """The port that Kafka could not use because another process has it; None if the log names none."""
    found = _PORT_TAKEN.search(log)
    return int(found[1]) if found else None


def last_errors(log: str) -> str:
    """Why Kafka ended, as one line: its last errors if it wrote some, else its last lines."""
    lines = [line.strip()[:_ERROR_WIDTH] for line in log.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("at ", "... "))]
    errors = [line for line in said if _ERROR.search(line)]
    return " | ".join((errors or said)[-_ERROR_LINES:]) or "nothing"


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


def _copies(replicas: int, in_sync: int) -> dict[str, str]:
    return {f"{topic}.replication.factor": str(replicas) for topic in _COPIES} | dict.fromkeys(
        _MIN_COPIES, str(in_sync)
    )


def _text(properties: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _joined(parts: Iterable[str]) -> str:
    return ",".join(parts)
