"""Every way to log in, on real listeners, and what a wrong certificate or login says within a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.secure_kafka import (
    CLIENT,
    KEY_PASSWORD,
    PASSWORD,
    SECRET,
    USER,
    Certificates,
    SecureKafka,
)
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.errors import AuthenticationFailed, WorkersError
from workers.kafka import cluster_rights, connect_admin
from workers.kafka.cluster import OAuth
from workers.operations.doctor import examine

pytestmark = pytest.mark.long

#: The function that gives tokens, as a setting names it, is in this module.
_tokens: list[str] = []


def token_of_application() -> str:
    return _tokens[0]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    kafka = SecureKafka(tmp_path_factory.mktemp("secure"))
    with kafka.running():
        yield kafka


@pytest.fixture(scope="module")
def files(kafka: SecureKafka) -> Certificates:
    return kafka.certificates


def oauth_of(kafka: SecureKafka, secret: str = SECRET) -> OAuth:
    return OAuth(kafka.tokens.url, CLIENT, secret)


def ways(kafka: SecureKafka) -> dict[str, Cluster]:
    files = kafka.certificates
    by_password = {"username": USER, "password": PASSWORD}
    return {
        "tls": kafka.cluster("TLS"),
        "mutual": kafka.cluster("MUTUAL", cert_file=files.client),
        "mutual, key apart": kafka.cluster("MUTUAL", cert_file=files.client_chain, key_file=files.client_key),
        "mutual, key locked": kafka.cluster(
            "MUTUAL", cert_file=files.client_chain, key_file=files.locked_key, key_password=KEY_PASSWORD
        ),
        "scram 512": kafka.cluster("LOGIN", sasl_mechanism="SCRAM-SHA-512", **by_password),
        "scram 256": kafka.cluster("LOGIN", sasl_mechanism="SCRAM-SHA-256", **by_password),
        "plain": kafka.cluster("LOGIN", sasl_mechanism="PLAIN", **by_password),
        "oauth": kafka.cluster("LOGIN", sasl_mechanism="OAUTHBEARER", oauth=oauth_of(kafka)),
    }


@pytest.mark.parametrize(
    "way",
    ["tls", "mutual", "mutual, key apart", "mutual, key locked", "scram 512", "scram 256", "plain", "oauth"],
)
def test_each_way_to_log_in_carries_jobs(kafka: SecureKafka, namespace: str, way: str) -> None:
    broker = KafkaBroker(ways(kafka)[way], namespace=namespace, partitions=1, run_mover=False)
    ran: list[int] = []

    @dramatiq.actor(broker=broker, actor_name="work")
    def work(number: int) -> None:
        ran.append(number)

    worker = Worker(broker, worker_timeout=50, worker_threads=1)
    work.send(1)
    worker.start()
    try:
        wait_for(lambda: ran == [1])
    finally:
        worker.stop()
        broker.close()


def test_a_token_is_asked_for_once_for_all_clients(kafka: SecureKafka) -> None:
    oauth = replace(oauth_of(kafka), scope="jobs")
    cluster = kafka.cluster("LOGIN", sasl_mechanism="OAUTHBEARER", oauth=oauth)
    before = kafka.tokens.asked
    for _ in range(3):
        connect_admin(cluster).close()
    assert kafka.tokens.asked == before + 1


def test_a_function_of_the_application_gives_tokens(
    kafka: SecureKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("token_source")
    module.token = token_of_application  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "token_source", module)
    cluster = kafka.cluster("LOGIN", sasl_mechanism="OAUTHBEARER", oauth=OAuth(provider="token_source:token"))
    _tokens[:] = [kafka.tokens.token()]
    cluster_rights(cluster)
    _tokens[:] = [kafka.tokens.token(audience="another")]
    assert "KAFKA_OAUTH_TOKEN_PROVIDER" in refused(cluster)
    _tokens.clear()
    assert "token_source:token gave no token: IndexError" in refused(cluster)
    missing = replace(cluster, oauth=OAuth(provider="token_source:nothing"))
    with pytest.raises(
        WorkersError, match=r"KAFKA_OAUTH_TOKEN_PROVIDER=token_source:nothing cannot be loaded"
    ):
        connect_admin(missing)


def refused(cluster: Cluster) -> str:
    """The text of the error; it comes long before the time-out of connecting, and is one line."""
    started = time.monotonic()
    with pytest.raises(AuthenticationFailed) as caught:
        connect_admin(cluster).close()
    assert time.monotonic() - started < cluster.connect_timeout_s / 3
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_wrong_server_certificate_is_named_with_the_setting(
    kafka: SecureKafka, files: Certificates
) -> None:
    def why(listener: str, **options: Any) -> tuple[str, str]:
        cluster = kafka.cluster(listener, **options)
        return refused(cluster), cluster.address

    text, address = why("TLS", ca_file=files.other_ca)
    assert (
        f"the certificate of {address} is signed by no authority of KAFKA_SSL_CA_FILE={files.other_ca}"
        in text
    )
    text, address = why("TLS", ca_file=None)
    assert "no authority of the system (KAFKA_SSL_CA_FILE is not set)" in text
    text, address = why("EXPIRED")
    assert f"the certificate of {address} has expired" in text
    text, address = why("OTHERNAME")
    assert f"the certificate of {address} is for another name" in text
    assert "KAFKA_BOOTSTRAP_SERVERS" in text


def test_a_wrong_client_certificate_is_named_with_the_setting(
    kafka: SecureKafka, files: Certificates
) -> None:
    def why(**options: Any) -> str:
        return refused(kafka.cluster("MUTUAL", **options))

    assert "wants a certificate of the client: set KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE" in why()
    for file in (files.strange_client, files.expired_client):
        assert f"refuses the certificate in KAFKA_SSL_CERT_FILE={file}" in why(cert_file=file)
    locked = why(cert_file=files.client_chain, key_file=files.locked_key, key_password="wrong")
    assert f"the key in {files.locked_key} cannot be read: check KAFKA_SSL_KEY_PASSWORD" in locked
    assert "KAFKA_SSL_KEY_PASSWORD" in why(cert_file=files.client_chain, key_file=files.locked_key)
    assert "KAFKA_SSL_KEY_FILE" in why(cert_file=files.client_chain)
    assert f"KAFKA_SSL_CA_FILE={files.client_key} cannot be used" in why(ca_file=files.client_key)
    mixed = why(cert_file=files.strange_client, key_file=files.client_key)
    assert f"the key in {files.client_key} is not that of the certificate" in mixed


def test_a_wrong_login_is_named_with_its_settings(kafka: SecureKafka) -> None:
    oauth = kafka.cluster("LOGIN", sasl_mechanism="OAUTHBEARER", oauth=oauth_of(kafka, "wrong"))
    text = refused(oauth)
    assert f"{kafka.tokens.url} gave no token: 401" in text
    assert "KAFKA_OAUTH_CLIENT_ID" in text
    assert "wrong" not in text
    scram = kafka.cluster("LOGIN", sasl_mechanism="SCRAM-SHA-512", username=USER, password="wrong")
    assert "KAFKA_SASL_PASSWORD" in refused(scram)
    iam = kafka.cluster("LOGIN", sasl_mechanism="AWS_MSK_IAM")
    with pytest.raises(WorkersError, match=r"pip install 'todo-workers\[aws\]'"):
        connect_admin(iam)


def test_a_refused_certificate_makes_no_storm_of_tries(
    kafka: SecureKafka, namespace: str, files: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    broker = KafkaBroker(kafka.cluster("TLS", ca_file=files.other_ca), namespace=namespace)
    broker.declare_queue("default")
    from workers.kafka.patches.sockets import ConnectionManager  # noqa: PLC0415

    build = ConnectionManager._build_transport

    async def counted(self: Any, *args: Any, **options: Any) -> Any:
        tries.append(time.monotonic())
        return await build(self, *args, **options)

    monkeypatch.setattr(ConnectionManager, "_build_transport", counted)
    started = time.monotonic()
    while time.monotonic() - started < 3:
        with pytest.raises(WorkersError):
            broker.prepare()
        time.sleep(0.01)
    assert 1 <= len(tries) <= 5
    broker.close()


def test_doctor_tells_how_long_certificates_are_valid(
    kafka: SecureKafka, namespace: str, files: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(cluster: Cluster) -> tuple[bool | None, str]:
        module = ModuleType("doctored")
        module.broker = KafkaBroker(cluster, namespace=namespace)  # type: ignore[attr-defined]
        module.broker.declare_queue("default")
        monkeypatch.setitem(sys.modules, "doctored", module)
        [found] = [one for one in examine("doctored:broker") if one.check == "certificates"]
        return found.ok, found.text

    cluster = kafka.cluster("MUTUAL", cert_file=files.client)
    ok, text = told(cluster)
    assert ok
    assert f"KAFKA_SSL_CERT_FILE={files.client} 49 days left" in text
    assert f"{cluster.address} 99 days left" in text
    assert f"KAFKA_SSL_CA_FILE={files.ca}" in text
    ok, text = told(kafka.cluster("MUTUAL", cert_file=files.expired_client))
    assert ok is False
    assert f"KAFKA_SSL_CERT_FILE={files.expired_client} -2 days left" in text
    assert "have those renewed" in text
