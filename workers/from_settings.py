"""Makes a cluster and a broker from the settings."""

from __future__ import annotations

from settings import Settings

from .broker.kafka_broker import KafkaBroker
from .kafka import Cluster
from .middleware.retries import Retries


def cluster_from(settings: Settings) -> Cluster:
    """The cluster that the settings name, and the user to log in as."""
    kafka = settings.kafka
    return Cluster(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        username=kafka.sasl_username,
        password=kafka.sasl_password.get_secret_value() if kafka.sasl_password else None,
        ca_file=str(kafka.ssl_ca_file) if kafka.ssl_ca_file else None,
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
        session_timeout_ms=int(settings.kafka.session_timeout_s * 1000),
        commit_interval_ms=settings.worker.commit_interval_ms,
        keep_done_ms=int(settings.worker.keep_done_hours * 3_600_000),
        max_delay_ms=int(settings.worker.max_delay.total_seconds() * 1000),
        health_dir=settings.worker.health_dir,
        retries=retries,
    )
