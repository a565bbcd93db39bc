"""The lines that docs/clients.md shows for each client publish an event, as they stand there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interop.conftest import Log
from interop.console import console_producer
from interop.every_client import missing
from interop.programs import NODE
from interop.test_other_clients import expect, ids, structured

LINES = Path(__file__).with_name("lines")
CLIENTS = {
    "confluent.py": "confluent-kafka",
    "aiokafka_client.py": "aiokafka",
    "kafkajs.mjs": "kafkajs",
    "platformatic.mjs": "platformatic",
    "kcat.sh": "kcat",
    "console.sh": "console",
}


def test_each_file_is_run() -> None:
    assert {path.name for path in LINES.iterdir()} == set(CLIENTS)


@pytest.mark.parametrize("name", sorted(CLIENTS))
def test_the_lines_publish_an_event(name: str, log: Log, tmp_path: Path) -> None:
    lacking = missing(CLIENTS[name])
    if lacking:
        pytest.skip(lacking)
    [event_id] = ids(1)
    (tmp_path / "event.json").write_bytes(structured(event_id, None).value or b"")
    program = LINES / name
    if program.suffix == ".mjs":  # Node.js looks for packages beside the program
        (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
        program = tmp_path / name
        program.write_text((LINES / name).read_text())
    by_suffix = {".py": sys.executable, ".mjs": "node", ".sh": "sh"}
    environ = os.environ | {"SERVERS": log.servers, "TOPIC": log.topic}
    if name == "console.sh":
        environ["PATH"] = f"{console_producer(tmp_path)}{os.pathsep}{environ['PATH']}"
    done = subprocess.run(
        [by_suffix[program.suffix], str(program)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expect(log, [event_id])
