"""`todo-workers dead-letters`, as a person or a script uses it at night, on a real Kafka."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.kafka_reading import letters_of, read_topic
from tests.helpers.programs import Done, StartedProgram, start_todo_workers, todo_workers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker
from workers.operations.logged import log_of
from workers.records.envelope import Record

APP = "tests.apps.letters"
Run = Callable[..., Done]


@pytest.fixture
def env(cluster: Cluster, namespace: str) -> dict[str, str]:
    return {"LETTERS_BOOTSTRAP_SERVERS": cluster.address, "LETTERS_NAMESPACE": namespace}


@pytest.fixture
def run(env: dict[str, str]) -> Run:
    def dead_letters(*command: str, stdin: str = "", app: str = APP) -> Done:
        return todo_workers("dead-letters", *command, "--app", app, env=env, stdin=stdin)

    return dead_letters


class Mailing:
    """Actors that fail until they are mended, and a worker."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.broker = broker
        self.broken = True
        self.delivered: list[str] = []

        @dramatiq.actor(broker=broker, queue_name="mail", max_retries=1, min_backoff=10, max_backoff=20)
        def send_mail(person: dict[str, str], urgent: bool = False) -> None:
            if self.broken or "@" not in person["email"]:
                raise ValueError(f"no mailbox {person['email']}")
            self.delivered.append(person["email"])

        @dramatiq.actor(broker=broker, queue_name="audit", max_retries=0)
        def record() -> None:
            raise KeyError("no table")

        self.send_mail, self.record = send_mail, record

    def letters(self) -> list[Any]:
        return letters_of(self.broker)


@pytest.fixture
def mailing(broker: KafkaBroker) -> Iterator[Mailing]:
    mailing = Mailing(broker)
    worker = Worker(broker, worker_timeout=50, worker_threads=2)
    worker.start()
    yield mailing
    worker.stop()


def test_what_failed_is_listed_understood_mended_replayed_and_delivered(run: Run, mailing: Mailing) -> None:
    assert run("list").stdout == "no dead letters\n"
    ann, bob = (mailing.send_mail.send({"email": f"{name}@example.com"}) for name in ("ann", "bob"))
    mailing.record.send()
    wait_for(lambda: len(mailing.letters()) == 3)

    listed = run("list")
    assert listed.returncode == 0
    line = next(line for line in listed.stdout.splitlines() if ann.message_id in line)
    for word in ("mail", "send_mail", "failed", "ValueError: no mailbox ann@example.com", "ago"):
        assert word in line
    assert line.split()[-2:] == ["2", "0"]  # attempts and replays
    found = [json.loads(line) for line in run("list", "--json", "--queue", "mail").stdout.splitlines()]
    assert {letter["id"] for letter in found} == {ann.message_id, bob.message_id}
    counts = json.loads(run("list", "--group-by", "actor", "--json").stdout)
    assert counts == {"send_mail": 2, "record": 1}
    assert run("list", "--since", "2h", "--text", "bob@").stdout.count("send_mail") == 1

    shown = run("show", ann.message_id[:12]).stdout
    for part in ('"email": "ann@example.com"', "Traceback", "attempts", "first from", "message-id"):
        assert part in shown

    dry = run("replay", "--actor", "send_mail", "--dry-run")
    assert dry.returncode == 0
    assert "2 dead letters to replay" in dry.stdout
    assert len(mailing.letters()) == 3
    unasked = run("replay", ann.message_id)
    assert unasked.returncode == 2
    assert "add --yes" in unasked.stderr
    refused = run("replay", ann.message_id, "--set", "kwargs.urgent=perhaps", "--yes")
    assert (refused.returncode, len(mailing.letters())) == (2, 3)
    assert "does not take this urgent" in refused.stderr

    again = run("replay", ann.message_id, "--yes")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 of 1 dead letter replayed")
    failed_again = wait_for(
        lambda: [letter for letter in mailing.letters() if letter.replays == 1], timeout_s=30
    )
    assert [letter.id for letter in failed_again] == [ann.message_id]
    assert len(mailing.letters()) == 3  # its own entry, updated
    assert failed_again[0].attempts == 2  # from the start
    assert json.loads(run("show", ann.message_id, "--json").stdout)["replayed_at"]

    mailing.broken = False
    mended = run("replay", ann.message_id, "--set", "args.0.email=new@example.com", "--yes")
    assert mended.returncode == 0, mended.stderr
    rest = run("replay", "--exception", "ValueError", "--yes", "--rate", "100/s")
    assert rest.returncode == 0, rest.stderr
    wait_for(lambda: sorted(mailing.delivered) == ["bob@example.com", "new@example.com"])
    assert run("discard", "--all", "--yes").stdout.splitlines()[-1] == "1 of 1 dead letter discarded"
    assert run("list").stdout == "no dead letters\n"


