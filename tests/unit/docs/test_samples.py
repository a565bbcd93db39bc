"""The Python samples of the pages compile, and what they import and call is there.

A sample is a part of a program: names that the text around it has introduced are free in it.
"""

from __future__ import annotations

import ast
import importlib
from importlib.util import find_spec
from types import ModuleType

import pytest

import tasks
from tasks.notifications.recipients import RecipientStore
from tests.helpers.pages import PAGES, blocks
from workers import KafkaBroker

#: Packages that a page shows; where one is not installed, nothing is said about it.
_OTHERS = {
    "aiokafka",
    "apscheduler",
    "confluent_kafka",
    "django_dramatiq",
    "dramatiq_abort",
    "dramatiq_crontab",
    "dramatiq_workflow",
    "flask",
    "flask_dramatiq",
    "periodiq",
    "sentry_sdk",
}
#: The reader's own modules.
_READERS = {"shop"}

SAMPLES = [
    pytest.param(text, id=f"{page}-{number}")
    for page in PAGES
    for number, text in enumerate(blocks(page, "python"), start=1)
]

#: Values that samples call by these names.
_KNOWN = {"tasks": tasks, "broker": KafkaBroker, "recipients": RecipientStore}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_compiles_and_what_it_imports_is_there(sample: str) -> None:
    compile(sample, "sample", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(ast.parse(sample)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = _module(node.module or "")
            for alias in node.names:
                if module is not None and not hasattr(module, alias.name):
                    importlib.import_module(f"{module.__name__}.{alias.name}")  # as `from` does


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_a_sample_uses_of_ours_is_there(sample: str) -> None:
    for node in ast.walk(ast.parse(sample)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = _KNOWN.get(node.value.id)
            assert owner is None or hasattr(owner, node.attr), ast.unparse(node)


def _module(name: str) -> ModuleType | None:
    package = name.partition(".")[0]
    if package in _READERS or (package in _OTHERS and find_spec(package) is None):
        return None
    return importlib.import_module(name)
