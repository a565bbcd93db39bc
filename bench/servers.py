"""The servers of one run: Kafka and Redis, on this machine, ended with it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from workers import Cluster
from workers.client import connect_admin
from workers.local_kafka import LocalKafka

from .processes import Child, ChildFailed

logger = logging.getLogger(__name__)

_NO_REDIS = "no redis-server on the PATH; Debian and Ubuntu have it: apt-get install redis-server"


@contextmanager
def kafka(given: str | None, prefix: str) -> Iterator[str]:
    """The address of ``given``, else of a Kafka that is started here.

    Topics whose names start with ``prefix`` are deleted at the end. Raises LocalKafkaError.
    """
    if given is None:
        with LocalKafka() as local:
            yield local.bootstrap_servers
        return
    try:
        yield given
    finally:
        _delete_topics(given, prefix)


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis that keeps everything in memory; raises ChildFailed where it does not start."""
    command = shutil.which("redis-server")
    if command is None:
        raise ChildFailed(_NO_REDIS)
    with Child("redis", command=command) as child:
        yield f"redis://127.0.0.1:{child.event('ready', 15)['port']}/0"


def _delete_topics(address: str, prefix: str) -> None:
    with connect_admin(Cluster(tuple(address.split(",")))) as admin:
        topics = [topic for topic in admin.list_topics() if topic.startswith(prefix)]
        if topics:
            admin.delete_topics(topics)
            logger.info("topics deleted %s", ", ".join(topics))
