"""What all pages work with: the application's broker, what is read of it, and who may do what."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from workers.broker.kafka_broker import KafkaBroker
from workers.errors import WorkersError, WrongUsage
from workers.operations.logged_runs import LoggedRuns

from .actions.runs import Runs
from .page import environment
from .reading.actions import Actions
from .reading.letters import LetterIndex
from .reading.on_demand import Problem
from .reading.snapshots import Snapshots
from .sessions.cookie import NAME, Session, SessionCookies
from .sessions.rights import Permission, permissions_of
from .shared_pages import SharedPages

#: How long a first page waits for what is read for the first time. What is not there then comes live.
FIRST_S = 0.4
_LINKS = (
    ("Overview", "/"),
    ("Queues", "/queues"),
    ("Delayed", "/delayed"),
    ("Dead letters", "/dead-letters"),
    ("Workers", "/workers"),
    ("Switches", "/switches"),
    ("Activity", "/activity"),
)


@dataclass(frozen=True)
class Pages:
    """Pages of an application's own: ``links`` are names and paths, ``templates`` a folder."""

    links: Sequence[tuple[str, str]]
    routes: Callable[[Desk], Sequence[BaseRoute]]
    templates: Path


@dataclass(frozen=True)
class Viewer:
    """Who looks, and what they may do."""

    session: Session
    permissions: frozenset[Permission]

    def may(self, permission: str) -> bool:
        return Permission[permission] in self.permissions


