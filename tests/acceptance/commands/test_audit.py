"""`todo-workers audit` and `todo-workers db` as an operator runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.audit.trail import AuditStore
from tasks.storage.database import Database
from tests.helpers.programs import Done, todo_workers
from tests.helpers.samples import a_todo, an_event

HOUR = timedelta(hours=1)


def run(database_url: str, *command: str) -> Done:
    return todo_workers(*command, env={"DATABASE_URL": database_url})


def test_the_options_choose_rows_and_how_they_are_shown(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path}/todo.db"
    database = Database(database_url)
    now = datetime.now(UTC)
    events = [
        an_event("todo.created", time=now - 5 * HOUR),
        an_event("todo.updated", time=now - 3 * HOUR, actor="user:7"),
        an_event("todo.deleted", time=now - 1 * HOUR, todo=a_todo(id="todo-2")),
    ]
    AuditStore(database).record_all(events, recorded_at=now)
    database.dispose()

    listed = run(database_url, "audit", "list", "--since", "4h", "--until", "2h", "--who", "user:7", "--json")
    assert listed.returncode == 0, listed.stderr
    (row,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (row["sequence"], row["type"]) == (2, "todo.updated")
    csv = run(database_url, "audit", "list", "--todo", "todo-1", "--type", "todo.created", "--all", "--csv")
    assert csv.stdout.splitlines()[0].startswith(
        "sequence,event_id,type,time,recorded_at,actor,todo_id,before,"
    )
    assert [line.split(",")[0] for line in csv.stdout.splitlines()[1:]] == ["1"]
    for_excel = run(database_url, "audit", "list", "--excel", "--limit", "1")
    assert for_excel.stdout.startswith("\ufeffsequence,"), for_excel.stderr
    table = run(database_url, "audit", "list", "--limit", "1", "--time-zone", "Asia/Tokyo").stdout
    assert "JST" in table
    assert "todo.deleted" in table
    assert "todo.created" not in table

    told = run(database_url, "audit", "history", "todo-1", "--time-zone", "Europe/Berlin").stdout.splitlines()
    assert [line.split("  ")[1] for line in told if line[0] != " "] == [
        "user:42 created it",
        "user:7 changed it",
    ]

    verified = run(database_url, "audit", "verify")
    assert (verified.returncode, verified.stderr) == (0, "")
    head = verified.stdout.split()[-1]
    wrong = run(database_url, "audit", "verify", "--expect", f"2:{head.partition(':')[2]}")
    assert wrong.returncode == 1
    assert "row 2 has not the hash that is expected" in wrong.stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_months_are_archived_and_openssl_checks_them(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path}/todo.db"
    database, store_at = Database(database_url), (datetime(2025, 1, 31, tzinfo=UTC), datetime.now(UTC))
    for recorded_at in store_at:
        AuditStore(database).record(an_event(), recorded_at=recorded_at)
    database.dispose()
    key, public, folder = tmp_path / "audit.pem", tmp_path / "audit.pub", tmp_path / "archive"
    folder.mkdir()
    env = {"DATABASE_URL": database_url, "AUDIT_ARCHIVE_DIR": str(folder)}
    refused = todo_workers("audit", "archive", env=env)
    assert (refused.returncode, "set AUDIT_KEY_FILE" in refused.stderr) == (1, True)
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
    openssl("pkey", "-in", str(key), "-pubout", "-out", str(public))
    archived = todo_workers("audit", "archive", env=env | {"AUDIT_KEY_FILE": str(key)})
    assert archived.stdout == f"2025-01: 1 rows, 1 to 1 moved to {folder}\n", archived.stderr

    env["AUDIT_PUBLIC_KEYS_FILE"] = str(public)
    verified = todo_workers("audit", "verify", env=env)
    assert (verified.returncode, "2 audit rows (1 of them archived), whole" in verified.stdout) == (0, True)
    month = todo_workers("audit", "list", "--month", "2025-01", "--json", env=env)
    assert json.loads(month.stdout)["sequence"] == 1
    listed = todo_workers("audit", "list", "--json", env=env)
    assert json.loads(listed.stdout)["sequence"] == 2
    assert listed.stderr == "rows 1 to 1 (2025-01) are archived: --month shows one\n"
    manifest = folder / "audit-2025-01.json"
    check = ["-verify", "-pubin", "-inkey", str(public), "-rawin", "-in", str(manifest)]
    assert "Verified Successfully" in openssl("pkeyutl", *check, "-sigfile", f"{manifest}.sig")


def openssl(*words: str) -> str:
    return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["list", "--json", "--csv"], "--json or --csv, not both"),
        (["list", "--since", "yesterday"], "'yesterday' is no time"),
        (["history", "todo-1", "--time-zone", "Nowhere"], "'Nowhere' is not an IANA time zone"),
        (["verify", "--expect", "12"], "--expect '12' is not a sequence and a hash"),
    ],
)
def test_wrong_options_are_status_2(options: list[str], words: str, tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path}/todo.db", "audit", *options)
    assert result.returncode == 2
    assert words in result.stderr


def test_a_new_postgresql_database_works_once_it_is_upgraded(postgresql_url: str) -> None:
    refused = run(postgresql_url, "audit", "list")
    assert refused.returncode == 1
    assert refused.stderr.strip().endswith("is needed: run todo-workers db upgrade")
    assert "upgraded from nothing to" in run(postgresql_url, "db", "upgrade").stdout
    assert run(postgresql_url, "db", "current", "--check").returncode == 0
    assert run(postgresql_url, "audit", "list").stdout == "no audit rows\n"
