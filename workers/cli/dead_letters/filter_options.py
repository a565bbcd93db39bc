"""The options that say which dead letters a command is about, written once for all commands."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ...dead_letters.filter import Filter
from ...dead_letters.letter import Reason
from ..times import parse_time


def takes_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's parameter ``wanted`` by the options of the filter; the command gets the filter."""
    own, options = (inspect.signature(function, eval_str=True).parameters for function in (command, _filter))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        wanted = _filter(**{name: given.pop(name) for name in options})
        command(wanted=wanted, **given)

    merged: list[inspect.Parameter] = []
    for name, parameter in own.items():
        merged += options.values() if name == "wanted" else [parameter]
    # typer asks for both.
    run.__signature__ = inspect.Signature(merged)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in merged}
    return run


def _filter(
    *,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only of this actor.")] = None,
    reason: Annotated[Reason | None, typer.Option(help="Only given up for this reason.")] = None,
    exception: Annotated[
        str | None, typer.Option(help="Only with this exception, such as ValueError.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Only with this text in arguments, error or traceback.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only given up since then: 2h, 3d, or ISO.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only given up until then.")] = None,
) -> Filter:
    """The filter that the options describe. Raises WrongUsage."""
    now_ms = int(time.time() * 1000)
    since_ms, until_ms = (parse_time(value, now_ms) if value else None for value in (since, until))
    return Filter(
        queue=queue,
        actor=actor,
        reason=reason,
        exception=exception,
        text=text,
        since_ms=since_ms,
        until_ms=until_ms,
    )
