"""Edited arguments of a job that is replayed, and the check that its actor takes them. Pure."""

from __future__ import annotations

import functools
import inspect
import json
import math
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import dramatiq
import pydantic

from ..errors import WrongUsage

T = TypeVar("T")

#: How many functions and parameters are known: to look at one takes a millisecond, and many letters have it.
_KNOWN = 1_000

#: What pydantic raises for a type that it cannot check: one that it does not know, such as a TypedDict of
#: `typing` before Python 3.12, or one with a name that only type checkers see.
_CANNOT_CHECK = (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation)


@dataclass(frozen=True, slots=True)
class Edit:
    """A new value for one place in a message, such as ``args.0.email``."""

    path: tuple[str, ...]
    value: Any

    @property
    def place(self) -> str:
        return ".".join(self.path)


def parse_edit(text: str) -> Edit:
    """Read ``args.0.email=ann@example.com``; a value that is not JSON is text. Raises WrongUsage.

    ``NaN`` and the like are refused, not text: who writes them means a number.
    """
    place, equals, value = text.partition("=")
    path = tuple(place.split("."))
    if not equals or len(path) < 2 or path[0] not in {"args", "kwargs"}:
        raise WrongUsage(
            f"--set {text!r} should be a place and a value, such as args.0.email=ann@example.com"
        )
    try:
        return Edit(path, json_value(value))
    except ValueError:
        return Edit(path, value)
    except WrongUsage as exc:
        raise WrongUsage(f"--set {place}: {exc}; a text stands in double quotes") from exc


def json_value(text: str) -> Any:
    """Read a JSON value.

    Raises ValueError for a text that is no JSON, and WrongUsage for one that Python reads though others do
    not, as it has NaN or Infinity in it, or that is nested too deep to be read.
    """
    try:
        json.loads(text)  # a text may begin as one of those numbers does
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError as exc:
        raise WrongUsage("it is nested too deep") from exc


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise WrongUsage(f"{text[:40]} is no number of JSON, or none that can be kept")


def edited(message: dramatiq.Message[Any], edits: Sequence[Edit]) -> dramatiq.Message[Any]:
    """The message with other arguments; the message itself if there are no edits.

    Only the containers of an edited place are copied: the rest may be of types that only the application's
    encoder knows. Raises WrongUsage for a place that the message does not have.
    """
    if not edits:
        return message
    arguments: Any = {"args": list(message.args), "kwargs": message.kwargs}
    for edit in edits:
        try:
            arguments = _replaced(arguments, edit.path, edit.value)
        except (KeyError, IndexError, ValueError, TypeError) as exc:
            text = f"message {message.message_id} has no {edit.place}; `show` prints what it has"
            raise WrongUsage(text) from exc
    return message.copy(args=tuple(arguments["args"]), kwargs=arguments["kwargs"])


def _replaced(container: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of a list or a dict with another value at the end of ``path``.

    A dict takes a new key. Raises KeyError, IndexError, ValueError or TypeError for any other place that
    is not there.
    """
    step, *rest = path
    if isinstance(container, dict):
        new = _replaced(container[step], rest, value) if rest else value
        return container | {step: new}
    if isinstance(container, list | tuple):
        items, at = list(container), int(step)
        items[at] = _replaced(items[at], rest, value) if rest else value
        return items
    raise TypeError(f"{type(container).__name__} has no places")


def check_arguments(function: Callable[..., Any], message: dramatiq.Message[Any]) -> None:
    """Raise WrongUsage if the actor's function does not take the message's arguments.

    Their number and names are checked, and their values against the annotations.
    """
    signature = _signature(function)
    try:
        bound = signature.bind(*message.args, **message.kwargs)
    except TypeError as exc:
        raise WrongUsage(f"actor {message.actor_name} does not take these arguments: {exc}") from exc
    for name, given in bound.arguments.items():
        if (adapter := _adapter(function, name)) is None:
            continue
        for value in _values(signature.parameters[name], given):
            _check_value(message.actor_name, name, adapter, value)


def _remembered(look: Callable[..., T]) -> Callable[..., T]:
    """Look once for the same arguments; each time for a function that is an object without a hash."""
    known = functools.lru_cache(_KNOWN)(look)

    @functools.wraps(look)
    def look_once(*args: Any) -> T:
        try:
            hash(args)
        except TypeError:
            return look(*args)
        return known(*args)

    return look_once


@_remembered
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


@_remembered
def _adapter(function: Callable[..., Any], name: str) -> pydantic.TypeAdapter[Any] | None:
    """What checks the values of a parameter by its annotation; None if nothing can."""
    annotations = _annotations(function)
    if name not in annotations:
        return None
    try:
        adapter = pydantic.TypeAdapter(annotations[name])
        adapter.rebuild()  # otherwise a name that it lacks is missed only at the first value
    except _CANNOT_CHECK:
        return None
    return adapter


def _values(parameter: inspect.Parameter, given: Any) -> Iterable[Any]:
    """The values that the parameter's annotation is about: for ``*args`` and ``**kwargs``, each of them."""
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return tuple(given)
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return tuple(given.values())
    return (given,)


def _annotations(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except Exception:  # noqa: BLE001 - names that only type checkers see; then there is nothing to check by
        return {}


def _check_value(actor: str, name: str, adapter: pydantic.TypeAdapter[Any], given: Any) -> None:
    try:
        adapter.validate_python(given)
    except pydantic.ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join([name, *map(str, one['loc'])])}: {one['msg'].removeprefix('Value error, ')}"
            for one in exc.errors()
        )
        raise WrongUsage(f"actor {actor} does not take this {name}: {problems}") from exc
