"""Every error of the chatbot has plain text, whatever a mail server or a database said."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

import tasks
from tasks.notifications.delivery_store import DeliveryBusy
from tasks.notifications.languages import language_for
from tasks.notifications.notice import RenderError
from tasks.notifications.rendering import render_part
from tasks.storage.engine import DatabaseUnavailable, errors_of, make_engine
from workers.errors import WorkersError

SAID = "Empfänger".encode("latin-1").decode(errors="surrogateescape")
PLAIN = r"Empf\xe4nger"

#: Alembic runs the one, and the other's errors hold files.
APART = ("tasks.storage.migrations", "tasks.demo")


def kinds(base: type[WorkersError]) -> Iterator[type[WorkersError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def test_no_error_of_the_chatbot_keeps_text_that_cannot_be_stored() -> None:
    for module in pkgutil.walk_packages(tasks.__path__, "tasks."):
        if not module.name.startswith(APART):
            importlib.import_module(module.name)
    found = {kind for kind in kinds(WorkersError) if kind.__module__.startswith("tasks.")}
    ours = {kind for kind in found if not kind.__module__.startswith(APART)}
    assert len(ours) > 8
    for kind in ours:
        error = kind(SAID, 1_000) if kind is DeliveryBusy else kind(SAID)
        assert str(error) == PLAIN, kind


def test_what_a_database_says_is_told_as_plain_text(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/todo.db")
    with pytest.raises(DatabaseUnavailable) as caught, errors_of(engine):
        raise OperationalError("SELECT 1", None, Exception(SAID))
    engine.dispose()
    assert PLAIN in str(caught.value)


def test_what_a_template_says_is_told_as_plain_text() -> None:
    with pytest.raises(RenderError) as caught:
        render_part(f"{SAID}/subject.txt", {}, language_for("en"))
    assert PLAIN in str(caught.value)
