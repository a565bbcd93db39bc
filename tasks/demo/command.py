"""`todo-workers demo`: see the pool work, on real services."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object on the last line of stdout.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running after the summary, until Ctrl-C.")
    ] = False,
    web: Annotated[
        bool,
        typer.Option("--web", help="Serve the chatbot's page until Ctrl-C, instead of playing a script."),
    ] = False,
) -> None:
    """Watch events become mails and audit rows, on a real Kafka.

    With --web it serves a page where you type todos and see what becomes of them.
    """
    from .launch import launch  # noqa: PLC0415 - keeps the command line quick

    raise typer.Exit(launch(as_json=json, keep=keep, web=web))
