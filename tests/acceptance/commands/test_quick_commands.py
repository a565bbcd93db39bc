"""A command imports only what it needs, so that it answers at once. Modules are counted; nothing is timed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from tests.helpers.programs import run_python

#: They take more time than all the rest of `--help`.
FOR_WORK = {"dramatiq", "kafka", "pydantic", "rich", "workers.broker", "settings.models"}
FOR_THE_CHATBOT = {"sqlalchemy", "alembic", "css_inline", "babel", "aiosmtplib", "jinja2"}

#: Runs commands in this interpreter, one after the other; after each says on standard error what is imported.
SCRIPT = """
import json, sys
from workers.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    status = 0
    try:
        main()
    except SystemExit as exc:
        status = exc.code or 0
    print("imported", status, *sys.modules, file=sys.stderr)
"""

HELP = ["--help", "--version", "status --help", "topics --help", "delayed list --help", "dead-letters --help"]
HELP += ["dead-letters replay --help"]
WRONG = ["nope", "delayed nope", "dead-letters nope"]
LOOKS = ["dead-letters list", "delayed list", "topics"]


def imported_by(
    commands: Sequence[str], *, status: int = 0, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, set[str]]]:
    """Each command with what has been imported up to its end: the first that shows too much is the cause."""
    result = run_python("-c", SCRIPT, json.dumps([command.split() for command in commands]), env=env)
    assert result.returncode == 0, result.stderr
    found = [line.split()[1:] for line in result.stderr.splitlines() if line.startswith("imported")]
    for command, (ended, *modules) in zip(commands, found, strict=True):
        assert int(ended) == status, result.stderr
        yield command, set(modules)


def test_help_imports_nothing_that_only_the_work_needs() -> None:
    for command, imported in imported_by(HELP):
        assert not imported & (FOR_WORK | FOR_THE_CHATBOT | {"tasks"}), command


def test_a_wrong_command_is_told_without_importing_the_right_ones() -> None:
    for command, imported in imported_by(WRONG, status=2):
        assert not imported & (FOR_WORK | FOR_THE_CHATBOT | {"tasks"}), command


def test_a_look_at_kafka_imports_nothing_that_only_the_chatbots_work_needs(
    bootstrap_servers: str, namespace: str
) -> None:
    env = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, "KAFKA_NAMESPACE": namespace}
    for command, imported in imported_by(LOOKS, env=env):
        assert "kafka" in imported
        assert not imported & FOR_THE_CHATBOT, command
