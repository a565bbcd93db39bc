"""Finds the application that a command is about: a module with actors, named as for the dramatiq command."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import dramatiq

from .broker.kafka_broker import KafkaBroker
from .errors import UnknownQueue, WorkersError, WrongUsage

#: The group of entry points by which an installed application names its module and broker.
GROUP = "todo_workers.apps"
#: The groups of entry points that name further checks of the doctor, and further lines of the status.
DOCTOR_GROUP, STATUS_GROUP = "todo_workers.doctor", "todo_workers.status"


def load_broker(app: str | None) -> KafkaBroker:
    """The broker that :func:`load_application` finds."""
    return load_application(app)[1]


def load_application(app: str | None) -> tuple[ModuleType, KafkaBroker]:
    """Import ``module`` or ``module:attribute`` and return the module and its broker.

    Without ``app`` it is the application that is installed besides the chatbot, or the chatbot if none is;
    without an attribute, it takes the broker that the module has set as dramatiq's. Raises WorkersError if
    there is no such module, no KafkaBroker in it, or if several are installed besides the chatbot; errors of
    the module's own code pass through.
    """
    name = app or _installed().value
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


def require_queue(broker: KafkaBroker, queue: str) -> None:
    """Raise WrongUsage for a queue that is not declared."""
    try:
        broker.require_queue(queue)
    except UnknownQueue as exc:
        raise WrongUsage(str(exc)) from exc


def is_chatbot(app: str | None) -> bool:
    """Whether a command is about the chatbot. Raises WorkersError if several others are installed."""
    return app is None and _is_ours(_installed())


def additions(group: str) -> dict[str, Any]:
    """What the installed application's package adds to a command about it, by the entry points' names.

    One whose own requirements are not installed adds nothing. Raises WorkersError if several are installed
    besides the chatbot.
    """
    package = _package(_installed())
    return dict(_loaded(point for point in entry_points(group=group) if _package(point) == package))


def all_additions(group: str) -> list[Any]:
    """What all installed packages add by the entry points of a group.

    One whose own requirements are not installed adds nothing.
    """
    return [found for _, found in _loaded(entry_points(group=group))]


def _loaded(points: Iterable[EntryPoint]) -> Iterator[tuple[str, Any]]:
    for point in sorted(points):
        with suppress(ModuleNotFoundError):
            yield point.name, point.load()


def _installed() -> EntryPoint:
    found = sorted(entry_points(group=GROUP))
    others = [point for point in found if not _is_ours(point)]
    if len(others) > 1:
        names = ", ".join(point.value for point in others)
        raise WorkersError(f"several applications are installed; choose one by --app: {names}")
    if not found:
        raise WorkersError("Which application? Name its module, for example --app shop.actors")
    return (others or found)[0]


def _is_ours(point: EntryPoint) -> bool:
    return _package(point) == "todo-workers"


def _package(point: EntryPoint) -> str | None:
    return None if point.dist is None else point.dist.name
