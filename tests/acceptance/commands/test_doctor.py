"""`todo-workers doctor` for the chatbot, as an operator runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.programs import Done, todo_workers
from tests.helpers.smtp_server import SmtpServer
from workers import Cluster

Doctor = Callable[..., Done]


@pytest.fixture
def doctor(cluster: Cluster, namespace: str, tmp_path: Path) -> Doctor:
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "KAFKA_NAMESPACE": namespace,
        "KAFKA_PARTITIONS": "1",
        "KAFKA_CONNECT_TIMEOUT_S": "2",
        "DATABASE_URL": f"sqlite:///{tmp_path}/todo.db",
    }

    def run(*options: str, command: str = "doctor", **more: str) -> Done:
        return todo_workers(command, *options, env=env | more)

    return run


def test_where_all_is_well_each_check_has_its_line_and_nothing_is_made(
    doctor: Doctor, tmp_path: Path
) -> None:
    assert doctor(command="topics").returncode == 0
    with SmtpServer() as server:
        shown = doctor("--json", SMTP_PORT=str(server.port))
        too_short = doctor("--json", SMTP_PORT=str(server.port), DELIVERY_KEPT_DAYS="30")
        as_worker = doctor("--role", "worker", SMTP_PORT=str(server.port))
    assert shown.returncode == 0, shown.stdout
    assert (as_worker.returncode, "has all rights of the role worker" in as_worker.stdout) == (0, True)
    found = json.loads(shown.stdout)
    assert {line["check"]: line["ok"] for line in found} == dict.fromkeys(
        (
            *("settings", "application", "reachable", "login", "topics", "abilities", "rights", "actions"),
            *("access", "bridge", "database", "outbox", "pruning", "smtp"),
        ),
        True,
    )
    assert not (tmp_path / "todo.db").exists()
    assert too_short.returncode == 1
    (line,) = (line for line in json.loads(too_short.stdout) if not line["ok"])
    assert (line["check"], "kept for 30 days, but events in" in line["text"]) == ("pruning", True)


def test_a_role_that_does_not_exist_is_refused_with_those_that_do(doctor: Doctor) -> None:
    shown = doctor("--role", "wroker")
    assert shown.returncode == 2
    assert "'wroker' is not one of 'worker', 'publisher', 'operator', 'bridge'" in shown.stderr


def test_each_wrong_setting_is_a_line_and_no_crash(doctor: Doctor) -> None:
    shown = doctor(SMTP_PORT="many", KAFKA_BOOTSTRAP_SERVER="x:1")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert len(shown.stdout.splitlines()) == 3
    assert "SMTP_PORT" in shown.stdout
    assert "did you mean KAFKA_BOOTSTRAP_SERVERS?" in shown.stdout
    assert "not looked at: mend the settings first" in shown.stdout


def test_what_is_down_is_named_with_what_to_do(doctor: Doctor, nowhere: str) -> None:
    port = nowhere.rpartition(":")[2]
    shown = doctor(
        KAFKA_BOOTSTRAP_SERVERS=nowhere, SMTP_PORT=port, DATABASE_URL=f"postgresql://todo:pw@{nowhere}/todo"
    )
    assert (shown.returncode, shown.stderr) == (1, "")
    lines = {line.split()[1]: line for line in shown.stdout.splitlines()}
    assert lines["reachable"].startswith("WRONG")
    assert f"{nowhere} cannot be reached: Connection refused" in lines["reachable"]
    assert lines["login"].startswith("-")
    assert "check SMTP_HOST, SMTP_PORT" in lines["smtp"]
    assert "check DATABASE_URL" in lines["database"]
    assert "pw" not in shown.stdout.replace("todo-workers", "")


def test_a_database_without_its_schema_and_a_refused_login_are_wrong(
    doctor: Doctor, postgresql_url: str, nowhere: str
) -> None:
    with SmtpServer() as server:
        shown = doctor(
            KAFKA_BOOTSTRAP_SERVERS=nowhere,
            DATABASE_URL=postgresql_url,
            SMTP_PORT=str(server.port),
            SMTP_USERNAME="todo",
            SMTP_PASSWORD="secret",
        )
    lines = {line.split()[1]: line for line in shown.stdout.splitlines()}
    assert lines["database"].startswith("WRONG")
    assert "run todo-workers db upgrade" in lines["database"]
    assert lines["smtp"].startswith("WRONG")
    assert "secret" not in shown.stdout


def test_a_file_that_cannot_be_made_is_wrong(doctor: Doctor, tmp_path: Path, nowhere: str) -> None:
    shown = doctor(
        KAFKA_BOOTSTRAP_SERVERS=nowhere, DATABASE_URL=f"sqlite:///{tmp_path}/no/such/folder/todo.db"
    )
    (line,) = (line for line in shown.stdout.splitlines() if line.split()[1] == "database")
    assert line.startswith("WRONG")
    assert "is no folder that can be written to" in line


def test_the_sender_is_tried_and_no_mail_goes_out(doctor: Doctor, nowhere: str) -> None:
    with SmtpServer() as server:
        where = {"KAFKA_BOOTSTRAP_SERVERS": nowhere, "SMTP_PORT": str(server.port)}
        shown = doctor("--json", **where, SMTP_SENDER="Todo <todo@müller.example>")
        smtp = json.loads(shown.stdout)[-1]
        assert (smtp["check"], smtp["ok"]) == ("smtp", True)
        assert smtp["text"].endswith("it takes mails from todo@xn--mller-kva.example")
        server.replies["MAIL"].append("553 5.7.1 Expéditeur refusé".encode("latin-1"))
        refused = json.loads(doctor("--json", **where).stdout)[-1]
        assert (refused["ok"], server.count) == (False, 0)
        assert r"refused the sender todo@localhost: 553 5.7.1 Exp\xe9diteur refus\xe9" in refused["text"]
        assert "check SMTP_SENDER" in refused["text"]
