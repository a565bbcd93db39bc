"""`todo-workers bridge`: the live events alone."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.options import JsonLines

Processes = Annotated[int, typer.Option("--processes", "-p", min=1, help="Processes that share the port.")]


def bridge(processes: Processes = 1, as_json: JsonLines = False) -> None:
    """Send browsers what happens, as it happens.

    It is the part of `todo-workers web` that many connections need, alone.

    It listens on WEB_HOST and WEB_LIVE_PORT until SIGINT or SIGTERM. A process takes a core at most; more of
    them share the port, and the system spreads the clients. Each follows the log by itself.
    """
    from ..running.command import run

    run("bridge", processes=processes, as_json=as_json)
