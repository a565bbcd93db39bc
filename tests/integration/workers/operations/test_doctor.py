"""`todo-workers doctor` on logins, topics and rights of a real Kafka, and on the application."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from kafka.admin import ACLOperation, ResourceType

from tests.conftest import Login
from tests.helpers.acls import grant, grant_all
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker, WorkersError
from workers.kafka import cluster_rights, connect_admin
from workers.operations.doctor import Finding, examine
from workers.rights import ROLES, Role, needed_rights

APP = "doctored"

Application = Callable[..., ModuleType]


@pytest.fixture
def application(namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    brokers: list[KafkaBroker] = []

    def make(cluster: Cluster, **attributes: object) -> ModuleType:
        module = ModuleType(APP)
        module.broker = KafkaBroker(cluster, namespace=namespace, partitions=1)  # type: ignore[attr-defined]
        module.broker.declare_queue("letters")
        brokers.append(module.broker)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, APP, module)
        return module

    yield make
    for broker in brokers:
        broker.close()


def findings(role: Role | None = None) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(f"{APP}:broker", role)}


def well(found: dict[str, Finding]) -> dict[str, bool | None]:
    return {check: finding.ok for check, finding in found.items()}


def test_missing_topics_are_wrong_until_they_are_made(cluster: Cluster, application: Application) -> None:
    module = application(cluster)
    found = findings()
    assert not found["topics"].ok
    assert f"{module.broker.topics.jobs('letters')}," in found["topics"].text
    assert "more missing (run todo-workers topics, or start a worker)" in found["topics"].text
    module.broker.prepare()
    found = findings()
    assert well(found) == dict.fromkeys(
        ("application", "reachable", "login", "topics", "rights", "abilities", "actions"), True
    )


def test_a_codec_that_is_missing_is_named(
    cluster: Cluster, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application(cluster)
    monkeypatch.setattr("kafka.codec.lz4", None)
    found = findings()["codecs"]
    assert not found.ok
    assert found.text.startswith("lz4 cannot be read: ")
    assert "pip install 'kafka-python[crc32c,lz4,snappy,zstd]~=3.0.12'" in found.text


def test_what_differs_on_the_cluster_is_said(cluster: Cluster, application: Application) -> None:
    broker = application(cluster).broker
    with connect_admin(cluster) as admin:
        admin.create_topics({broker.topics.jobs("letters"): {"num_partitions": 1, "replication_factor": 1}})
    broker.prepare()
    assert "jobs.letters: retention.ms=604800000, wanted -1" in findings()["topics"].text.replace(
        "retention.bytes=-1, ", ""
    ).replace("cleanup.policy=delete, ", "")


def test_a_log_of_actions_that_would_be_forgotten_is_wrong(
    cluster: Cluster, application: Application
) -> None:
    broker = application(cluster).broker
    assert "is made by the first action" in findings()["actions"].text
    made = {"num_partitions": 1, "replication_factor": 1, "configs": {"retention.ms": "604800000"}}
    with connect_admin(cluster) as admin:
        admin.create_topics({broker.topics.actions: made})
    found = findings()["actions"]
    assert not found.ok
    assert f"{broker.topics.actions}: retention.ms=604800000, wanted -1" in found.text


def test_a_history_that_an_earlier_version_has_made_is_well_and_a_hint(
    cluster: Cluster, application: Application
) -> None:
    broker = application(cluster).broker
    made = {"num_partitions": 1, "replication_factor": 1}
    configs = {"cleanup.policy": "compact,delete", "retention.ms": str(31 * 86_400_000)}
    with connect_admin(cluster) as admin:
        admin.create_topics({broker.topics.stats: made | {"configs": configs}})
    broker.prepare()
    found = findings()["topics"]
    assert found.ok, found.text
    assert f"--entity-name {broker.topics.stats} --add-config segment.ms=3600000,segment.bytes" in found.text


def test_servers_that_do_not_answer_are_named_and_the_rest_is_looked_at(
    application: Application, nowhere: str
) -> None:
    def check_disk() -> str:
        return "there is room"

    def check_moon() -> str:
        raise WorkersError("it is full: wait")

    application(
        Cluster((nowhere, "kafka.invalid:9092"), connect_timeout_s=1),
        doctor_checks={"disk": check_disk, "moon": check_moon},
    )
    lines = list(examine(f"{APP}:broker"))
    assert [line.ok for line in lines] == [True, False, False, None, True, False]
    refused, unknown = (line.text for line in lines if line.check == "reachable")
    assert f"{nowhere} cannot be reached: Connection refused; check that Kafka runs there" in refused
    assert "kafka.invalid:9092 cannot be reached" in unknown
    assert [line.text for line in lines[-2:]] == ["there is room", "it is full: wait"]


def test_a_wrong_password_is_a_line(application: Application, login: Login) -> None:
    application(login("alice", "wrong"))
    found = findings()
    assert found["reachable"].ok
    assert not found["login"].ok
    assert "refused the login of user 'alice'" in found["login"].text
    assert found["topics"].ok is None


def test_a_user_without_rights_is_told_which_are_missing_one_after_the_other(
    application: Application, login: Login, namespace: str
) -> None:
    admin = login("admin")
    topics = f"{namespace}."
    application(login("alice"))
    found = findings()
    assert "user 'alice' lacks Read on" in found["rights"].text
    assert "Delete on" in found["rights"].text
    assert f"Read on the groups {namespace}.workers.letters, {namespace}.movers" in found["rights"].text

    def rights() -> str:
        return findings()["rights"].text

    grant(admin, ResourceType.TOPIC, topics, ACLOperation.READ, ACLOperation.WRITE, prefixed=True)
    wait_for(lambda: "user 'alice' lacks Create on the cluster" in findings()["topics"].text)
    application(admin).broker.prepare()
    application(login("alice"))
    grant(admin, ResourceType.GROUP, topics, ACLOperation.READ, prefixed=True)
    text = wait_for(lambda: text if "groups" not in (text := rights()) else None)
    assert "lacks Delete on" in text
    assert "without Delete what is done stays on disk" in text
    assert f"{topics}dead-letters" not in text
    assert not findings()["abilities"].ok
    assert "jobs that are done stay, and their topics grow; grant Delete" in findings()["abilities"].text
    grant(admin, ResourceType.TOPIC, topics, ACLOperation.DELETE, prefixed=True)
    found = wait_for(lambda: found if (found := findings())["rights"].ok else None)
    assert "cannot be seen without the right DescribeConfigs" in found["topics"].text
    assert all(well(found).values())


def test_a_user_of_one_role_needs_the_rights_of_that_role_alone(
    application: Application, login: Login, namespace: str
) -> None:
    def log_in(user: str) -> KafkaBroker:
        broker: KafkaBroker = application(login(user)).broker
        broker.add_source("letters", f"{namespace}.facts", lambda _: None)
        broker.sending.add_log(f"{namespace}.news", retention_ms=86_400_000)
        return broker

    admin = login("admin")
    for role in ROLES:
        broker = log_in(role)
        grant_all(admin, role, needed_rights(role, broker.topics, broker.topic_specs()))
    broker = log_in("creator")
    found = findings("creator")
    assert "more missing (run todo-workers topics" in found["topics"].text
    assert found["rights"].text.startswith("user 'creator' has all rights of the role creator on ")
    broker.prepare()
    for role in ROLES:
        log_in(role)
        found = findings(role)
        assert set(well(found).values()) == {True}, found
        told = findings()["rights"]
        assert not told.ok
        assert told.text.endswith("for a user of one role, --role asks for the rights of that role alone")
    log_in("publisher")
    lacking = findings("worker")["rights"]
    assert not lacking.ok
    assert f"user 'publisher' lacks Read on {namespace}.facts, " in lacking.text
    assert (
        f"Write on {namespace}.news, {namespace}.dead-letters, {namespace}.fleet and 1 more" in lacking.text
    )
    assert f"Read on the groups {namespace}.workers.letters, {namespace}.movers: grant it" in lacking.text
    # What this one may not even see:
    log_in("alice")
    lacking = findings("operator")["rights"]
    assert f"user 'alice' lacks Read on {namespace}.facts, " in lacking.text
    assert f"Describe on the groups {namespace}.workers.letters, {namespace}.movers: grant it" in lacking.text
    log_in("admin")
    found = findings("operator")
    assert (found["rights"].ok, " and 2 groups" in found["rights"].text) == (True, True)


def test_what_the_user_may_do_on_the_cluster_is_told(login: Login) -> None:
    assert "CREATE" in (cluster_rights(login("admin")) or ())
    assert cluster_rights(login("alice")) == frozenset()


def test_an_application_that_cannot_be_imported_is_a_line() -> None:
    (finding,) = examine("no.such.module")
    assert not finding.ok
    assert "There is no module 'no.such.module'" in finding.text
