"""Says who may see a todo, and what they see of it: live and by request alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: The fields of a todo that its owner and those who watch it see.
TODO_FIELDS = ("id", "title", "description", "due", "reminders", "recurrence")


def people_of(todo: Mapping[str, Any]) -> Iterable[str]:
    """The addresses of the owner, and of those whom the todo's field ``watchers`` lists.

    Publishers may give that field any value: what is no list, or no text in it, names nobody. Nor does an
    address that is no text.
    """
    watchers = todo.get("watchers")
    listed = watchers if isinstance(watchers, list) else ()
    return [one for one in (todo["owner"]["email"], *listed) if isinstance(one, str)]


def visible_todo(todo: Mapping[str, Any]) -> dict[str, Any]:
    """A todo without the address of its owner, and without fields that only an application knows."""
    return {**visible_fields(todo), "owner": {"name": todo["owner"]["name"]}}


def visible_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of values by the field's name, those that people see."""
    return {name: value for name, value in values.items() if name in TODO_FIELDS}
