"""`todo-workers queues`, `switches` and `jobs`, as an operator uses them at a running worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker

from tests.helpers.programs import Done, todo_workers
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker

Run = Callable[..., Done]


@pytest.fixture
def run(cluster: Cluster, namespace: str) -> Run:
    env = {"KAFKA_BOOTSTRAP_SERVERS": cluster.address, "KAFKA_NAMESPACE": namespace, "KAFKA_PARTITIONS": "4"}
    return lambda *words: todo_workers(*words, env=env)


def test_an_operator_pauses_a_queue_takes_jobs_out_and_sees_why_they_wait(
    run: Run, broker: KafkaBroker, start_worker: Callable[..., Worker]
) -> None:
    ran: list[str] = []

    @dramatiq.actor(broker=broker, queue_name="notifications", actor_name="send_notification")
    def send(event: dict[str, Any]) -> None:
        ran.append(event["todo"]["id"])

    start_worker(broker)

    def ok(*words: str) -> Any:
        done = run(*words, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    paused = run("queues", "pause", "notifications", "--for", "2h", "--reason", "the mail server is down")
    assert paused.returncode == 0, paused.stderr
    assert "queue notifications is paused until 20" in paused.stdout
    assert "1 of 1 worker has confirmed" in paused.stdout
    job_id = send.send({"todo": {"id": "x"}}).message_id
    (shown,) = [one for one in ok("queues", "list") if one["paused"]]
    assert (shown["queue"], shown["why"]) == ("notifications", "the mail server is down")
    status = run("status")
    assert "queue notifications: paused by " in status.stdout
    assert "workers: 1 of version " in status.stdout
    why = ok("jobs", "why", job_id)
    assert (why["reason"], why["who"], why["until"]) == ("paused", shown["who"], shown["until"])

    added = ok(
        "switches", "add", "--actor", "send_notification", "--where", "args.0.todo.id=x", "--then", "hold"
    )
    assert (added["confirmed"], added["workers"], added["missing"]) == (1, 1, [])
    assert ok("queues", "resume", "notifications")["confirmed"] == 1
    assert wait_for(lambda: found if (found := ok("jobs", "why", job_id))["reason"] == "held" else None)
    (switch,) = ok("switches", "list")
    assert (switch["id"], switch["where"]) == (
        added["id"],
        {"actor": "send_notification", "where": ["args.0.todo.id=x"]},
    )
    assert ran == []
    lifted = run("switches", "lift", added["id"][:5])
    assert (lifted.returncode, "1 of 1 held jobs replayed" in lifted.stdout) == (0, True), lifted
    wait_for(lambda: ran == ["x"])

    wrong = run("queues", "pause", "notification")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True)
    assert run("switches", "add", "--then", "discard").returncode == 2
    assert run("jobs", "why", "nothing").returncode == 1
    for words in (["jobs", "why", ""], ["switches", "lift", ""]):
        assert (run(*words).returncode, "an id is empty" in run(*words).stderr) == (2, True)

    told = run("actions", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["did"] for line in reversed(told)] == [
        "pause",
        "switch off",
        "resume",
        "lift switch",
        "replay",
        "replay: ended",
        "lift switch: replayed",
    ]
    assert (json.loads(told[-1])["who"], json.loads(told[-1])["about"]["why"]) == (
        shown["who"],
        "the mail server is down",
    )
    checked = json.loads(run("actions", "verify", "--json").stdout)
    assert (checked["ok"], checked["records"]) == (True, 7)
    assert run("queues", "resume", "notifications", "--by", "ann").returncode == 0
    expected = f"{checked['records']}:{checked['head']}"
    assert run("actions", "verify", "--expect", expected).returncode == 0
    wrong = run("actions", "verify", "--expect", f"8:{checked['head']}")
    assert (wrong.returncode, "another head" in wrong.stderr) == (1, True)
    (anns,) = run("actions", "list", "--who", "ann", "--json").stdout.splitlines()
    assert json.loads(anns)["who"] == f"ann ({shown['who']})"
