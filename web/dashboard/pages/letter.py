"""One dead letter: its arguments, error, traceback, origin and replays; and mending its arguments."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dramatiq.errors import ActorNotFound
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workers.broker.kafka_broker import KafkaBroker
from workers.dead_letters.content import read
from workers.dead_letters.edits import Edit, check_arguments, edited, json_value
from workers.dead_letters.filter import Filter
from workers.dead_letters.letter import DeadLetter
from workers.dead_letters.replay import message_of
from workers.errors import WrongUsage

from ..actions.run import Run
from ..desk import Desk, Viewer
from ..sessions.rights import Permission
from ..text import LONG, MASK, as_json, masked

#: How long a page of one letter waits for the newest ones.
_NEWEST_S = 3.0
#: What is shown of bytes that cannot be read, and so cannot be masked.
_UNREADABLE = "Bytes that cannot be read are hidden from you: a masked field may be in them."


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a job: its place, the parameter's name, and its value as JSON."""

    place: tuple[str, str]
    name: str
    text: str
    can_be_mended: bool


def routes(desk: Desk) -> Sequence[BaseRoute]:
    def show(request: Request, letter_id: str, status: int = 200, **values: Any) -> Response:
        letter = _letter(desk, letter_id)
        if letter is None:
            why = "It was replayed or discarded meanwhile, or its id is wrong."
            if not desk.letters.built.is_complete:
                why = "It may not be in the index yet, which is being built: try again in a moment."
            return desk.say(request, "There is no such dead letter", why, 404)
        viewer: Viewer = request.state.viewer
        hidden = desk.hidden_from(viewer)
        return desk.render(
            request,
            "letter.html",
            status,
            letter=letter,
            arguments=list(arguments_of(desk.broker, letter, hidden)),
            content=_content(desk.broker, letter, hidden),
            given=values.get("given", {}),
            problem=values.get("problem"),
        )

    @desk.open_to(Permission.VIEW)
    def one(request: Request) -> Response:
        return show(request, request.query_params.get("id", ""))

    @desk.open_to(Permission.MEND)
    def mend(request: Request) -> Response:
        form: Mapping[str, str] = request.state.form
        letter_id = form.get("id", "")
        letter = _letter(desk, letter_id)
        if letter is None:
            return show(request, letter_id)
        viewer: Viewer = request.state.viewer
        hidden = desk.hidden_from(viewer)
        try:
            edits = list(edits_of(arguments_of(desk.broker, letter, hidden), form))
            _check(desk.broker, letter, edits)
        except WrongUsage as exc:
            return show(request, letter_id, 422, given=form, problem=str(exc))
        run = Run(
            "replay",
            viewer.session.user,
            Filter(ids=(letter.id,)),
            {"id": letter.id},
            edits=edits,
            at_once=True,
        )
        desk.runs.look(run)
        return desk.to(request, f"/runs/{run.id}")

    return [
        Route("/dead-letters/letter", one, methods=["GET"]),
        Route("/dead-letters/letter", mend, methods=["POST"]),
    ]


def _letter(desk: Desk, letter_id: str) -> DeadLetter | None:
    """The letter with that id, once the newest ones are known. Blocks. Raises KafkaUnreachable."""
    desk.letters.wait_for_first(_NEWEST_S)
    row = desk.letters.find(letter_id)
    return desk.letters.read(row) if row is not None else None


def arguments_of(broker: KafkaBroker, letter: DeadLetter, hidden: frozenset[str]) -> Iterator[Argument]:
    """The arguments of a letter's job, each with the name of the parameter that it is for."""
    message = message_of(letter)
    if message is None:
        return
    names = _parameters(broker, message.actor_name)
    for at, value in enumerate(message.args):
        name = names[at] if at < len(names) else f"argument {at + 1}"
        yield _argument(("args", str(at)), name, value, hidden)
    for key, value in message.kwargs.items():
        yield _argument(("kwargs", str(key)), str(key), value, hidden)


def edits_of(arguments: Iterator[Argument], form: Mapping[str, str]) -> Iterator[Edit]:
    """The arguments that a form has changed. Raises WrongUsage for a text that is no JSON."""
    for argument in arguments:
        given = form.get(".".join(argument.place))
        text = None if given is None else given.replace("\r\n", "\n").strip()
        if text is None or text == argument.text.strip() or not argument.can_be_mended:
            continue
        if MASK in text:
            raise WrongUsage(f"{argument.name} has a field that is hidden from you, so you cannot mend it")
        try:
            yield Edit(argument.place, json_value(text))
        except (ValueError, WrongUsage) as exc:
            raise WrongUsage(f"{argument.name} is no JSON: {exc}; a text stands in double quotes") from exc


def _check(broker: KafkaBroker, letter: DeadLetter, edits: Sequence[Edit]) -> None:
    """Raise WrongUsage if the actor does not take the arguments with these edits."""
    message = message_of(letter)
    if message is None:
        raise WrongUsage("its bytes are no message, so they cannot be mended")
    try:
        function = broker.get_actor(message.actor_name).fn
    except ActorNotFound as exc:
        raise WrongUsage(f"there is no actor {message.actor_name}, so nothing can be checked") from exc
    check_arguments(function, edited(message, edits))


def _argument(place: tuple[str, str], name: str, value: Any, hidden: frozenset[str]) -> Argument:
    shown = MASK if name.casefold() in hidden else masked(value, hidden)
    text = as_json(shown)
    # A longer one is cut where it is shown, and too much to mend in a form.
    can = "." not in place[1] and len(text) <= LONG and _is_json(value)
    return Argument(place, name, text, can)


def _is_json(value: Any) -> bool:
    """Whether the value comes back the same from JSON, so that it can be mended as such."""
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def _parameters(broker: KafkaBroker, actor: str) -> list[str]:
    try:
        return list(inspect.signature(broker.get_actor(actor).fn).parameters)
    except (ActorNotFound, ValueError, TypeError):
        return []


def _content(broker: KafkaBroker, letter: DeadLetter, hidden: frozenset[str]) -> str:
    """The whole job for people; the beginning of bytes that cannot be read, if nothing is hidden."""
    found = read(letter.value)
    if found is None:
        return _UNREADABLE if hidden else repr((letter.value or b"")[:10_000])
    content = found if isinstance(found, dict | list) else vars_of(found)
    return as_json(masked(_without_positional(broker, content, hidden), hidden))


def _without_positional(broker: KafkaBroker, value: Any, hidden: frozenset[str], depth: int = 60) -> Any:
    """The value with the hidden positional arguments of the job masked, and of the jobs in its options."""
    if depth == 0:
        return MASK
    if isinstance(value, list | tuple):
        return [_without_positional(broker, inner, hidden, depth - 1) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {name: _without_positional(broker, inner, hidden, depth - 1) for name, inner in value.items()}
    if isinstance(found.get("args"), list):
        names = _parameters(broker, str(found.get("actor_name")))
        for at, name in enumerate(names[: len(found["args"])]):
            if name.casefold() in hidden:
                found["args"][at] = MASK
    return found


def vars_of(value: Any) -> Any:
    """What is in an object that an encoder of the application's own reads."""
    return getattr(value, "__dict__", value)
