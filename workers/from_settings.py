"""Makes a cluster and a broker from the settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from settings import KafkaSettings, Settings

from .broker.kafka_broker import KafkaBroker
from .kafka import Cluster
from .kafka.cluster import OAuth
from .middleware.retries import Retries


def cluster_from(settings: Settings) -> Cluster:
    """The cluster that the settings name, and the user to log in as."""
    kafka = settings.kafka
    return Cluster(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        username=kafka.sasl_username,
        password=_revealed(kafka.sasl_password),
        ca_file=_path(kafka.ssl_ca_file),
        cert_file=_path(kafka.ssl_cert_file),
        key_file=_path(kafka.ssl_key_file),
        key_password=_revealed(kafka.ssl_key_password),
        oauth=_oauth_from(kafka),
        connect_timeout_s=kafka.connect_timeout_s,
        send_timeout_s=kafka.send_timeout_s,
    )


def broker_from(settings: Settings, *, retries: Retries | None = None) -> KafkaBroker:
    """A broker with these settings; does no I/O. ``retries``: see :class:`KafkaBroker`."""
    return KafkaBroker(
        cluster_from(settings),
        namespace=settings.kafka.namespace,
        partitions=settings.kafka.partitions,
        replication_factor=settings.kafka.replication_factor,
        jobs_retention_ms=_ms(settings.kafka.jobs_retention),
        session_timeout_ms=int(settings.kafka.session_timeout_s * 1000),
        commit_interval_ms=settings.worker.commit_interval_ms,
        keep_done_ms=int(settings.worker.keep_done_hours * 3_600_000),
        max_delay_ms=int(settings.worker.max_delay.total_seconds() * 1000),
        record_stats=settings.worker.stats == "on",
        health_dir=settings.worker.health_dir,
        retries=retries,
    )


def _oauth_from(kafka: KafkaSettings) -> OAuth | None:
    if kafka.sasl_mechanism != "OAUTHBEARER":
        return None
    return OAuth(
        kafka.oauth_token_url,
        kafka.oauth_client_id,
        _revealed(kafka.oauth_client_secret),
        kafka.oauth_scope,
        kafka.oauth_token_provider,
    )


def _ms(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds() * 1000)


def _path(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
