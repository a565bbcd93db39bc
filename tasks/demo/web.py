"""`todo-workers demo --web`: the same services and `web`, for whoever types todos into its page."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import jwt

from settings import load_settings
from tasks import broker
from workers.errors import WorkersError

from .environment import mail_variables
from .mail_server import MailServer
from .programs import Program, keep_running, wait_for_workers
from .view import View

#: The user of the page.
_USER, _NAME = "ana@example.com", "Ana"
_HOST, _PORT = "127.0.0.1", 8000
#: The time for which the page's token is good.
_SESSION_S = 24 * 3_600.0
#: Worker processes: one is enough for one person.
_PROCESSES = 1
#: The page of web/client/example, once it is built.
_BUILT = Path(__file__).parents[2] / "web" / "client" / "example" / "out"
_NO_PAGE = (
    "The page is not there: it is built from a clone of the project, with Node 20 or newer, "
    "by `make demo ARGS=--web`. All else is served."
)


def run_with_web(folder: Path, *, as_json: bool) -> int:
    """Serve until a KeyboardInterrupt, or until the parent of this process ends. Raises WorkersError.

    ``as_json`` prints the addresses as one line of JSON once all is served.
    """
    view = View(json_only=as_json)
    view.say(f"Kafka at {broker.cluster.address}, namespace {broker.topics.namespace}")
    broker.prepare()
    port = _free_port()
    secret = secrets.token_urlsafe(32)
    page = _page(folder, secret)
    if page is None:
        view.say(_NO_PAGE)
    web = {"WEB_HOST": _HOST, "WEB_PORT": str(port), "WEB_JWT_SECRET": secret}
    worker = {"WORKER_PROCESSES": str(_PROCESSES)}
    with (
        MailServer(refused="", deferred="", deferrals=0) as mail_server,
        Program("worker", folder, worker | mail_variables(mail_server.port)) as fleet,
        Program("web", folder, web | ({} if page is None else {"WEB_PAGE": str(page)})) as server,
    ):
        wait_for_workers(fleet, _PROCESSES)
        server.wait_until(lambda: _answers(f"http://{_HOST}:{port}/readyz"))
        found = _addresses(port, secret, with_page=page is not None)
        view.serving(found)
        if as_json:
            view.json_line(json.dumps(found))
        keep_running(fleet, server)
    return 0


def _addresses(port: int, secret: str, *, with_page: bool) -> dict[str, str]:
    """Return the addresses, by what they serve, and the token that logs in to the dashboard."""
    root = f"http://{_HOST}:{port}"
    page = {"page": f"{root}/"} if with_page else {}
    return page | {
        "routes": f"{root}/docs",
        "live events": f"ws://{_HOST}:{port}/live",
        "dashboard": f"{root}/workers/",
        "its token": _token(secret, "admin"),
    }


def _page(folder: Path, secret: str) -> Path | None:
    """Copy the page into the demo's folder, with a session for its user; None if it is not built.

    The session's token is for this run alone, whose server listens on the loopback.
    """
    built = load_settings().web.page or _BUILT
    if not (built / "index.html").is_file():
        return None
    page = folder / "page"
    shutil.copytree(built, page)
    session = {"user": _USER, "name": _NAME, "token": _token(secret, "publisher")}
    (page / "session.json").write_text(json.dumps(session))
    return page


def _token(secret: str, role: str) -> str:
    """A token as a login service makes it: a publisher may publish, an admin may do all in the dashboard."""
    claims = {"email": _USER, "roles": [role], "aud": "todo", "exp": time.time() + _SESSION_S}
    return jwt.encode(claims, secret, algorithm="HS256")


def _free_port() -> int:
    """The usual port, or any other if that is taken."""
    for wanted in (_PORT, 0):
        with socket.socket() as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                found.bind((_HOST, wanted))
            except OSError:
                continue
            return int(found.getsockname()[1])
    raise WorkersError(f"no port of {_HOST} is free")


def _answers(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=5):
            return True
    except (URLError, OSError):
        return False
