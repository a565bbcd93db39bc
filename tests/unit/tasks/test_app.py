"""Importing the chatbot: which modules it loads, and how it tells of wrong settings."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.helpers.repository import REPOSITORY

#: Only a worker needs these; a program that publishes, or a command about dead letters, waits for none.
HEAVY = {"aiosmtplib", "babel", "css_inline", "jinja2", "sqlalchemy"}
#: And not even a worker needs these, but for a database of its kind, a migration, or an event of an odd form.
RARE = {"alembic", "cloudevents", "psycopg"}
#: Modules that importing `tasks` loads, with the interpreter's own some 755.
MAX_MODULES = 775


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_importing_the_chatbot_loads_nothing_that_only_a_worker_needs_and_prints_nothing() -> None:
    result = run("import tasks, sys; print(*sys.modules)")
    assert (result.returncode, result.stderr, result.stdout.count("\n")) == (0, "", 1)
    loaded = result.stdout.split()
    assert "tasks.actors.events" in loaded
    assert "tasks.outbox" not in loaded
    assert (HEAVY | RARE).isdisjoint(name.partition(".")[0] for name in loaded)
    assert len(loaded) < MAX_MODULES


def test_a_worker_loads_all_of_it_before_its_first_job() -> None:
    code = """
import gc, sys, tasks, tasks.app
tasks.app.LoadsAndCloses().before_worker_boot(tasks.broker, None)
before = set(sys.modules)
tasks.actors.reminders.keeper(), tasks.app.notifier(postpone=print)
print(*before)
print(*(set(sys.modules) - before))
print(gc.get_freeze_count())
"""
    loaded, later, never_collected_again = run(code).stdout.splitlines()
    assert set(loaded.split()) >= HEAVY
    assert RARE.isdisjoint(loaded.split())
    assert later == ""
    assert int(never_collected_again) > 20_000


def test_a_program_that_imports_it_gets_the_error_of_a_wrong_setting() -> None:
    result = run("import tasks", KAFKA_PARTITIONS="many")
    last = result.stderr.splitlines()[-1]
    assert last == "settings.problems.SettingsError: KAFKA_PARTITIONS should be a whole number, not 'many'"


def test_dramatiqs_command_shows_a_wrong_setting_in_one_line() -> None:
    command = "import sys; sys.argv[1:] = ['tasks', '-p1', '-t1']; from dramatiq.cli import main; main()"
    result = run(command, KAFKA_PARTITIONS="many", SMTP_PORT="0")
    lines = [line for line in result.stderr.splitlines() if "dramatiq.MainProcess" not in line]
    assert len(lines) == 1
    assert "worker cannot start: KAFKA_PARTITIONS should be a whole number, not 'many'; SMTP_PORT" in lines[0]
