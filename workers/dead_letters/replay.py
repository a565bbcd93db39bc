"""A dead letter as a job again, with its arguments mended. Pure: no I/O, no clock."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dramatiq
import pydantic

from ..errors import Undecodable, WrongUsage
from ..records import envelope
from ..records.envelope import Record
from ..records.headers import (
    ID_HEADER,
    ORIGIN_HEADER,
    REPLAYED_HEADER,
    REPLAYS_HEADER,
    TOO_LONG_HEADER,
    Headers,
    source_named_in,
)
from ..topics import Topics
from .letter import MAX_REPLAY_TIMES, DeadLetter

#: What dramatiq's Retries, and whoever gave the job up, left in its options.
_FORGOTTEN_OPTIONS = frozenset({"retries", "traceback", "requeue_timestamp"})
#: Headers that are made anew.
_OWN_HEADERS = frozenset({ID_HEADER, ORIGIN_HEADER, REPLAYS_HEADER, REPLAYED_HEADER, "eta", "queue"})


@dataclass(frozen=True, slots=True)
class Edit:
    """A new value for one place in a message, such as ``args.0.email``."""

    path: tuple[str, ...]
    value: Any

    @property
    def place(self) -> str:
        return ".".join(self.path)


def parse_edit(text: str) -> Edit:
    """Read ``args.0.email=ann@example.com``; a value that is not JSON is text. Raises WrongUsage."""
    place, equals, value = text.partition("=")
    path = tuple(place.split("."))
    if not equals or len(path) < 2 or path[0] not in {"args", "kwargs"}:
        raise WrongUsage(
            f"--set {text!r} should be a place and a value, such as args.0.email=ann@example.com"
        )
    try:
        return Edit(path, json.loads(value))
    except ValueError:
        return Edit(path, value)


def revived(
    letter: DeadLetter, topics: Topics, *, now_ms: int, to: str | None = None, edits: Sequence[Edit] = ()
) -> tuple[str, Record]:
    """The topic and the record of the job that a dead letter holds, to run as if for the first time.

    It keeps its message id; its attempts start again; its replays are counted. Bytes that are no message
    stay as they are and go where they came from; those of a source go to the queue's own topic. Raises
    WrongUsage where ``edits`` do not fit, or the bytes were not kept.
    """
    value, queue = letter.value, letter.queue
    message = _message(letter)
    if any(name == TOO_LONG_HEADER for name, _ in letter.job_headers):
        raise WrongUsage(
            f"dead letter {letter.id} cannot be replayed: its record was too long, see {letter.origin}"
        )
    if message is None and (edits or to):
        raise WrongUsage(f"dead letter {letter.id} cannot be changed: it is not a readable message")
    if message is not None:
        changed = mended(message, edits)
        options = {name: kept for name, kept in changed.options.items() if name not in _FORGOTTEN_OPTIONS}
        queue = to or message.queue_name
        changed = changed.copy(queue_name=queue)
        changed = dramatiq.Message(**{**changed.asdict(), "options": options})
        value = letter.value if changed == message else changed.encode()
    headers: Headers = [(name, kept) for name, kept in letter.job_headers if name not in _OWN_HEADERS]
    times = (*letter.replayed_at_ms, now_ms)[-MAX_REPLAY_TIMES:]
    headers += [
        (ID_HEADER, letter.id.encode()),
        (ORIGIN_HEADER, letter.first_origin.encode()),
        (REPLAYS_HEADER, str(letter.replays + 1).encode()),
        (REPLAYED_HEADER, ",".join(str(ms) for ms in times).encode()),
    ]
    if message is None and queue and source_named_in(headers):
        # A source is not ours to write to; the header tells the queue how to read it.
        return topics.jobs(queue), Record(letter.job_key, value, headers)
    if message is None:
        return letter.origin.topic, Record(letter.job_key, value, headers)
    headers.append(("queue", str(queue).encode()))
    return topics.jobs(str(queue)), Record(letter.job_key, value, headers)


def mended(message: dramatiq.Message[Any], edits: Sequence[Edit]) -> dramatiq.Message[Any]:
    """The message with other arguments. Raises WrongUsage for a place that it does not have."""
    arguments: dict[str, Any] = {"args": list(message.args), "kwargs": dict(message.kwargs)}
    arguments = json.loads(json.dumps(arguments))  # a copy down to the leaves
    for edit in edits:
        target: Any = arguments
        for step in edit.path[:-1]:
            target = _child(target, step, edit, message)
        last = edit.path[-1]
        if isinstance(target, list):
            _child(target, last, edit, message)
            target[int(last)] = edit.value
        elif isinstance(target, dict):
            target[last] = edit.value
        else:
            raise _no_place(edit, message)
    return message.copy(args=tuple(arguments["args"]), kwargs=arguments["kwargs"]) if edits else message


def check_arguments(function: Callable[..., Any], message: dramatiq.Message[Any]) -> None:
    """Raise WrongUsage where the actor's function does not take the message's arguments.

    Their number and names are checked, and their values against the annotations.
    """
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*message.args, **message.kwargs)
    except TypeError as exc:
        raise WrongUsage(f"actor {message.actor_name} does not take these arguments: {exc}") from exc
    annotations = _annotations(function)
    for name, given in bound.arguments.items():
        if name not in annotations:
            continue
        for value in _values(signature.parameters[name], given):
            _check_value(message.actor_name, name, annotations[name], value)


def _values(parameter: inspect.Parameter, given: Any) -> Iterable[Any]:
    """What the parameter's annotation is about: of ``*args`` and ``**kwargs`` each one."""
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


def _check_value(actor: str, name: str, annotation: Any, given: Any) -> None:
    try:
        pydantic.TypeAdapter(annotation).validate_python(given)
    except pydantic.ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join([name, *map(str, one['loc'])])}: {one['msg'].removeprefix('Value error, ')}"
            for one in exc.errors()
        )
        raise WrongUsage(f"actor {actor} does not take this {name}: {problems}") from exc
    except pydantic.PydanticSchemaGenerationError:
        return


def _message(letter: DeadLetter) -> dramatiq.Message[Any] | None:
    if source_named_in(letter.job_headers):
        return None
    try:
        message = envelope.decode(letter.value, letter.queue or "")
    except Undecodable:
        return None
    return message


def _child(target: Any, step: str, edit: Edit, message: dramatiq.Message[Any]) -> Any:
    try:
        return target[int(step) if isinstance(target, list) else step]
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        raise _no_place(edit, message) from exc


def _no_place(edit: Edit, message: dramatiq.Message[Any]) -> WrongUsage:
    return WrongUsage(f"message {message.message_id} has no {edit.place}; `show` prints what it has")
