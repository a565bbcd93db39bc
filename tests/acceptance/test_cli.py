"""The command line and dramatiq's, as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=REPOSITORY,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_the_commands_and_the_version_is_the_distributions() -> None:
    listed = run("workers", "--help")
    assert listed.returncode == 0
    assert "kafka" in listed.stdout
    assert "demo" in listed.stdout
    assert run("workers", "--version").stdout.startswith("todo-workers 0.")


@pytest.mark.parametrize("wrong", [["nope"], ["kafka", "--port", "many"], ["kafka", "--prt", "1"]])
def test_wrong_usage_is_status_2(wrong: list[str]) -> None:
    result = run("workers", *wrong)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_an_error_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("workers", "kafka", "--port", "0", "--data", str(tmp_path / "file"))
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "cannot be written" in result.stderr


def test_workers_without_kafka_end_within_10_s_and_name_the_address() -> None:
    started = time.monotonic()
    result = run("dramatiq", "tasks", "--processes", "1", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert time.monotonic() - started < 10
    assert result.returncode == 3
    assert "Kafka at 127.0.0.1:1 cannot be reached" in result.stderr
    assert "check that it runs and that KAFKA_BOOTSTRAP_SERVERS is right" in result.stderr


def test_workers_with_a_misspelt_setting_say_which_one_was_meant() -> None:
    result = run("dramatiq", "tasks", "--processes", "1", KAFKA_BOOTSTRAP_SERVER="127.0.0.1:1")
    assert result.returncode != 0
    assert "did you mean KAFKA_BOOTSTRAP_SERVERS" in result.stderr


def test_publishing_without_kafka_raises_dramatiqs_connection_error_within_10_s() -> None:
    program = "import tests.samples as s, tasks; tasks.publish(s.an_event('todo.created'))"
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert time.monotonic() - started < 10
    assert result.returncode == 1
    assert "workers.errors.KafkaUnreachable: Kafka at 127.0.0.1:1 cannot be reached" in result.stderr
