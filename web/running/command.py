"""What `todo-workers web` and `todo-workers bridge` do."""

from __future__ import annotations

import logging
import secrets

from settings import Settings, load_settings

from ..access import DevelopmentKey, development_key, is_local
from ..dashboard import DASHBOARD_AT, first_code
from .process import Kind, Secrets, port_of, serve, set_up_log
from .processes import Processes
from .progress import Progress
from .server import listen

logger = logging.getLogger(__name__)


def run(kind: Kind, *, processes: int, as_json: bool) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError, NotConfigured, InvalidKeys and CannotListen."""
    settings = load_settings()
    set_up_log(settings.log_format)
    key = development_key(settings)
    # Says at once if the port is taken, also by another bridge of the same user, which would share it.
    listen(settings.web.host, port_of(kind, settings), is_shared=False).close()
    progress = Progress(as_json=as_json)
    for line in _greeting(kind, settings, key, processes):
        progress.say(line)
    if kind == "web" and _needs_session_secret(settings):
        logger.warning(
            "dashboard.sessions are known in this start alone, not in other pods: set WEB_SESSION_SECRET"
        )
    made = Secrets(key.secret if key else None, secrets.token_hex(32))
    if processes == 1:
        serve(kind, made, progress.show)
    else:
        Processes(kind, made, processes, settings.web.drain, progress.show).run()


def _needs_session_secret(settings: Settings) -> bool:
    """Whether other pods may serve the same dashboard, and no setting has a secret for all their sessions."""
    web = settings.web
    return web.session_secret is None and web.jwt_secret is None and not is_local(settings)


def _greeting(kind: Kind, settings: Settings, key: DevelopmentKey | None, processes: int) -> list[str]:
    web = settings.web
    place = f"{web.host}:{port_of(kind, settings)}"
    many = "" if processes == 1 else f", {processes} processes"
    lines = [f"live events at ws://{place}/live, of {settings.kafka.namespace} at {_kafka(settings)}{many}"]
    if kind == "web":
        lines.insert(0, f"routes at http://{place}/docs")
        lines.insert(1, _dashboard(place, key))
    if key is not None:
        lines.append(
            f"no key is set, so this start has one for development: WEB_JWT_SECRET={key.secret}; "
            "with it, todo-workers token ana@example.com makes a token"
        )
    return lines


def _dashboard(place: str, key: DevelopmentKey | None) -> str:
    """Where the dashboard is; behind the # is a code that is good once: a browser sends it to nobody."""
    address = f"dashboard at http://{place}{DASHBOARD_AT}"
    return address if key is None else f"{address}/login#{first_code(key.secret)}"


def _kafka(settings: Settings) -> str:
    return ",".join(settings.kafka.bootstrap_servers)
