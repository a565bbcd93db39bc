"""What the tiers share: one real Kafka for the whole run, and a namespace for each test."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator

import hypothesis
import psutil
import pytest

from workers import Cluster
from workers.local_kafka import LocalKafka

# On a busy machine any example can be slow once.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

SCRAM_USERS = {"admin": "admin-secret", "alice": "alice-secret"}

#: Makes the cluster of one of SCRAM_USERS, or with another password.
Login = Callable[..., Cluster]


@pytest.fixture(scope="session")
def bootstrap_servers() -> Iterator[str]:
    """Address of the cluster in KAFKA_BOOTSTRAP_SERVERS, else of a local Kafka that this run starts."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    with LocalKafka() as kafka:
        yield kafka.bootstrap_servers


@pytest.fixture(scope="session")
def cluster(bootstrap_servers: str) -> Cluster:
    return Cluster(tuple(bootstrap_servers.split(",")))


@pytest.fixture
def namespace() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that refuses connections: its port is taken, and nobody listens."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture(scope="session")
def scram_kafka() -> Iterator[LocalKafka]:
    """A Kafka with users and an authorizer; ``admin`` may do everything, ``alice`` what ACLs allow."""
    with LocalKafka(scram_users=SCRAM_USERS) as kafka:
        yield kafka


@pytest.fixture
def login(scram_kafka: LocalKafka) -> Login:
    def cluster_of(user: str, password: str | None = None, mechanism: str = "SCRAM-SHA-512") -> Cluster:
        return Cluster(
            (scram_kafka.bootstrap_servers,),
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=mechanism,
            username=user,
            password=password or SCRAM_USERS[user],
        )

    return cluster_of


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Whatever the run started, it has ended."""
    yield
    children = psutil.Process().children(recursive=True)
    left = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
    assert not left, f"the tests left processes running: {left}"
