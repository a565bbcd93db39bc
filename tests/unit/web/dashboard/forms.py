"""Sends the dashboard's forms as a browser would, and follows them."""

from __future__ import annotations

import html
import re

import httpx2 as httpx
from starlette.testclient import TestClient

from tests.helpers.waiting import wait_for
from tests.unit.web.dashboard.fakes import FakeKafka
from workers.operations.action_log import Chain


def followed(browser: TestClient, answer: httpx.Response) -> str:
    """The page of a run that a form leads to, once the run does nothing more."""
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"].removeprefix("/workers")
    return wait_for(lambda: _quiet(browser.get(path).text))


def _quiet(page: str) -> str | None:
    return None if ">Stop<" in page or "Looking which" in page else page


def begin(browser: TestClient, page: str, **fields: str) -> str:
    """Confirm what a run's page asks."""
    found = re.search(r'action="/workers(/runs/\w+)"', page)
    assert found is not None, page
    return followed(browser, browser.post(found[1], data={"do": "begin", **fields}))


def told(kafka: FakeKafka) -> list[tuple[str, str]]:
    """Who did what, as the log has it."""
    chain = Chain()
    for record in kafka.actions:
        chain.take(record.value)
    assert chain.flaw is None
    return [(action.who, action.did) for action in chain.last]


def fields_of(page: str) -> dict[str, str]:
    """The fields of the form that mends, as a browser would send them."""
    found = re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    return {name: html.unescape(value).replace("\n", "\r\n") for name, value in found}
