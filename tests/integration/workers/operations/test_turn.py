"""A command waits for whoever acts on dead letters, so that no job is sent twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import dramatiq
import pytest

from tests.helpers.waiting import wait_for
from tests.unit.workers.dead_letters.index.test_table import a_letter
from workers import Cluster, KafkaBroker
from workers.cli.controls import switches as switches_command
from workers.cli.dead_letters.replay_and_discard import replay_all
from workers.cli.dead_letters.shared_options import Options
from workers.dead_letters.filter import Filter
from workers.dead_letters.letter import Reason
from workers.dead_letters.topic.letter_record import encode
from workers.kafka.topic_reader import TopicReader
from workers.operations import switches
from workers.operations.action_log import ActionLog
from workers.operations.dead_letters import LetterAction, replaying
from workers.operations.logged import log_of
from workers.operations.logged_runs import LoggedRun
from workers.operations.switches import Lifted, lift
from workers.records.envelope import Record


@pytest.fixture
def broker(cluster: Cluster, namespace: str) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1)

    @dramatiq.actor(broker=broker, queue_name="mail")
    def send() -> None: ...

    broker.prepare()
    yield broker
    broker.close()


def _write_letters(broker: KafkaBroker, *ids: str, **fields: Any) -> None:
    for one in ids:
        job = {
            "queue_name": "mail", "actor_name": "send", "args": [], "kwargs": {}, "options": {},
            "message_id": one, "message_timestamp": 1,
        }  # fmt: skip
        letter = a_letter(
            message_id=one, queue="mail", actor="send", value=json.dumps(job).encode(), **fields
        )
        broker.producer.deliver(broker.topics.dead_letters, encode(letter))


def _jobs(broker: KafkaBroker) -> Sequence[str]:
    with TopicReader(broker.cluster, broker.topics.jobs("mail")) as jobs:
        return [json.loads(job.value or b"")["message_id"] for job in jobs.read_to_end()]


def _options(wait_s: float | None = None) -> Options:
    return Options(limit=None, rate_per_s=None, yes=True, dry_run=False, who="ann", wait_s=wait_s)


def _last_in(log: ActionLog) -> str:
    log.catch_up()
    return log.chain.last[-1].who


def _run_beside_a_replay(
    command: threading.Thread, broker: KafkaBroker, log: ActionLog, **wanted: str
) -> None:
    """Run what ann does while bo replays the letters a and b."""
    log.write("bo", "replay", {"run": "in a browser", **wanted, "letters": 2})
    command.start()
    wait_for(lambda: _last_in(log) == "ann")
    for one in ("a", "b"):  # what the other has sent is ended a moment later
        broker.producer.deliver(broker.topics.dead_letters, Record(one.encode(), None, []))
    log.write("bo", "replay: ended", {"run": "in a browser", "done": 2})
    command.join(30)


def test_a_command_waits_for_a_replay_of_the_same_letters_and_sends_none_of_its_jobs_again(
    broker: KafkaBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_letters(broker, "a", "b", "c")
    statuses: list[int] = []
    command = threading.Thread(
        target=lambda: statuses.append(replay_all(broker, Filter(), _options(), to=None, edits=()))
    )
    with log_of(broker) as log:
        _run_beside_a_replay(command, broker, log)
    told = capsys.readouterr()
    assert "waiting for a replay of 2 that bo began" in told.err
    assert "1 of 3 dead letters replayed" in told.out
    assert "2 changed meanwhile" in told.err
    assert statuses == [0]
    assert _jobs(broker) == ["c"]


@pytest.mark.parametrize(
    ("wait_s", "status", "said"),
    [
        (0.0, 1, "nothing was replayed: bo acts: a replay of 2, and --wait is over; run it again later"),
        (None, 130, "stopped by cy while it waited for others; nothing was replayed"),
    ],
)
def test_a_command_that_was_not_to_wait_or_was_stopped_then_has_done_nothing_and_says_so(
    broker: KafkaBroker, capsys: pytest.CaptureFixture[str], wait_s: float | None, status: int, said: str
) -> None:
    _write_letters(broker, "a")
    statuses: list[int] = []
    command = threading.Thread(
        target=lambda: statuses.append(replay_all(broker, Filter(), _options(wait_s), to=None, edits=()))
    )
    with log_of(broker) as log:
        log.write("bo", "replay", {"run": "in a browser", "letters": 2})
        command.start()
        wait_for(lambda: _last_in(log) == "ann")
        if wait_s is None:
            log.write("cy", "replay: stop", {"run": log.chain.last[-1].about["run"]})
        command.join(30)
        log.catch_up()
        ended = log.chain.last[-1]
    assert statuses == [status]
    assert said in capsys.readouterr().err
    assert (ended.did, ended.about["done"]) == ("replay: stopped", 0)
    assert _jobs(broker) == []


def test_of_two_lifts_of_a_switch_at_once_one_replays_what_it_holds(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"job-{number}" for number in range(20)]
    _write_letters(broker, *ids, reason=Reason.HELD, held_by="3f")
    both_have_read = threading.Barrier(2, timeout=30)

    def at_once(broker: KafkaBroker) -> LetterAction:
        both_have_read.wait()
        return replaying(broker)

    monkeypatch.setattr(switches, "replaying", at_once)
    lifted: list[Lifted] = []
    lifts = [
        threading.Thread(target=lambda who=who: lifted.append(lift(broker, "3f", who=who)))
        for who in ("ann", "bo")
    ]
    for one in lifts:
        one.start()
    for one in lifts:
        one.join(60)
    assert _jobs(broker) == ids
    assert sorted((one.held, one.resolution.done, one.is_complete) for one in lifted) == [
        (0, 0, True),
        (20, 20, True),
    ]


def test_a_lift_waits_for_a_replay_of_held_jobs_and_replays_the_rest(broker: KafkaBroker) -> None:
    _write_letters(broker, "a", "b", "c", reason=Reason.HELD, held_by="3f")
    waited: list[LoggedRun] = []
    lifted: list[Lifted] = []
    command = threading.Thread(
        target=lambda: lifted.append(lift(broker, "3f", who="ann", tell=waited.append))
    )
    with log_of(broker) as log:
        _run_beside_a_replay(command, broker, log, reason="held")
        log.catch_up()
        told = [(one.did, one.about.get("switch"), one.about.get("letters")) for one in log.chain.last]
    assert [one.who for one in waited] == ["bo"]
    assert [(one.held, one.resolution.done, one.is_complete) for one in lifted] == [(1, 1, True)]
    assert ("replay", "3f", 3) in told
    assert _jobs(broker) == ["c"]


def test_a_lift_is_repeated_with_as_little_of_the_id_as_the_first_time(
    broker: KafkaBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches_command, "load_broker", lambda _app: broker)
    switch, _ = broker.controls.switch(Filter(queue="mail"), "hold", who="ann")
    _write_letters(broker, "a", reason=Reason.HELD, held_by=switch.id)
    _write_letters(broker, "b", reason=Reason.HELD, held_by="another")
    broker.controls.lift(switch.id, who="ann")  # not all workers had confirmed, so nothing was replayed

    def end(switch_id: str) -> int:
        options: dict[str, Any] = {"who": "ann", "why": "", "wait": "10s"}
        return switches_command.end(None, switch_id, **options, ignore_silent=False, as_json=False)

    monkeypatch.setattr(broker, "close", lambda: None)
    assert end(switch.id[:5]) == 0
    assert "1 of 1 held jobs replayed" in capsys.readouterr().out
    assert _jobs(broker) == ["a"]
    assert end(switch.id[:5]) == 0
    assert f"no switch begins with {switch.id[:5]}" in capsys.readouterr().err


def test_a_lift_that_may_not_wait_for_long_replays_nothing_and_says_who_acts(broker: KafkaBroker) -> None:
    _write_letters(broker, "a", reason=Reason.HELD, held_by="3f")
    with log_of(broker) as log:
        log.write("bo", "replay", {"run": "in a browser", "letters": 2})
        lifted = lift(broker, "3f", who="ann", most_s=0.0)
    assert (lifted.held, lifted.stopped, lifted.is_complete) == (1, "bo acts: a replay of 2", False)
    assert _jobs(broker) == []
