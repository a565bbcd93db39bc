"""Finds the application that a command is about: a module with actors, named as for the dramatiq command."""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import dramatiq

from .broker.kafka_broker import KafkaBroker
from .errors import WorkersError

#: The group of entry points that name the modules of installed applications.
GROUP = "todo_workers.apps"
#: The groups of entry points that name further checks of the doctor, and further lines of the status.
DOCTOR_GROUP, STATUS_GROUP = "todo_workers.doctor", "todo_workers.status"


def load_broker(app: str | None) -> KafkaBroker:
    """The broker that :func:`load_application` finds."""
    return load_application(app)[1]


def load_application(app: str | None) -> tuple[ModuleType, KafkaBroker]:
    """Import ``module`` or ``module:attribute`` and return the module and its broker.

    Without ``app`` it takes the first entry point; without an attribute, the broker that the module has set
    as dramatiq's. Raises WorkersError if there is no such module or no KafkaBroker in it; errors of the
    module's own code pass through.
    """
    name = app or _installed()
    module_name, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{module_name}.".startswith(f"{exc.name}."):
            raise
        raise WorkersError(f"There is no module {module_name!r}; --app takes what `dramatiq` takes") from exc
    broker = getattr(module, attribute, None) if attribute else dramatiq.get_broker()
    if not isinstance(broker, KafkaBroker):
        raise WorkersError(f"{name} has no KafkaBroker; name it as in --app {module_name}:broker")
    return module, broker


def additions(group: str) -> dict[str, Any]:
    """What installed packages add to a command about the installed application, by the entry points' names.

    One whose own requirements are not installed adds nothing.
    """
    found = {}
    for point in sorted(entry_points(group=group)):
        with suppress(ModuleNotFoundError):
            found[point.name] = point.load()
    return found


def _installed() -> str:
    found = sorted(entry_points(group=GROUP))
    if not found:
        raise WorkersError("Which application? Name its module, for example --app shop.actors")
    return found[0].value
