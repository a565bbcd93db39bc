"""Starts what the demo runs on, and the demo itself as a process of its own.

The demo is a process of its own because `tasks` reads the settings when it is imported, as in production,
and they are only known once Kafka runs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from settings import load_settings
from workers.local_kafka.server import LocalKafka

from .environment import child_environment, kafka_variables

#: How long the demo may take to end what it started.
_STOP_TIMEOUT_S = 30.0


def launch(*, as_json: bool, keep: bool, web: bool) -> int:
    """Run the demo and return its exit status: 0 if all was as expected, also after a signal with ``web``.

    Its folder is removed then; otherwise it is kept, with the logs.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="todo-workers-demo-"))
    status = 1
    try:
        with _kafka() as variables:
            status = _run(folder, variables, ["--json"] * as_json + ["--keep"] * keep + ["--web"] * web)
    except KeyboardInterrupt:
        status = 0 if web else 130
    finally:
        if status == 0 or not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"The logs are in {folder}", file=sys.stderr)  # noqa: T201
    return status


@contextmanager
def _kafka() -> Iterator[Mapping[str, str]]:
    """Yield the settings of the configured cluster, else of a local Kafka that runs until the end."""
    configured = load_settings().kafka
    if "bootstrap_servers" in configured.model_fields_set:
        yield kafka_variables(configured)
        return
    print("Starting Apache Kafka", file=sys.stderr, flush=True)  # noqa: T201
    with LocalKafka() as kafka:
        yield {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}


def _run(folder: Path, kafka: Mapping[str, str], options: list[str]) -> int:
    page = load_settings().web.page
    environment = child_environment(
        os.environ,
        kafka=kafka,
        namespace=f"demo-{uuid.uuid4().hex[:8]}",
        database=folder / "audit.db",
        page=page,
    )
    command = [sys.executable, "-m", "tasks.demo", str(folder), *options]
    # In the demo's folder: a `.env` in the user's current folder is for the user's own workers.
    child = subprocess.Popen(command, env=environment, cwd=folder)
    try:
        return child.wait()
    except KeyboardInterrupt:
        # A Ctrl-C has reached the child as well, a SIGTERM only this process.
        child.send_signal(signal.SIGTERM)
        child.wait(_STOP_TIMEOUT_S)
        raise
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
