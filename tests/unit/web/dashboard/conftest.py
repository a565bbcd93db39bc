"""A dashboard on data that is made up: nothing here speaks to Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import jwt
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from tests.unit.web.dashboard.fakes import FakeKafka
from web.access import Access
from web.dashboard import Dashboard, dashboard, desk
from web.dashboard.pages import dead_letters
from web.keys import SecretKey
from workers import Cluster, KafkaBroker

SECRET = "a secret of thirty-two bytes or more"
HOST = "http://127.0.0.1"

Client = Callable[..., TestClient]


def token_of(*roles: str, user: str = "ana@example.com", for_s: float = 3_600) -> str:
    payload = {"email": user, "aud": "todo", "exp": time.time() + for_s, "roles": list(roles)}
    return jwt.encode(payload, SECRET)


@pytest.fixture
def broker() -> Iterator[KafkaBroker]:
    broker = KafkaBroker(Cluster(("127.0.0.1:1",)), namespace="shop", run_mover=False)

    @dramatiq.actor(broker=broker, queue_name="mail")
    def send_mail(address: str, todo: dict[str, Any], copies: int = 1) -> None: ...

    yield broker
    broker.close()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    """What the dashboard reads instead of Kafka; a page waits for that, however busy the machine is."""
    for module in (desk, dead_letters):
        monkeypatch.setattr(module, "FIRST_S", 10.0)
    return FakeKafka(monkeypatch)


@pytest.fixture
def make(broker: KafkaBroker, kafka: FakeKafka) -> Iterator[Callable[..., Dashboard]]:
    """Makes dashboards; they are closed when the test ends."""
    made: list[Dashboard] = []

    def make(**options: Any) -> Dashboard:
        options.setdefault("access", Access(SecretKey(SECRET), audience="todo"))
        made.append(dashboard(broker, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def client(make: Callable[..., Dashboard]) -> Client:
    """Makes a browser at /workers of some application, that has logged in with a role unless that is None."""

    def client(role: str | None = "admin", *, at: str = HOST, **options: Any) -> TestClient:
        board = options.pop("board", None) or make(**options)
        app = Starlette(routes=[Mount("/workers", board)])
        found = TestClient(
            app,
            base_url=f"{at}/workers",
            client=("127.0.0.1", 5),
            headers={"origin": at},
            follow_redirects=False,
        )
        if role is not None:
            answer = found.post("/login", data={"token": token_of(role)})
            assert answer.status_code == 303, answer.text
        return found

    return client
