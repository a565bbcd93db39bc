"""Serves the page of a chatbot: files that were built before, such as those of web/client/example."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles


def add_page(app: FastAPI, folder: Path | None) -> None:
    """Serve the files of a folder at `/`, below all routes that the application has; without one, nothing.

    Call it after the routes of all other parts.
    """
    if folder is not None:
        app.mount("/", StaticFiles(directory=folder, html=True), name="page")
