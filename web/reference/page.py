"""Lists an application's routes, as its OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from ..dashboard.page import HERE
from ..dashboard.sessions.guard import HEADERS

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class _Listed(NamedTuple):
    method: str
    path: str
    #: The paragraphs of its description.
    does: list[str]
    needs_token: bool


def add_reference(app: FastAPI) -> None:
    """Serve the page at `/docs`, in the dashboard's style; it asks no other host for anything."""

    @app.get("/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        page = _TEMPLATES.get_template("reference.html").render(title=app.title, routes=list(_listed(app)))
        return HTMLResponse(page, headers=HEADERS)

    app.mount("/docs/static", StaticFiles(directory=HERE / "static"))


def _listed(app: FastAPI) -> Iterator[_Listed]:
    for path, methods in app.openapi()["paths"].items():
        for method, route in methods.items():
            does = route.get("description") or route.get("summary", "")
            yield _Listed(method.upper(), path, does.split("\n\n"), bool(route.get("security")))
