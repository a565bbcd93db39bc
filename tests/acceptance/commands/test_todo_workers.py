"""The command line and dramatiq's, as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.programs import Done, run_python, todo_workers


def run(*command: str, **env: str) -> Done:
    """Run a module as a new interpreter does."""
    return run_python("-m", *command, env=env)


def test_help_lists_the_commands_and_the_version_is_the_distributions() -> None:
    listed = run("workers", "--help")
    assert listed.returncode == 0
    assert "kafka" in listed.stdout
    assert "demo" in listed.stdout
    assert run("workers", "--version").stdout.startswith("todo-workers 0.")


def test_a_command_of_a_plugin_is_imported_only_when_it_runs() -> None:
    listed = run("workers", "--help", KAFKA_BOOTSTRAP_SERVER="misspelt", PYTHONPROFILEIMPORTTIME="1")
    assert listed.returncode == 0
    assert re.search(r"demo +Watch events become mails", listed.stdout)
    imported = {line.rpartition("|")[2].strip() for line in listed.stderr.splitlines()}
    assert "workers.cli" in imported
    assert not imported & {"tasks", "settings", "sqlalchemy"}
    assert "--json" in run("workers", "demo", "--help").stdout


def test_a_plugin_that_cannot_be_imported_breaks_only_its_own_command(tmp_path: Path) -> None:
    installed = tmp_path / "broken-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[todo_workers.commands]\nbroken = broken:command\n")
    (tmp_path / "broken.py").write_text("import not_installed\ndef command():\n    'Does it.'\n")
    environment = {"PYTHONPATH": str(tmp_path)}

    assert re.search(r"broken +Does it\.", run("workers", "--help", **environment).stdout)
    assert run("workers", "demo", "--help", **environment).returncode == 0
    result = run("workers", "broken", **environment)
    assert result.returncode == 1
    assert "The command broken cannot be loaded: No module named 'not_installed'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("wrong", [["nope"], ["kafka", "--port", "many"], ["kafka", "--prt", "1"]])
def test_wrong_usage_is_status_2(wrong: list[str]) -> None:
    result = run("workers", *wrong)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", [["--version"], ["events", "schema"]], ids=["at once", "at its end"])
def test_a_full_disk_is_one_line_and_status_1(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "workers", *words]
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert result.returncode == 1
    assert result.stderr == "todo-workers: No space left on device\n"


def test_an_error_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("workers", "kafka", "--port", "0", "--data", str(tmp_path / "file"))
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "cannot be written" in result.stderr


def test_a_file_that_cannot_be_written_is_one_line_and_status_1(tmp_path: Path) -> None:
    page = tmp_path / "nowhere" / "mail.html"
    result = todo_workers("templates", "preview", "todo_created", "--to", str(page))
    assert result.returncode == 1
    assert result.stderr == f"todo-workers: {page}: No such file or directory\n"


@pytest.mark.parametrize("encoding", ["ascii:strict", pytest.param("utf-8:strict", marks=pytest.mark.long)])
def test_an_output_that_cannot_hold_every_character_gets_it_written_out(encoding: str) -> None:
    how = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    shown = run("workers", "templates", "preview", "todo_created", "--value", 'title="Käse → 酒 😀"', **how)
    assert shown.returncode == 0, shown.stderr
    told = {"ascii:strict": r"K\u00e4se \u2192 \u9152 \ud83d\ude00", "utf-8:strict": "Käse → 酒 😀"}
    assert told[encoding] in shown.stdout
    wrong = run("workers", "templates", "preview", "→", **how)
    assert wrong.returncode != 0
    assert "no mail templates for the kind" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_workers_without_kafka_end_soon_and_name_the_address(nowhere: str) -> None:
    started = time.monotonic()
    result = run("dramatiq", "tasks", "--processes", "1", KAFKA_BOOTSTRAP_SERVERS=nowhere)
    assert time.monotonic() - started < 60
    assert result.returncode == 3
    (line,) = (line for line in result.stderr.splitlines() if "worker cannot start" in line)
    assert f"Kafka at {nowhere} cannot be reached" in line
    assert "check that it runs and that KAFKA_BOOTSTRAP_SERVERS is right" in line
    assert "Traceback" not in result.stderr


def test_workers_with_a_misspelt_setting_say_which_one_was_meant() -> None:
    result = run("dramatiq", "tasks", "--processes", "1", KAFKA_BOOTSTRAP_SERVER="127.0.0.1:1")
    assert result.returncode != 0
    assert "did you mean KAFKA_BOOTSTRAP_SERVERS" in result.stderr


def test_publishing_without_kafka_soon_raises_dramatiqs_connection_error(nowhere: str) -> None:
    program = "import tests.helpers.samples as s, tasks; tasks.publish(s.an_event('todo.created'))"
    started = time.monotonic()
    result = run_python("-c", program, env={"KAFKA_BOOTSTRAP_SERVERS": nowhere})
    assert time.monotonic() - started < 60
    assert result.returncode == 1
    assert f"workers.errors.KafkaUnreachable: Kafka at {nowhere} cannot be reached" in result.stderr


def test_commands_about_an_application_that_has_modules_named_as_ours_use_its_own(tmp_path: Path) -> None:
    """An import of `settings` failed in its workers, or gave it ours, by which command came first."""
    names = ("settings", "tasks", "web", "templates")
    for name in names:
        (tmp_path / f"{name}.py").write_text("OF = 'the shop'\n")
    (tmp_path / "shop.py").write_text(
        f"""
from workers import Cluster, KafkaBroker
import {", ".join(names)}
print(*({", ".join(f"{name}.OF" for name in names)},), sep=", ")
broker = KafkaBroker(Cluster(("127.0.0.1:1",), connect_timeout_s=0.2))
broker.declare_queue("orders")
"""
    )
    for command in (["status"], ["doctor"], ["topics"], ["dead-letters", "list", "--since", "2h"]):
        result = run_python("-m", "workers", *command, "--app", "shop:broker", folder=tmp_path)
        assert result.stdout.startswith("the shop, the shop, the shop, the shop\n"), result
        assert result.returncode == 1
        assert "127.0.0.1:1" in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