@dataclass
class Desk:
    """One dashboard. ``masked`` are the names of fields whose values only some may see, in lower case."""

    broker: KafkaBroker
    cookies: SessionCookies
    read_only: bool = False
    masked: frozenset[str] = frozenset()
    pages: Sequence[Pages] = ()
    snapshots: Snapshots = field(init=False)
    letters: LetterIndex = field(init=False)
    actions: Actions = field(init=False)
    runs: Runs = field(init=False)
    templates: Environment = field(init=False)
    _live_pages: SharedPages[Response] = field(init=False)
    #: Tells the versions of this process from those of others.
    _name: str = field(default_factory=lambda: secrets.token_hex(4), init=False)

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(self.broker)
        self.letters = LetterIndex(self.broker)
        self.actions = Actions(self.broker, LoggedRuns)
        self.runs = Runs(self.broker, self.letters, self.actions)
        self._live_pages = SharedPages(lambda page: isinstance(page, HTMLResponse))
        self.templates = environment(tuple(pages.templates for pages in self.pages))

    @property
    def links(self) -> list[tuple[str, str]]:
        """Names and paths of the pages in the menu."""
        return [*_LINKS, *(link for pages in self.pages for link in pages.links)]

    @property
    def version(self) -> str:
        """Another text after each change that a viewer would see, and in each process."""
        counts = (self.snapshots.version, self.letters.version, self.actions.chain.count, len(self.problems))
        return ".".join((self._name, *map(str, counts))) + self.runs.version

    @property
    def read_at(self) -> float:
        """All that there was in Kafka then is shown, in seconds since 1970; 0 if not all was read yet."""
        return min(self.snapshots.read_at, self.letters.read_at, self.actions.read_at)

    @property
    def problems(self) -> list[Problem]:
        """Why what is shown may be old."""
        return [
            one
            for one in (self.snapshots.problem, self.letters.problem, self.actions.problem)
            if one is not None
        ]

    def want(self) -> None:
        """Keep reading for a while: somebody looks."""
        self.snapshots.want()
        self.letters.want()
        self.actions.want()

    def close(self) -> None:
        """End the threads; nothing starts them again."""
        self.runs.close()
        self.actions.close()
        self.snapshots.close()
        self.letters.close()

    def viewer(self, request: Request) -> Viewer | None:
        """Who sends a request; None if nobody has logged in."""
        session = self.cookies.read(request.cookies.get(NAME))
        if session is None:
            return None
        return Viewer(session, permissions_of(session.role, read_only=self.read_only))

    def hidden_from(self, viewer: Viewer) -> frozenset[str]:
        """The names of the fields whose values somebody may not see."""
        return frozenset() if Permission.SEE_MASKED in viewer.permissions else self.masked

    def open_to(
        self, permission: Permission, *, at_once: int | None = None
    ) -> Callable[[Callable[[Request], Response]], Callable[[Request], Any]]:
        """Decorate the endpoint of a page: it runs on a thread, for those who may do this.

        A page that takes long is made for so many requests ``at_once``; others wait for that without one of
        the threads, which all pages and routes share. An error of ours becomes a page that says what
        happened.
        """
        turn = nullcontext() if at_once is None else asyncio.Semaphore(at_once)

        def decorate(endpoint: Callable[[Request], Response]) -> Callable[[Request], Any]:
            @wraps(endpoint)
            async def guarded(request: Request) -> Response:
                viewer = self.viewer(request)
                if viewer is None:
                    return self._to_login(request)
                request.state.viewer = viewer
                if permission not in viewer.permissions:
                    return self.refuse(request, permission)
                self.want()
                request.state.form = await self.form(request) if request.method == "POST" else {}
                try:
                    async with turn:
                        return await run_in_threadpool(self._answer, endpoint, request)
                except WrongUsage as exc:
                    return self.say(request, "That cannot be done", f"{exc}. Nothing was done.", 400)
                except WorkersError as exc:
                    return self.say(request, "That did not work", str(exc), 503)

            return guarded

        return decorate

    def _answer(self, endpoint: Callable[[Request], Response], request: Request) -> Response:
        """The page; one that a live page asks for anew is the same for all with the same rights."""
        request.state.is_live = request.method == "GET" and "x-live" in request.headers
        # What the page says of itself is never newer than what it shows.
        version = self.version
        request.state.version, request.state.read_at = version, self.read_at
        if not request.state.is_live:
            return endpoint(request)
        viewer: Viewer = request.state.viewer
        key = (request.url.path, request.url.query, viewer.permissions, version)
        return self._live_pages.page(key, lambda: endpoint(request))

    def refuse(self, request: Request, permission: Permission) -> Response:
        """A page that says what somebody may not do, and why."""
        viewer: Viewer = request.state.viewer
        why = "The dashboard is read-only." if self.read_only else f"Your role is {viewer.session.role}."
        return self.say(request, f"You may not {permission}", f"{why} Nothing was done.", 403)

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a form, the last of each name."""
        return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}

    def render(self, request: Request, template: str, status_code: int = 200, /, **values: Any) -> Response:
        """A page of a template."""
        root = request.scope.get("root_path", "")
        page = self.templates.get_template(template).render(
            root=root,
            here=request.url.path.removeprefix(root),
            viewer=getattr(request.state, "viewer", None),
            is_live=getattr(request.state, "is_live", False),
            version=getattr(request.state, "version", ""),
            read_at=getattr(request.state, "read_at", 0.0),
            desk=self,
            now_ms=lambda: time.time() * 1000,
            **values,
        )
        return HTMLResponse(page, status_code)

    def say(self, request: Request, title: str, said: str, status: int = 200) -> Response:
        """A page with one message."""
        return self.render(request, "message.html", status, title=title, said=said)

    def to(self, request: Request, path: str, **query: str) -> Response:
        """Send the browser to another page after a form."""
        ending = f"?{urlencode(query)}" if query else ""
        return RedirectResponse(f"{request.scope.get('root_path', '')}{path}{ending}", 303)

    def first_look(self) -> None:
        """Wait for the first snapshot and the newest dead letters, for a fraction of a second at most."""
        deadline = time.monotonic() + FIRST_S
        self.snapshots.wait_for_first(FIRST_S)
        self.letters.wait_for_first(deadline - time.monotonic())

    def _to_login(self, request: Request) -> Response:
        if request.method != "GET":
            return self.say(request, "Log in first", "Nothing was done: your session is over.", 401)
        here = request.url.path.removeprefix(request.scope.get("root_path", ""))
        values: Mapping[str, str] = {"next": f"{here}?{request.url.query}" if request.url.query else here}
        return self.to(request, "/login", **values)
