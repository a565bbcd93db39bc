"""`todo-workers kafka`: a local Kafka in the foreground, of one broker or of several."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import NoReturn

import typer

from ..errors import LocalKafkaError, WrongUsage
from ..local_kafka.cluster import LocalCluster
from ..local_kafka.config import last_errors
from ..local_kafka.server import LocalKafka
from .terminal import visible


def run_in_foreground(*, port: int | None, data_dir: Path | None, brokers: int) -> int:
    """Run until Ctrl-C or SIGTERM, then stop cleanly; returns the exit status. Raises LocalKafkaError."""
    if brokers == 2:
        raise WrongUsage("two brokers stop as soon as one dies; choose 1, or 3 and more")
    # SIGINT too: a shell that starts a command in the background lets it ignore that.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    try:
        if brokers == 1:
            _run_one(LocalKafka(port=port, data_dir=data_dir), kept=data_dir is not None)
        _run_several(LocalCluster(brokers=brokers, port=port, data_dir=data_dir), kept=data_dir is not None)
    except KeyboardInterrupt:
        return 0


def _run_one(broker: LocalKafka, *, kept: bool) -> NoReturn:
    with broker:
        typer.echo(
            f"Apache Kafka runs at {broker.bootstrap_servers}; Ctrl-C stops it.\n"
            f"  data  {broker.data_dir} ({_kept(kept)})\n"
            f"  log   {broker.log_file}\n\n"
            f"export KAFKA_BOOTSTRAP_SERVERS={broker.bootstrap_servers}"
        )
        status = broker.wait()
        raise LocalKafkaError(f"Kafka ended by itself with status {status}; it wrote {broker.log_tail()}")


def _run_several(cluster: LocalCluster, *, kept: bool) -> NoReturn:
    with cluster:
        typer.echo("Apache Kafka runs; Ctrl-C stops all brokers, and kill -9 ends one of them.")
        for number, node in cluster.nodes.items():
            typer.echo(
                f"  broker {number}  {cluster.addresses[number]}  process {node.pid}\n"
                f"    data  {node.data.path} ({_kept(kept)})\n"
                f"    log   {node.data.log_file}"
            )
        typer.echo(f"\nexport KAFKA_BOOTSTRAP_SERVERS={cluster.bootstrap_servers}")
        left = len(cluster.nodes)
        needed = left // 2 + 1
        for number in cluster.deaths():
            left -= 1
            more = "" if left >= needed else f"; Kafka stands still with fewer than {needed}"
            typer.echo(
                f"broker {number} ended by itself, {left} of {len(cluster.nodes)} run{more}; it wrote "
                f"{visible(last_errors(cluster.nodes[number].data.log_since(0)))}"
            )
        raise LocalKafkaError("all brokers have ended by themselves")


def _kept(kept: bool) -> str:
    return "kept" if kept else "removed at the end"


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
