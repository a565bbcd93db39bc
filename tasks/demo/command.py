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
) -> None:
    """Watch events become mails and audit rows, on a real Kafka."""
    from .launch import launch  # noqa: PLC0415 - keeps the command line quick

    raise typer.Exit(launch(as_json=json, keep=keep))
