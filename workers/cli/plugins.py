"""Finds the commands that packages add to `todo-workers` by entry points of one group.

A plugin is imported when its command runs, not before: the other commands stay quick, and work even if the
plugin does not.
"""

from __future__ import annotations

import ast
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

_WITH_EXTRAS = "pip install 'todo-workers[local,web]'"
GROUP = "todo_workers.commands"


def plugins() -> list[EntryPoint]:
    """The installed plugins, by name."""
    return sorted(entry_points(group=GROUP), key=lambda plugin: plugin.name)


def load(plugin: EntryPoint) -> Any:
    """Import the plugin's command. Raises WorkersError if that is impossible; its own errors pass."""
    try:
        return plugin.load()
    except (ImportError, AttributeError) as exc:
        from ..errors import WorkersError

        ours = plugin.dist is not None and plugin.dist.name == "todo-workers"
        is_missing = isinstance(exc, ModuleNotFoundError) and ours
        hint = f". What is missing may be in an extra: {_WITH_EXTRAS}" if is_missing else ""
        raise WorkersError(f"The command {plugin.name} cannot be loaded: {exc}{hint}") from exc


def summary(plugin: EntryPoint) -> str:
    """One line about the plugin, read without importing it; empty if unknown.

    It is the first line of the docstring: of the function if the plugin is one, else of its module.
    """
    try:
        module = ast.parse(_source(plugin.module))
    except (OSError, SyntaxError):
        return ""
    functions = (n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == plugin.attr)
    docstring = ast.get_docstring(next(functions, module))
    return (docstring or "").partition("\n")[0]


def _source(module: str) -> str:
    """The text of a module; importlib's own way to find it would import the packages it is in."""
    spec, path, name = None, None, ""
    for part in module.split("."):
        name = f"{name}.{part}".lstrip(".")
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            break
        path = spec.submodule_search_locations
    if spec is None or spec.origin is None:
        raise FileNotFoundError(module)
    return Path(spec.origin).read_text(encoding="utf-8")
