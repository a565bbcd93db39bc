"""A command imports only what it needs, so that it answers at once. Modules are counted; nothing is timed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.helpers.programs import run_python

#: They take more time than all the rest of `--help`.
FOR_WORK = {"dramatiq", "kafka", "pydantic", "pydantic_settings", "rich", "workers.broker", "settings.models"}
FOR_THE_CHATBOT = {"sqlalchemy", "alembic", "css_inline", "babel", "aiosmtplib", "jinja2"}

#: Runs a command in this interpreter, then says on standard error what it has imported.
SCRIPT = """
import sys
from workers.cli import main
try:
    main()
finally:
    print("imported", *sys.modules, file=sys.stderr)
"""


def imported_by(*words: str, status: int = 0, env: Mapping[str, str] | None = None) -> set[str]:
    result = run_python("-c", SCRIPT, *words, env=env)
    assert result.returncode == status, result.stderr
    return set(result.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["status", "--help"],
        ["topics", "--help"],
        ["delayed", "list", "--help"],
        ["dead-letters", "--help"],
        ["dead-letters", "replay", "--help"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_that_only_the_work_needs(words: list[str]) -> None:
    assert not imported_by(*words) & (FOR_WORK | FOR_THE_CHATBOT | {"tasks"})


@pytest.mark.parametrize("words", [["nope"], ["delayed", "nope"], ["dead-letters", "nope"]], ids=" ".join)
def test_a_wrong_command_is_told_without_importing_the_right_ones(words: list[str]) -> None:
    assert not imported_by(*words, status=2) & (FOR_WORK | FOR_THE_CHATBOT | {"tasks"})


@pytest.mark.parametrize("words", [["dead-letters", "list"], ["delayed", "list"], ["topics"]], ids=" ".join)
def test_a_look_at_kafka_imports_nothing_that_only_the_chatbots_work_needs(
    words: list[str], bootstrap_servers: str, namespace: str
) -> None:
    env = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, "KAFKA_NAMESPACE": namespace}
    imported = imported_by(*words, env=env)
    assert "kafka" in imported
    assert not imported & FOR_THE_CHATBOT
