"""Whatever is sent, a route answers, with a problem where it is wrong: requests made from OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck
from jsonschema import Draft202012Validator, FormatChecker

from tasks.storage.database import Database
from tasks.stories.story import Jobs
from tasks.stories.telling import Stories
from tests.integration.web.api.conftest import bearer
from tests.integration.web.conftest import SECRET
from web.access import Access
from web.api import kafka_router
from web.api.services import Services
from web.keys import SecretKey
from workers import Cluster, KafkaBroker
from workers.broker.sending import Written
from workers.records.envelope import Record

#: Everybody that there is, in one.
ANYBODY = bearer("ana@example.com", "publisher", "operator")
OPERATIONS = (
    "POST /events",
    "GET /dapr/subscribe",
    "GET /events/{event}",
    "GET /todos/{todo}/history",
    "GET /reminders",
    "POST /reminders/{reminder}/snooze",
    "POST /reminders/{reminder}/reschedule",
    "POST /reminders/{reminder}/cancel",
    "GET /preferences",
    "PUT /preferences",
    "GET /unsubscribe/{link}",
    "POST /unsubscribe/{link}",
)
EXAMPLES = 3


@pytest.fixture
def app(database: Database, make_services: Callable[[KafkaBroker], Services]) -> FastAPI:
    async def write(records: Sequence[Record]) -> Sequence[Written]:
        return [Written("todo.events", 0, offset) for offset, _ in enumerate(records)]

    services = make_services(KafkaBroker(Cluster(("127.0.0.1:1",)), namespace="t"))
    own = {"write_events": write, "stories": lambda: Stories(database, lambda _: Jobs())}
    access = Access(SecretKey(SECRET), audience="todo")
    app = FastAPI()
    app.include_router(kafka_router(services=Services(**{**vars(services), **own}), access=access))
    return app


def test_all_routes_are_tried(app: FastAPI) -> None:
    described = app.openapi()["paths"]
    found = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert found == set(OPERATIONS)


def test_each_route_has_an_example_and_its_errors(app: FastAPI) -> None:
    document = app.openapi()
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    for operation in operations:
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for status, response in operation["responses"].items():
            if status >= "4":
                assert response["content"].keys() == {"application/problem+json"}, operation["summary"]
            bodies.append(response)
        for body in bodies:
            for media_type, content in body["content"].items():
                assert media_type == "text/html" or "example" in json.dumps(_resolved(content, document))


def _resolved(content: Any, document: Any) -> Any:
    """With the schemas that it refers to, one step deep."""
    text = json.dumps(content)
    schemas = document["components"]["schemas"]
    return [content, *(schema for name, schema in schemas.items() if f'/schemas/{name}"' in text)]


def test_each_example_is_as_its_schema_says(app: FastAPI) -> None:
    document = app.openapi()
    described = [schema for schema in document["components"]["schemas"].values() if "example" in schema]
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    bodies = [body for one in operations for body in (one.get("requestBody", {}), *one["responses"].values())]
    contents = [content for body in bodies for content in body.get("content", {}).values()]
    examples = [(schema, schema["example"]) for schema in described]
    for content in contents:
        given = [content["example"]] if "example" in content else []
        given += [one["value"] for one in content.get("examples", {}).values()]
        examples += [(content["schema"], one) for one in given]
    assert len(examples) > len(OPERATIONS)
    for schema, example in examples:
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(example)


# The threads of Kafka's clients use `random`, too, and Hypothesis takes that for a strategy's doing.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_request_makes_the_server_fail(app: FastAPI, operation: str) -> None:
    method, path = operation.split()
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(case=schema[path][method].as_strategy())
    def send(case: Any) -> None:
        answer = case.call(headers=ANYBODY)
        assert answer.status_code < 500, answer.text
        assert str(answer.status_code) in schema.raw_schema["paths"][path][method.lower()]["responses"]
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]
        nobodys = case.call(headers={"authorization": "Bearer x"})
        assert nobodys.status_code in (401, 422) or "unsubscribe" in path or "dapr" in path

    send()
