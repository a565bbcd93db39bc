"""The commands, options, make targets and variables that the pages name exist."""

from __future__ import annotations

import io
import logging
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from itertools import takewhile
from typing import Any

import pytest
import typer

from settings.names import setting_names
from tests.helpers.pages import PAGES, blocks, inline_code
from tests.helpers.repository import REPOSITORY
from workers.cli import main, plugins
from workers.cli.commands import app

_VARIABLE = re.compile(r"\b(?:KAFKA|SMTP|WORKER|EVENT|REMINDER|DATABASE)_[A-Z_]+\b")


def _typed(page: str) -> list[str]:
    """The lines that a page tells people to type, and all that its prose shows as code."""
    lines = [
        line.strip().removeprefix("$ ")
        for language in ("console", "text")
        for block in blocks(page, language)
        for line in block.splitlines()
        if line.strip().startswith("$ ")
    ]
    return [line.partition(" #")[0] for line in lines] + inline_code(page)


@cache
def _help(*words: str) -> str | None:
    """The help of a command; None where there is no such command."""
    out = io.StringIO()
    library = logging.getLogger("kafka")
    level = library.level
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        patch.setattr("sys.argv", ["todo-workers", *words, "--help"])
        patch.setenv("COLUMNS", "200")
        try:
            main()
        except SystemExit as exc:
            return None if exc.code else out.getvalue()
        finally:
            library.setLevel(level)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists_with_its_options(page: str) -> None:
    for line in _typed(page):
        if not line.startswith("todo-workers "):
            continue
        words = shlex.split(line)
        shown = _help(*takewhile(lambda word: not word.startswith("-"), words[1:]))
        assert shown is not None, line
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert re.search(rf"(?m)(?<![\w-]){option}(?![\w-])", shown), line


def _cut(group: Any, name: str) -> Iterator[str]:
    """The commands whose summary a terminal of 80 columns cuts, in a group and those below it."""
    # As typer lays a list of commands out.
    room = 78 - 6 - max(map(len, group.commands))
    for each, command in group.commands.items():
        if command.get_short_help_str(room).endswith("..."):
            yield f"{name} {each}"
        if hasattr(command, "commands"):
            yield from _cut(command, f"{name} {each}")


def test_the_summary_of_every_command_is_short_enough_for_a_terminal() -> None:
    root: Any = typer.main.get_command(app)
    for plugin in plugins.plugins():
        loaded = plugins.load(plugin)
        if isinstance(loaded, typer.Typer):
            root.commands[plugin.name] = typer.main.get_command(loaded)
        else:
            alone = typer.Typer()
            alone.command(plugin.name, help=plugins.summary(plugin))(loaded)
            root.commands[plugin.name] = typer.main.get_command(alone)
    assert {"dead-letters", "switches", "outbox", "actions", "web"} <= root.commands.keys()
    assert list(_cut(root, "todo-workers")) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_is_named_exists(page: str) -> None:
    targets = set(re.findall(r"^([\w.-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = [found[1] for line in _typed(page) if (found := re.match(r"make ([a-z][\w.-]*)", line))]
    assert [name for name in named if name not in targets] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_is_named_exists(page: str) -> None:
    named = {name for line in _typed(page) for name in _VARIABLE.findall(line)}
    assert named - setting_names() == set()
