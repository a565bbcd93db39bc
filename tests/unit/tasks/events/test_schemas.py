"""The published schemas: as the models are, true of what is published, and readable for other tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

from tasks import publishing
from tasks.cli.events import check_schemas, publish_text, show_schema, write_schemas
from tasks.events.cloud_events import dataschema, record_of
from tasks.events.schemas import data_schema, sample
from tests.helpers.repository import REPOSITORY
from tests.helpers.samples import KINDS, an_event
from workers.errors import WrongUsage
from workers.records.envelope import Record

DOCS = REPOSITORY / "docs"
ASYNCAPI: dict[str, Any] = json.loads((DOCS / "asyncapi.json").read_text(encoding="utf-8"))


def published(event: Any) -> dict[str, Any]:
    cloud_event: dict[str, Any] = json.loads(record_of(event).value or b"")
    return cloud_event


def envelope_of(kind: str) -> Draft202012Validator:
    """The message of a type as the AsyncAPI document describes it, with the files that it names."""
    registry: Registry[Any] = Registry().with_resources(
        (f"./events/{kind}.json", Resource.from_contents(data_schema(kind))) for kind in KINDS
    )
    (message,) = [m for m in ASYNCAPI["components"]["messages"].values() if m["name"] == kind]
    return Draft202012Validator(message["payload"], registry=registry)


def test_the_committed_files_are_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_schemas(DOCS) == 0, capsys.readouterr().err
    files = {str(file.relative_to(DOCS)) for file in (DOCS / "events").iterdir()}
    assert files == {f"events/{kind}.json" for kind in KINDS}


def test_export_writes_what_is_missing_or_differs_and_check_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = 1 + len(KINDS)
    assert check_schemas(tmp_path) == files
    assert not list(tmp_path.iterdir())
    assert write_schemas(tmp_path) == files
    assert check_schemas(tmp_path) == 0
    (tmp_path / "asyncapi.json").write_text("{}")
    capsys.readouterr()
    assert check_schemas(tmp_path) == 1
    assert "asyncapi.json is not what the models say" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_published_fits_its_schema(kind: str) -> None:
    schema = data_schema(kind)
    Draft202012Validator.check_schema(schema)
    for event in (an_event(kind), an_event(kind, colour="red"), sample(kind)):
        cloud_event = published(event)
        assert cloud_event["dataschema"] == schema["$id"] == dataschema(kind)
        Draft202012Validator(schema).validate(cloud_event["data"])
        envelope_of(kind).validate(cloud_event)


@pytest.mark.parametrize(
    "wrong",
    [
        {"actor": ""},
        {"actor": None},
        {"todo": {"id": "1", "title": "x"}},
        {"todo": {"id": "", "title": "x", "owner": {"name": "Ana", "email": "ana@example.com"}}},
        {"changes": {}},
        {"changes": {"title": {"before": "x"}}},
    ],
)
def test_what_is_refused_does_not_fit(wrong: dict[str, Any]) -> None:
    cloud_event = published(an_event("todo.updated"))
    cloud_event["data"] |= wrong
    with pytest.raises(ValidationError):
        envelope_of("todo.updated").validate(cloud_event)


def test_the_asyncapi_document_names_only_what_is_there() -> None:
    references = list(references_in(ASYNCAPI))
    assert len(references) > 8
    for reference in references:
        if reference.startswith("./"):
            assert (DOCS / reference).is_file()
            continue
        found: Any = ASYNCAPI
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def references_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from references_in(item)


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_events(kind: str) -> None:
    (message,) = [m for m in ASYNCAPI["components"]["messages"].values() if m["name"] == kind]
    (example,) = message["examples"]
    assert example["payload"] == published(sample(kind))


def test_a_type_that_there_is_not_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WrongUsage, match=r"no event type 'todo\.create'; those are todo\.created"):
        show_schema("todo.create")
    show_schema("todo.created")
    assert json.loads(capsys.readouterr().out)["$id"] == dataschema("todo.created")


def test_an_event_without_a_time_is_of_the_moment_it_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[Record] = []
    monkeypatch.setattr(publishing, "write_event", published.append)
    event = an_event()
    data = {"actor": event.actor, "todo": event.todo.model_dump(mode="json")}
    given = {"specversion": "1.0", "id": "a1", "source": "/shop", "type": event.type, "data": data}
    before = datetime.now(UTC)
    publish_text(json.dumps(given).encode())
    time = datetime.fromisoformat(json.loads(published[0].value or b"")["time"])
    assert before - timedelta(milliseconds=1) <= time <= datetime.now(UTC)


def lines(*more: dict[str, Any]) -> str:
    """Events one a line, each with these fields as well."""
    return "\n".join(json.dumps(an_event().model_dump(mode="json") | fields) for fields in more)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "neither JSON nor JSON Lines"),
        ("[" * 100_000, "neither JSON nor JSON Lines"),
        ("\udcff", "neither JSON nor JSON Lines"),
        ('[{"type": "todo.create"}]', r"Event 1: Not a valid todo event: .*did you mean todo\.created"),
        (f'{an_event().model_dump_json()}\n{{"specversion": "1.0"}}', "Event 2: .*it has no id"),
        (lines({}, {"mood": "x" * 2_000_000}), r"Event 2: the event \S+ is 20\d+ bytes, at most 1048588"),
        (lines({}, {"cloudevent": {"source": "/x", "Bad-Name": 1}}), "Event 2: .*cloudevent: .*Bad-Name"),
        (lines({}, {"mood": "deep"}).replace('"deep"', "[" * 900 + "]" * 900), "Event 2: .*mood"),
    ],
)
def test_what_cannot_be_published_is_said_before_anything_is(text: str, words: str) -> None:
    # Were anything sent, another error would say that Kafka cannot be reached.
    with pytest.raises(WrongUsage, match=f"{words}.*nothing was published"):
        publish_text(text.encode(errors="surrogateescape"))
