"""`todo-workers kafka`: a local Kafka in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path

import typer

from ..errors import LocalKafkaError
from ..local_kafka.server import LocalKafka


def run_in_foreground(*, port: int | None, data_dir: Path | None) -> int:
    """Run until Ctrl-C or SIGTERM, then stop cleanly; returns the exit status. Raises LocalKafkaError."""
    broker = LocalKafka(port=port, data_dir=data_dir)
    # SIGINT too: a shell that starts a command in the background lets it ignore that.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    try:
        broker.start()
        kept = "kept" if data_dir else "removed at the end"
        typer.echo(
            f"Apache Kafka runs at {broker.bootstrap_servers}; Ctrl-C stops it.\n"
            f"  data  {broker.data_dir} ({kept})\n"
            f"  log   {broker.log_file}\n\n"
            f"export KAFKA_BOOTSTRAP_SERVERS={broker.bootstrap_servers}"
        )
        status = broker.wait()
    except KeyboardInterrupt:
        return 0
    else:
        raise LocalKafkaError(f"Kafka ended by itself with status {status}; it wrote {broker.log_tail()}")
    finally:
        broker.stop()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
