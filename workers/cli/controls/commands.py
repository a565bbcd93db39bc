"""Declares `todo-workers queues`, `switches` and `jobs` with their options."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from ...controls.then import Then
from ...dead_letters.filter import Filter
from ..dead_letters.shared_options import places
from ..options import App, JsonArray, command_group
from ..who import By, who

queues_app = command_group("Pause queues and let them go on.")
switches_app = command_group("Take jobs out before they start, by a filter.")
jobs_app = command_group("Find out about a single job.")

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name.")]
Reason = Annotated[str, typer.Option("--reason", help="For those who look at it later.")]
Wait = Annotated[
    str, typer.Option("--wait", metavar="TIME", help="Wait at most so long for all workers to confirm.")
]
IgnoreSilent = Annotated[
    bool, typer.Option("--ignore-silent", help="Workers not heard of for a while are known to be dead.")
]
JsonObject = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@queues_app.command("pause")
def pause(
    queue: Queue,
    *,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Only for so long: 30m, 2h, 1d.")
    ] = None,
    reason: Reason = "",
    by: By = None,
    wait: Wait = "10s",
    ignore_silent: IgnoreSilent = False,
    app: App = None,
    json: JsonObject = False,
) -> None:
    """Let no job of a queue start; jobs that run finish. Exits with 1 if not all workers have confirmed."""
    from .queues import pause

    raise typer.Exit(
        pause(
            app,
            queue,
            for_=for_,
            who=who(by),
            why=reason,
            wait=wait,
            ignore_silent=ignore_silent,
            as_json=json,
        )
    )


@queues_app.command("resume")
def resume(
    queue: Queue,
    *,
    reason: Reason = "",
    by: By = None,
    wait: Wait = "10s",
    ignore_silent: IgnoreSilent = False,
    app: App = None,
    json: JsonObject = False,
) -> None:
    """Let the jobs of a queue start again."""
    from .queues import resume

    raise typer.Exit(
        resume(app, queue, who=who(by), why=reason, wait=wait, ignore_silent=ignore_silent, as_json=json)
    )


@queues_app.command("list")
def list_queues(app: App = None, json: JsonArray = False) -> None:
    """Show the queues, and which are paused, by whom and why."""
    from .queues import show

    show(app, as_json=json)


@switches_app.command("add")
def add(
    *,
    then: Annotated[Then, typer.Option(help="What becomes of a job that matches.")],
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Only with this id, or one that begins so.")
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Only of this queue.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only of this actor.")] = None,
    text: Annotated[str | None, typer.Option(help="Only with this text in the arguments.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE=VALUE", help="Only with this value there: args.0.todo.id=x."),
    ] = None,
    reason: Reason = "",
    by: By = None,
    wait: Wait = "10s",
    ignore_silent: IgnoreSilent = False,
    app: App = None,
    json: JsonObject = False,
) -> None:
    """Let no job start that matches: hold it, or discard it.

    It must match all that is given. One that is held becomes a dead letter.
    """
    from .switches import add

    wanted = Filter(ids=tuple(ids or ()), queue=queue, actor=actor, text=text, where=places(where))
    raise typer.Exit(
        add(app, wanted, then, who=who(by), why=reason, wait=wait, ignore_silent=ignore_silent, as_json_=json)
    )


@switches_app.command("list")
def list_switches(app: App = None, json: JsonArray = False) -> None:
    """Show the switches, and how many jobs each has taken out."""
    from .switches import show

    show(app, as_json=json)


@switches_app.command("lift")
def lift(
    switch: Annotated[str, typer.Argument(metavar="ID", help="The switch's id, or how it begins.")],
    *,
    reason: Reason = "",
    by: By = None,
    wait: Wait = "10s",
    ignore_silent: IgnoreSilent = False,
    app: App = None,
    json: JsonObject = False,
) -> None:
    """End a switch, and replay the jobs that it holds, in their order.

    Nothing is replayed before all workers have confirmed.
    """
    from .switches import end

    # One that has to stop says what to do next, and in the log that it has ended: others wait for that.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raise typer.Exit(
        end(app, switch, who=who(by), why=reason, wait=wait, ignore_silent=ignore_silent, as_json=json)
    )


@jobs_app.command("why")
def why(
    job: Annotated[str, typer.Argument(metavar="ID", help="The job's id, or how it begins.")],
    app: App = None,
    json: JsonObject = False,
) -> None:
    """Say why a job waits, or what became of it. Exits with 1 if there is no trace of it."""
    from .jobs import tell

    raise typer.Exit(tell(app, job, as_json=json))
