"""Which application's queues a command is about: a module with actors, as dramatiq's own command takes it."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import dramatiq

from .broker.kafka_broker import KafkaBroker
from .errors import WorkersError

#: Entry points that name the module of an installed application.
GROUP = "todo_workers.apps"


def load_broker(app: str | None) -> KafkaBroker:
    """The broker of :func:`load_application`."""
    return load_application(app)[1]


def load_application(app: str | None) -> tuple[ModuleType, KafkaBroker]:
    """Import ``module`` or ``module:attribute``, and give it and its broker; by default an entry point's.

    Without an attribute it is the broker that the module has set as dramatiq's. Raises WorkersError where
    there is none, or it is not a KafkaBroker; errors of the module's own code pass.
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


def _installed() -> str:
    found = sorted(entry_points(group=GROUP))
    if not found:
        raise WorkersError("Which application? Name its module, for example --app shop.actors")
    return found[0].value
