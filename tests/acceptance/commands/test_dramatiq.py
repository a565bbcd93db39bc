"""dramatiq's own command with our broker: processes, queues, signals, reloads, and how it is supervised."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import dramatiq
import pytest

from tests.helpers.fleet import Fleet
from tests.helpers.kafka_reading import read_topic
from tests.helpers.programs import output_of, run_python
from tests.helpers.repository import REPOSITORY
from tests.helpers.waiting import wait_for
from workers import KafkaBroker
from workers.records import envelope

#: As it is installed; run as a module, dramatiq's reload looks for its packages in another Python.
DRAMATIQ = str(Path(sys.executable).with_name("dramatiq"))
FORK_SERVER = """
import multiprocessing, sys
from dramatiq.cli import main
multiprocessing.set_start_method("forkserver")
sys.exit(main())
"""


@pytest.fixture
def queues() -> tuple[str, ...]:
    return ("default", "elsewhere")


def note(*args: Any, actor: str = "note", queue: str = "default") -> dramatiq.Message[None]:
    return dramatiq.Message(queue, actor, args, {}, {})


def send(broker: KafkaBroker, numbers: range, pause_ms: int = 5) -> None:
    with broker.batch():
        for number in numbers:
            broker.enqueue(note(number, pause_ms))


@pytest.mark.parametrize(
    ("how", "stop_with"),
    [
        pytest.param({"cold": ["-m", "dramatiq"]}, signal.SIGINT, id="fork"),
        pytest.param(
            {"cold": ["-m", "dramatiq"], "options": ["--use-spawn"]},
            signal.SIGTERM,
            id="spawn",
            marks=pytest.mark.long,
        ),
        pytest.param({"cold": ["-c", FORK_SERVER]}, signal.SIGTERM, id="forkserver", marks=pytest.mark.long),
    ],
)
def test_processes_and_threads_share_the_work_however_they_are_started(
    broker: KafkaBroker, tmp_path: Path, how: dict[str, Any], stop_with: signal.Signals
) -> None:
    sent = 0

    def all_have_worked() -> bool:
        nonlocal sent
        if len(fleet.numbers()) == sent:
            send(broker, range(sent, sent + 50))
            sent += 50
        return sorted(map(len, fleet.ran_in().values())) == [3, 3]

    with Fleet(broker, tmp_path, processes=2, threads=3, **how) as fleet:
        wait_for(all_have_worked, timeout_s=60)
        broker.join("default", timeout=60_000)
        assert fleet.stop(stop_with) == 0
        assert fleet.numbers() == dict.fromkeys(range(sent), 1)


@pytest.mark.long
def test_only_the_queues_that_are_named_are_worked_on(broker: KafkaBroker, tmp_path: Path) -> None:
    broker.enqueue(note(1, actor="note_elsewhere", queue="elsewhere"))
    send(broker, range(2, 4))
    with Fleet(broker, tmp_path, app="tests.apps.two_queues", options=["--queues", "elsewhere"]) as fleet:
        broker.join("elsewhere", timeout=60_000)
        assert fleet.stop() == 0
        assert set(fleet.numbers()) == {1}


def watches(pid: int) -> bool:
    """Whether a process has asked Linux to tell it of changed files: after its workers are ready."""
    with suppress(OSError):  # a file was closed since they were listed
        return any("inotify wd" in info.read_text() for info in Path(f"/proc/{pid}/fdinfo").iterdir())
    return False


@pytest.mark.parametrize("how", ["SIGHUP", pytest.param("--watch", marks=pytest.mark.long)])
def test_a_reload_makes_new_processes_and_repeats_nothing(
    broker: KafkaBroker, tmp_path: Path, how: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    send(broker, range(400))
    watch = ["--watch", str(source)] if how == "--watch" else []
    with Fleet(broker, tmp_path, options=watch, cold=[DRAMATIQ]) as fleet:
        fleet.wait_until_ready()
        before = fleet.worker_pids
        wait_for(lambda: len(fleet.numbers()) > 50, timeout_s=60)
        if watch:
            wait_for(lambda: watches(fleet.pid))
            fleet.note_ready()
            for number in range(5):  # each is seen as created, changed and closed
                (source / f"changed{number}.py").write_text("x = 1\n")
        else:
            fleet.reload()
            os.kill(fleet.pid, signal.SIGHUP)
        fleet.wait_until_ready()
        assert not set(before) & set(fleet.worker_pids)
        send(broker, range(400, 450))
        broker.join("default", timeout=60_000)
        assert fleet.stop() == 0
        assert fleet.numbers() == dict.fromkeys(range(450), 1)
        assert len(fleet.ran_in()) == 2


def test_a_job_that_outlasts_the_shutdown_timeout_is_not_done(broker: KafkaBroker, tmp_path: Path) -> None:
    broker.enqueue(note(1, 600_000))
    broker.enqueue(note(2))
    with Fleet(broker, tmp_path, options=["--worker-shutdown-timeout", "500"]) as fleet:
        wait_for(lambda: set(fleet.numbers()) == {2}, timeout_s=60)
        fleet.wait_until_ready()
        assert fleet.stop() == 0
    with pytest.raises(dramatiq.QueueJoinTimeout, match="1 messages"):
        broker.join("default", timeout=100)


@pytest.mark.long
def test_a_whole_group_that_is_told_to_stop_stops_once(broker: KafkaBroker, tmp_path: Path) -> None:
    send(broker, range(600))
    with Fleet(broker, tmp_path, processes=2) as fleet:
        for share in (1, 2):
            wait_for(lambda share=share: len(fleet.numbers()) > 150 * share, timeout_s=60)  # type: ignore[misc]
            fleet.wait_until_ready()
            for pid in fleet.worker_pids:
                os.kill(pid, signal.SIGTERM)
            assert fleet.stop() == 0  # the main process passes its signal on
            fleet.start()
        broker.join("default", timeout=60_000)
        fleet.wait_until_ready()
        os.killpg(fleet.pid, signal.SIGTERM)
        assert fleet.wait() == 0
        assert fleet.numbers() == dict.fromkeys(range(600), 1)
        assert "Killing" not in fleet.log()


@pytest.mark.long
def test_honcho_stops_its_workers_gracefully(broker: KafkaBroker, tmp_path: Path) -> None:
    fleet = Fleet(broker, tmp_path)
    (tmp_path / "Procfile").write_text(f"worker: {sys.executable} -m dramatiq tests.apps.numbers -p 2 -t 4\n")
    honcho = [
        sys.executable,
        "-m",
        "honcho",
        "start",
        "-f",
        str(tmp_path / "Procfile"),
        "-d",
        str(REPOSITORY),
    ]
    rounds = int(os.environ.get("HONCHO_ROUNDS", "2"))
    send(broker, range(200 * rounds))
    for finished in range(1, rounds + 1):
        log = tmp_path / f"honcho-{finished}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                honcho, env=fleet.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            wait_for(lambda log=log: log.read_text().count("ready for action") == 2, timeout_s=60)  # type: ignore[misc]
            if finished == rounds:
                broker.join("default", timeout=60_000)
            else:
                wait_for(lambda finished=finished: len(fleet.numbers()) > 100 * finished, timeout_s=60)  # type: ignore[misc]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 128 + signal.SIGTERM
        assert "Killing" not in log.read_text()
        assert log.read_text().count("Worker has been shut down") == 2
    assert fleet.numbers() == dict.fromkeys(range(200 * rounds), 1)


@pytest.mark.long
def test_a_web_server_that_forks_while_it_sends_sends_each_job_once(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    children, jobs = 5, 10
    arguments = ("-m", "tests.apps.prefork_server", str(children), str(jobs))
    printed = output_of(run_python(*arguments, env=Fleet(broker, tmp_path).env, timeout_s=100))
    sent, *statuses = map(int, printed.split())
    assert statuses == [0] * children
    records = read_topic(broker.cluster, broker.topics.jobs("default"))
    numbers = sorted(envelope.decode(record.value, "default").args[0] for record in records)
    of_children = (range(c * 1_000_000, c * 1_000_000 + jobs) for c in range(1, children + 1))
    assert numbers == [*range(sent), *itertools.chain(*of_children)]
