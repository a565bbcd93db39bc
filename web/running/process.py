"""One serving process: makes the application from the settings and serves it until a signal comes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import uvicorn
import uvloop

from settings import Settings, load_settings
from workers.runtime import logs
from workers.runtime.garbage import make_collections_rare
from workers.serving.parts import folder_for
from workers.traces import environment

from .server import Server, listen

logger = logging.getLogger(__name__)

Kind = Literal["web", "bridge"]
#: What a process does, as JSON values; see `Bridge.status`.
Status = Mapping[str, object]

_SHOW_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that were made for a start; all its processes have the same."""

    #: The development key; None if a key for tokens is set.
    development: str | None
    #: Signs the dashboard's sessions if no setting has a secret for that.
    session: str


def port_of(kind: Kind, settings: Settings) -> int:
    """The port that an application listens on."""
    return settings.web.port if kind == "web" else settings.web.live_port


def set_up_log(log_format: logs.Format) -> None:
    """Have this process log to standard error, without what its libraries say of each start and end."""
    logs.prefer(log_format)
    logs.set_up("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # our errors say what matters of it


def serve(kind: Kind, secrets: Secrets, show: Callable[[Status], None]) -> None:
    """Serve until SIGINT or SIGTERM, and ``show`` each second what the process does."""
    from ..access import DevelopmentKey  # noqa: PLC0415 - with the settings, in this process
    from ..app import make_app, make_parts  # noqa: PLC0415

    environment.start()
    settings = load_settings()
    key = DevelopmentKey(secrets.development) if secrets.development else None
    folder = folder_for(f"{kind}-{settings.web.host}-{port_of(kind, settings)}".replace(":", "_"))
    parts = make_parts(settings, measures=folder, kind=kind, development=key, session_secret=secrets.session)
    server = Server(make_app(parts), parts.bridge, drain=settings.web.drain, before_stop=parts.end_streams)
    listening = listen(settings.web.host, port_of(kind, settings))

    async def main() -> None:
        shown = asyncio.create_task(
            keep_showing(lambda: {"pid": os.getpid(), **parts.bridge.status()}, show, server)
        )
        await server.serve(sockets=[listening])
        shown.cancel()

    make_collections_rare()
    # uvicorn raises the signal again that ended it.
    with suppress(KeyboardInterrupt):
        uvloop.run(main())


async def keep_showing(
    status: Callable[[], Status],
    show: Callable[[Status], None],
    server: uvicorn.Server,
    every_s: float = _SHOW_EVERY_S,
) -> None:
    """Show the status again and again, on a thread, as whoever reads it may be slow.

    Nobody reads it any more: the server stops, as the process that started it is gone.
    """
    while True:
        await asyncio.sleep(every_s)
        try:
            await asyncio.to_thread(show, status())
        except BrokenPipeError:
            logger.error("process.unread pid=%s: nobody reads its status any more, it stops", os.getpid())  # noqa: TRY400
            server.should_exit = True
            return
        except Exception:
            logger.exception("process.status_not_shown, trying again")
