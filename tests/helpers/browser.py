"""Chromium as Playwright drives it, and scripts for it that esbuild bundles from the TypeScript client."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.helpers.repository import REPOSITORY

CLIENT = REPOSITORY / "web" / "client"
_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

needs_chromium = pytest.mark.skipif(_CHROMIUM is None, reason="Chromium is not installed")
needs_client = pytest.mark.skipif(
    not (CLIENT / "node_modules" / "esbuild").is_dir(),
    reason="`make client` installs what bundles the client",
)

# A page of a busy machine takes its time.
expect.set_options(timeout=60_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium that shows nothing."""
    assert _CHROMIUM is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


def bundle_client(file: Path) -> None:
    """Write the client as a classic script, which defines `client` with all that the package exports."""
    words = ("src/index.ts", "--bundle", "--format=iife", "--global-name=client", f"--outfile={file}")
    subprocess.run(
        ["node_modules/.bin/esbuild", "--log-level=warning", *words], cwd=CLIENT, check=True, timeout=60
    )


def bundle_example(folder: Path) -> None:
    """Bundle the page of web/client/example into a folder."""
    subprocess.run(["node", "scripts/example.mjs", str(folder)], cwd=CLIENT, check=True, timeout=60)