def test_an_unknown_id_suggests_near_ones_and_no_filter_is_wrong_usage(run: Run, mailing: Mailing) -> None:
    sent = mailing.record.send()
    wait_for(mailing.letters)
    wrong = sent.message_id[:-2] + "zz"
    for command in (
        ["show"],
        ["replay", "--yes"],
        ["discard", "--yes"],
        ["discard", sent.message_id, "--dry-run"],
    ):
        unknown = run(*command, wrong)
        assert unknown.returncode == 1
        assert f"no dead letter has the id {wrong}; near ones: {sent.message_id}" in unknown.stderr
    for arguments in (["replay"], ["replay", "--all", "--rate", "fast"], ["list", "--since", "soon"]):
        usage = run(*arguments)
        assert (usage.returncode, usage.stderr.count("\n")) == (2, 1)
    usage = run("replay", sent.message_id, "--to", "mial", "--yes")
    assert (usage.returncode, usage.stderr.count("\n")) == (2, 1)
    assert "did you mean 'mail'?" in usage.stderr
    assert len(mailing.letters()) == 1


def test_an_unreachable_kafka_is_one_line(run: Run, env: dict[str, str], nowhere: str) -> None:
    env["LETTERS_BOOTSTRAP_SERVERS"] = nowhere
    away = run("list")
    assert (away.returncode, away.stderr.count("\n")) == (1, 1)
    assert nowhere in away.stderr


def test_what_is_no_message_is_replayed_byte_for_byte(run: Run, mailing: Mailing) -> None:
    broker = mailing.broker
    broker.prepare()
    broker.producer.deliver(
        broker.topics.jobs("mail"), Record(b"\x00key", b"\xff\xfe{", [("trace", b"\x01")])
    )
    (letter,) = wait_for(mailing.letters)
    assert run("replay", "--reason", "undecodable", "--yes").returncode == 0
    again = wait_for(lambda: [one for one in mailing.letters() if one.replays == 1])
    assert [one.id for one in again] == [letter.id]
    records = list(read_topic(broker.cluster, broker.topics.jobs("mail")))
    assert {(record.key, record.value) for record in records} == {(b"\x00key", b"\xff\xfe{")}
    assert all(("trace", b"\x01") in record.headers for record in records)


def test_export_and_import_keep_every_byte(run: Run, mailing: Mailing, tmp_path: Path) -> None:
    for number in range(3):
        mailing.send_mail.send({"email": f"{number}@example.com"})
    wait_for(lambda: len(mailing.letters()) == 3)
    file = tmp_path / "letters.jsonl"
    before = {letter.id: letter for letter in mailing.letters()}
    assert run("export", str(file)).stdout == f"3 dead letters written to {file}\n"
    assert run("export", str(file)).returncode == 2
    assert run("discard", "--all", "--yes").returncode == 0
    assert mailing.letters() == []
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text(file.read_text() + '{"key": 1}\n')
    broken = run("import", str(damaged))
    assert broken.returncode == 2
    assert "line 4" in broken.stderr
    assert mailing.letters() == []
    for _ in range(2):
        assert run("import", str(file)).returncode == 0
    assert {letter.id: letter for letter in mailing.letters()} == before


def test_replays_that_are_interrupted_or_run_twice_at_once_repeat_and_never_lose(
    env: dict[str, str], run: Run, mailing: Mailing
) -> None:
    jobs = 40
    with mailing.broker.batch():
        for number in range(jobs):
            mailing.send_mail.send({"email": f"{number}@example.com"})
    wait_for(lambda: len(mailing.letters()) == jobs, timeout_s=60)
    mailing.broken = False
    command = ["dead-letters", "replay", "--all", "--yes", "--app", APP]

    def start(rate: str, by: str = "ann") -> StartedProgram:
        return start_todo_workers(*command, "--rate", rate, "--by", by, env=env)

    interrupted = start("2/s")
    wait_for(lambda: len(mailing.delivered) >= 3, timeout_s=60)
    interrupted.send_signal(signal.SIGTERM)  # as Ctrl-C, which a test run in the background ignores
    out, err = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130, (out, err)
    assert f"of {jobs} dead letters replayed" in out
    assert "run it again for the rest: a job may run twice, none is lost" in err
    assert 0 < len(mailing.letters()) < jobs

    both = [start("8/s", "killed"), start("8/s", "left")]
    wait_for(lambda: len(mailing.delivered) >= 12, timeout_s=60)
    both[0].kill()
    with log_of(mailing.broker) as log:  # else the other waits for minutes, if it began after this one
        for one in [one for one in log.chain.last if one.who.startswith("killed ")]:
            log.write("ann", "replay: stopped", {"run": one.about["run"]})
    for process in both:
        process.communicate(timeout=60)
    assert both[1].returncode == 0
    wait_for(lambda: len(set(mailing.delivered)) == jobs, timeout_s=60)
    assert mailing.letters() == []
