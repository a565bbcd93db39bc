"""Names of settings: which are misspelt, which belong to other programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings import describe
from tests.helpers.settings import load, problems


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_BOOSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_SASL_USER", "KAFKA_SASL_USERNAME"),
        ("KAFKA_SASL_MECHANISMS", "KAFKA_SASL_MECHANISM"),
        ("KAFKA_CONNECT_TIMEOUT_MS", "KAFKA_CONNECT_TIMEOUT_S"),
        ("KAFKA_NAMESAPCE", "KAFKA_NAMESPACE"),
        ("kafka_namespace", "KAFKA_NAMESPACE"),
        ("SMTP_USER", "SMTP_USERNAME"),
        ("SMTP_PASS", "SMTP_PASSWORD"),
        ("SMTP_TSL", "SMTP_TLS"),
        ("SMTP_TIMEOUT", "SMTP_TIMEOUT_S"),
        ("WORKER_PROCESS", "WORKER_PROCESSES"),
        ("WORKER_COMMIT_INTERVAL", "WORKER_COMMIT_INTERVAL_MS"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
    ],
)
def test_a_misspelt_variable_is_reported_with_the_nearest_name(name: str, meant: str, tmp_path: Path) -> None:
    said = f"{name} is not a setting; did you mean {meant}?"
    assert problems({name: "x"}) == [said]
    env_file = tmp_path / ".env"
    env_file.write_text(f"{name}=x\n")
    assert problems({}, env_file) == problems({name: "x"}, env_file) == [f"{said} (in .env)"]


@pytest.mark.parametrize("name", [row.variable for row in describe()])
def test_one_letter_left_out_or_two_swapped_is_a_misspelling(name: str) -> None:
    start = 0 if name == "DATABASE_URL" else name.index("_") + 1
    without_one = {name[:i] + name[i + 1 :] for i in range(start, len(name))}
    swapped = {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(start, len(name) - 1)}
    for typo in (without_one | swapped) - {name}:
        assert problems({typo: "x"}) == [f"{typo} is not a setting; did you mean {name}?"]


@pytest.mark.parametrize(
    "name",
    [
        # Kafka's own scripts and images
        *(
            "KAFKA_HOME",
            "KAFKA_OPTS",
            "KAFKA_HEAP_OPTS",
            "KAFKA_LOG4J_OPTS",
            "KAFKA_JMX_OPTS",
            "KAFKA_JMX_PORT",
        ),
        *("KAFKA_CLUSTER_ID", "KAFKA_NODE_ID", "KAFKA_BROKER_ID", "KAFKA_LISTENERS", "KAFKA_LOG_DIRS"),
        *("KAFKA_ADVERTISED_LISTENERS", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "KAFKA_NUM_PARTITIONS"),
        *(
            "KAFKA_DEFAULT_REPLICATION_FACTOR",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
            "KAFKA_PROCESS_ROLES",
        ),
        *(
            "KAFKA_SASL_ENABLED_MECHANISMS",
            "KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL",
            "KAFKA_ZOOKEEPER_CONNECT",
        ),
        # Kubernetes' links to services named kafka, kafka-connect, smtp and worker
        *(
            "KAFKA_PORT",
            "KAFKA_SERVICE_HOST",
            "KAFKA_SERVICE_PORT",
            "KAFKA_PORT_9092_TCP",
            "KAFKA_PORT_9092_TCP_ADDR",
        ),
        *("KAFKA_CONNECT_PORT", "KAFKA_CONNECT_SERVICE_HOST", "KAFKA_CONNECT_SERVICE_PORT"),
        *("SMTP_SERVICE_HOST", "SMTP_SERVICE_PORT", "SMTP_PORT_25_TCP", "SMTP_PORT_25_TCP_PROTO"),
        *("WORKER_PORT", "WORKER_SERVICE_HOST", "WORKER_PORT_80_TCP_PORT"),
        # Other programs
        *(
            "DATABASE_HOST",
            "DATABASE_USER",
            "DATABASE_URL_RO",
            "TEST_DATABASE_URL",
            "DB_URL",
            "HTTP_HOST",
            "HTTP_PORT",
        ),
        *("WORKER_ID", "WORKER_CLASS", "WORKER_TIMEOUT", "SMTP_FROM", "KAFKA", "SMTP", "PATH", ""),
    ],
)
def test_other_programs_variables_are_left_alone(name: str) -> None:
    assert load({name: "x"}) == load({})


def test_in_our_file_every_name_under_our_prefixes_is_ours(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "KAFKA_BROKERS=a:1\nSMTP_SERVER=mail\nWORKER_TIMEOUT=3\nPOSTGRES_PASSWORD=x\nDB_URL=x\n"
    )
    found = problems({}, env_file)
    assert [line.split()[0] for line in found] == ["KAFKA_BROKERS", "SMTP_SERVER", "WORKER_TIMEOUT"]
    assert all("did you mean" in line and line.endswith("? (in .env)") for line in found)
