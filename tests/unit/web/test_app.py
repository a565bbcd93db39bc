"""The application as it is put together, without Kafka: nothing is started."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.helpers.settings import load
from web.access import access_from
from web.app import Kind, make_app, make_parts

ROUTES = {"/events", "/todos/{todo}/history", "/reminders", "/preferences", "/unsubscribe/{link}"}


ClientOf = Callable[..., TestClient]


@pytest.fixture
def client_of() -> Iterator[ClientOf]:
    """Makes clients of applications that are not started, and closes what making them has opened."""
    with ExitStack() as stack:

        def client_of(kind: Kind, **more: str) -> TestClient:
            settings = load({"WEB_JWT_SECRET": "s" * 32} | more)
            parts = make_parts(settings, access_from(settings), kind=kind)
            if parts.dashboard is not None:
                stack.callback(parts.dashboard.close)
            return TestClient(make_app(parts))

        yield client_of


def test_web_has_the_routes_and_the_bridge_has_none_of_them(client_of: ClientOf) -> None:
    assert client_of("web").get("/openapi.json").json()["paths"].keys() >= ROUTES | {"/livez", "/readyz"}
    assert client_of("bridge").get("/openapi.json").json()["paths"].keys().isdisjoint(ROUTES)


@pytest.mark.parametrize("kind", ["web", "bridge"])
def test_the_page_of_the_routes_lists_all_of_them_and_names_no_other_host(
    kind: Kind, client_of: ClientOf
) -> None:
    client = client_of(kind)
    answer = client.get("/docs")
    paths = client.get("/openapi.json").json()["paths"]
    listed = re.findall(r"<code>([A-Z]+ /[^<]*)</code>", answer.text)
    assert listed == [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "//" not in answer.text
    links = re.findall(r'(?:href|src)="([^"]+)"', answer.text)
    assert {client.get(f"/{link}").status_code for link in links} == {200}
    assert client.get("/redoc").status_code == 404


@pytest.mark.parametrize("has_page", [False, True])
def test_the_address_of_the_dashboard_leads_to_it_whatever_the_scheme_was(
    has_page: bool, client_of: ClientOf, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("page")
    client = client_of("web", **({"WEB_PAGE": str(tmp_path)} if has_page else {}))
    answer = client.get("/workers", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/workers/")
    assert "Log in" in client.get("/workers").text


@pytest.mark.parametrize("kind", ["web", "bridge"])
def test_a_process_is_alive_and_not_ready_while_kafka_is_away(kind: Kind, client_of: ClientOf) -> None:
    client = client_of(kind)
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_every_error_is_a_problem(client_of: ClientOf) -> None:
    client = client_of("web")
    for method, path, status in [("GET", "/x", 404), ("DELETE", "/events", 405), ("GET", "/stream", 401)]:
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("settings", "page", "allowed"),
    [
        ({}, "https://todo.example.com", None),
        ({"WEB_ORIGINS": "https://todo.example.com"}, "https://todo.example.com", "https://todo.example.com"),
        ({"WEB_ORIGINS": "https://todo.example.com"}, "https://evil.example.com", None),
    ],
)
def test_only_pages_of_the_origins_that_are_set_may_read_answers(
    settings: dict[str, str], page: str, allowed: str | None, client_of: ClientOf
) -> None:
    client = client_of("web", **settings)
    answer = client.get("/livez", headers={"origin": page})
    asked = client.options("/events", headers={"origin": page, "access-control-request-method": "POST"})
    assert answer.headers.get("access-control-allow-origin") == allowed
    assert asked.headers.get("access-control-allow-origin") == allowed
    assert asked.is_success == (allowed is not None)
