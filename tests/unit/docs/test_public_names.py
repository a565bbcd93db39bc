"""The guide's table of public names has each one that a page tells to import, and all of them are there."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.helpers.pages import PAGES, blocks, inline_code, prose

_OURS = {"settings", "tasks", "templates", "web", "workers"}
_ROW = re.compile(r"^\| `([\w.]+)` \| (.+) \|$", re.MULTILINE)
_CALL = re.compile(rf"(?:{'|'.join(sorted(_OURS))})(?:\.\w+)+(?=\()")


def public_names() -> dict[str, set[str]]:
    """The names of each module in the table. Where all of a module are public, no name is missing."""
    table = prose("docs/guide.md").partition("These names are public")[2].split("\n\n")[1]
    return {
        module: _all(module) if what.startswith("every") else _named(what)
        for module, what in _ROW.findall(table)
    }


def _all(module: str) -> set[str]:
    found = importlib.import_module(module)
    return set(getattr(found, "__all__", dir(found)))


def _named(what: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", what))


def told(page: str) -> Iterator[tuple[str, str]]:
    """The modules of ours and their names that a page imports or calls."""
    for sample in blocks(page, "python"):
        for node in ast.walk(ast.parse(sample)):
            if isinstance(node, ast.ImportFrom):
                yield from ((node.module or "", alias.name) for alias in node.names)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield node.value.id, node.attr
    for code in inline_code(page):
        yield from map(_module_and_name, _CALL.findall(code))


def _module_and_name(dotted: str) -> tuple[str, str]:
    """The module that a dotted name begins with, and what it names there."""
    module, name, *rest = dotted.split(".")
    while rest and find_spec(f"{module}.{name}"):
        module, name = f"{module}.{name}", rest.pop(0)
    return module, name


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_to_import_is_public(page: str) -> None:
    table = public_names()
    missing = {
        (module, name)
        for module, name in told(page)
        if module.partition(".")[0] in _OURS and name not in table.get(module, ())
    }
    assert missing == set()


def test_what_is_public_is_there() -> None:
    table = public_names()
    assert table
    for module, names in table.items():
        found = importlib.import_module(module)
        assert names
        assert [name for name in names if not hasattr(found, name)] == []
