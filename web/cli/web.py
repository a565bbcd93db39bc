"""`todo-workers web`: the whole application."""

from __future__ import annotations

from workers.cli.options import JsonLines

from .bridge import Processes


def web(processes: Processes = 1, as_json: JsonLines = False) -> None:
    """Serve the chatbot over HTTP: its routes and its live events.

    It listens on WEB_HOST and WEB_PORT until SIGINT or SIGTERM.
    """
    from ..running.command import run

    run("web", processes=processes, as_json=as_json)
