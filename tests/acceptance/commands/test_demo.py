"""The demo as a newcomer runs it, but on the Kafka of the test run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.helpers.programs import TODO_WORKERS, run_python
from tests.helpers.waiting import wait_for


def environment(address: str, folder: Path) -> dict[str, str]:
    return os.environ | {"KAFKA_BOOTSTRAP_SERVERS": address, "TMPDIR": str(folder)}


def demo(*options: str) -> list[str]:
    return [sys.executable, "-m", "workers", "demo", *options]


@contextmanager
def ended(running: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kills a demo that still runs when its test has failed; its workers end with it."""
    try:
        yield
    finally:
        running.kill()
        running.wait()


@pytest.mark.long
def test_everything_is_as_expected_and_nothing_is_left(bootstrap_servers: str, tmp_path: Path) -> None:
    result = run_python(
        *TODO_WORKERS, "demo", "--json", env=environment(bootstrap_servers, tmp_path), timeout_s=200
    )
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["ok"], summary
    assert result.returncode == 0
    by_name = {expectation["name"]: expectation for expectation in summary["expectations"]}
    assert by_name["audit rows, published twice"]["seen"] == "1"
    assert by_name["mail, published twice"]["seen"] == "New todo: Renew passport"
    assert by_name["dead letter, refused address"]["seen"] == "failed, 550 in its error"
    assert by_name["dead letter, undecodable"]["seen"] == "undecodable, bytes untouched"
    assert by_name["HTML part, HTML title"]["seen"] == "escaped"
    assert by_name["attempts, third attempt"]["seen"] == "2 failed, then sent"
    assert by_name["mail, other service"]["seen"] == "Neues Todo: Pay the invoice"
    assert by_name["mail, opted out"]["seen"] == "none"
    assert by_name["mail, replayed"]["seen"] == "New todo: Water the plants"
    assert by_name["due time, reminder"]["seen"] == "not early"
    assert all(expectation["ok"] for expectation in by_name.values())
    assert len(by_name) == len(summary["expectations"]) >= 12
    assert set(summary["timings"]) == {"publish_ms", "effect_ms", "late_ms"}
    assert "Ana adds a todo" in result.stderr
    assert "11 audit rows, whole" in result.stderr
    assert not list(tmp_path.glob("todo-workers-demo-*"))


@pytest.mark.long
def test_it_stays_when_told_to_keep_and_ends_everything_on_sigterm(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    log = tmp_path / "out"
    with log.open("wb") as out:
        running = subprocess.Popen(demo("--keep"), env=environment(bootstrap_servers, tmp_path), stdout=out)
    with ended(running):
        wait_for(lambda: "Ctrl-C ends it" in log.read_text(), timeout_s=150)
        assert f"KAFKA_BOOTSTRAP_SERVERS={bootstrap_servers}" in log.read_text()
        children = psutil.Process(running.pid).children(recursive=True)
        assert len(children) >= 4
        running.send_signal(signal.SIGTERM)
        assert running.wait(40) == 130
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive


@pytest.mark.long
def test_workers_do_not_survive_a_demo_that_is_killed(bootstrap_servers: str, tmp_path: Path) -> None:
    log = tmp_path / "out"
    with log.open("wb") as out:
        running = subprocess.Popen(demo(), env=environment(bootstrap_servers, tmp_path), stdout=out)
    with ended(running):
        wait_for(lambda: "Ana adds a todo" in log.read_text(), timeout_s=150)
        children = psutil.Process(running.pid).children(recursive=True)
        running.kill()
        running.wait()
        _, alive = psutil.wait_procs(children, timeout=40)
        assert not alive


@pytest.mark.long
def test_without_kafka_it_says_which_address_was_tried(tmp_path: Path) -> None:
    result = run_python(*TODO_WORKERS, "demo", env=environment("127.0.0.1:1", tmp_path), timeout_s=120)
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("todo-workers:")]
    assert "Kafka at 127.0.0.1:1 cannot be reached" in line
    assert "KAFKA_BOOTSTRAP_SERVERS" in line
