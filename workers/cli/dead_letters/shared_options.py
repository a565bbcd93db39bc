"""The options that several commands have, written once: which dead letters are meant, and how to act on them.

A command names them by one parameter::

    @takes(wanted=meant, options=how)
    def discard(*, app: App = None, wanted: Filter, options: Options) -> None: ...
"""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from ...dead_letters.filter import Filter, Place, parse_place
from ...dead_letters.letter import Reason
from ..times import parse_time
from ..who import By, who


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function, eval_str=True).parameters)


def takes(**makers: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace the parameters of these names by the parameters of their makers.

    The decorated function gets what the makers return.
    """
    options = {name: _parameters(maker) for name, maker in makers.items()}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(**given: Any) -> Any:
            for name, maker in makers.items():
                given[name] = maker(**{option: given.pop(option) for option in options[name]})
            return function(**given)

        merged: list[inspect.Parameter] = []
        for name, parameter in _parameters(function).items():
            merged += options[name].values() if name in options else [parameter]
        # typer asks for both.
        run.__signature__ = inspect.Signature(merged)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in merged}
        return run

    return decorate


def filter_of(
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
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE=VALUE", help="Only with this value there: args.0.todo.id=x."),
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
        where=places(where),
        since_ms=since_ms,
        until_ms=until_ms,
    )


def places(texts: list[str] | None) -> tuple[Place, ...]:
    """The places that ``--where`` names. Raises WrongUsage."""
    from ...errors import WrongUsage

    try:
        return tuple(map(parse_place, texts or ()))
    except ValueError as exc:
        raise WrongUsage(f"--where {exc}") from exc


@takes(wanted=filter_of)
def meant(
    *,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or how they begin.")
    ] = None,
    wanted: Filter,
    all_: Annotated[
        bool, typer.Option("--all", help="Mean all dead letters, where nothing else says which.")
    ] = False,
) -> Filter:
    """The filter with ids. Raises WrongUsage if nothing says which dead letters are meant."""
    wanted = replace(wanted, ids=tuple(ids or ()))
    if wanted.is_empty and not all_:
        from ...errors import WrongUsage

        raise WrongUsage("Which dead letters? Name ids or filters, or --all")
    return wanted


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a replay or a discard."""

    dry_run: bool = False
    yes: bool = False
    limit: int | None = None
    rate_per_s: float | None = None
    who: str = ""
    wait_s: float | None = None


def how(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many and which.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask no question.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the oldest first.")] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="N/s", help="At most so many in a second: 50/s.")
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Wait so long for others that act; else until they end."),
    ] = None,
    by: By = None,
) -> Options:
    """The options, with the rate read. Raises WrongUsage."""
    return Options(dry_run, yes, limit, None if rate is None else _per_second(rate), who(by), wait)


def _per_second(text: str) -> float:
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if not (rate > 0 and math.isfinite(rate)):
        from ...errors import WrongUsage

        raise WrongUsage(f"--rate {text!r} should be a number of jobs per second, such as 50/s")
    return rate
