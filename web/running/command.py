"""What `todo-workers web` and `todo-workers bridge` do."""

from __future__ import annotations

from settings import Settings, load_settings

from ..access import DevelopmentKey, development_key
from ..dashboard import DASHBOARD_AT, first_code
from .process import Kind, port_of, serve, set_up_log
from .processes import Processes
from .progress import Progress
from .server import listen


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
    secret = key.secret if key else None
    if processes == 1:
        serve(kind, secret, progress.show)
    else:
        Processes(kind, secret, processes, settings.web.drain, progress.show).run()


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
