"""The plain way to read and write CloudEvents accepts, refuses and writes what the library does."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import pytest
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.events import cloud_event_attributes
from tasks.events.cloud_event_attributes import TEXTS, parse_time, problems_of
from tasks.events.cloud_events import event_of, record_of
from tasks.events.models import Event
from tests.helpers.samples import KINDS, NOON, a_todo, an_event
from workers.records.sources import Incoming

VALID = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "todo.created"}

names = st.sampled_from([*TEXTS, "tenant", "data", "", "Tenant", "a-b", "sequence\n", "ümlaut"]) | st.text(
    max_size=4
)
values: st.SearchStrategy[Any] = st.sampled_from(["1.0", "", "x", None, 0, 5, True, [], {}, "0.3"]) | st.text(
    max_size=3
)


@given(st.dictionaries(names, values, max_size=4), st.sets(st.sampled_from(sorted(VALID)), max_size=1))
def test_attributes_are_right_or_wrong_as_the_library_says(given: dict[str, Any], gone: set[str]) -> None:
    attributes = {name: value for name, value in {**VALID, **given}.items() if name not in gone}
    # Without them the library makes some up, and `event_of` asks for them before.
    plain = cloud_event_attributes._are_plain(attributes)
    assert not (plain and gone)
    try:
        CloudEvent({**attributes, "time": NOON})
    except CloudEventValidationError:
        assert not plain
        assert problems_of(attributes)
    else:
        assert problems_of(attributes) is None


times = st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | st.from_regex(
    r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T ]"
    r"[0-9]{2}:?[0-9]{2}(:?[0-9]{2}([.,][0-9]{1,9})?)?(Z|z|[+-][0-9]{2}:?[0-9]{2}|)",
    fullmatch=True,
)


@given(times)
@example("2026-06-05T24:00:00Z")
@example("2026-06-05T23:59:60Z")
@example("2026-06-05T12:00:00.123456+02:00")
@example("2026-06-05T12:00:00.1Z")
@example("2026-06-05T12:00:00-00:00")
@example("2026-06-05T12:00:00+24:00")
@example("2026-06-05T::::::::Z")
@example("2026-W01-1")
def test_a_time_is_read_as_the_library_reads_it(text: str) -> None:
    try:
        expected = isoparse(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - the library has many words for it
            parse_time(text)
        return
    read = parse_time(text)
    assert read == expected
    assert read.utcoffset() == expected.utcoffset()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
events = st.builds(
    an_event,
    st.sampled_from(KINDS),
    todo=st.builds(
        a_todo,
        title=st.sampled_from(["Milk", "Größe 日本語 \N{GRINNING FACE}", '"\\\u2028']),
        colour=texts,
    ),
    cloudevent=st.fixed_dictionaries(
        {"source": st.sampled_from(["/eu", "/chatbot?ü"])},
        optional={
            "tenant": texts,
            "sequence": st.integers(),
            "sampled": st.booleans(),
            "data": st.just({"type": "urgent", "time": None}),
            "dataschema": st.just("https://example.com/todo.json"),
        },
    ),
    size=st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.none(),
    more=st.lists(st.dictionaries(texts, st.integers() | texts), max_size=2),
)


def written_by_the_library(event: Event) -> bytes:
    data = event.model_dump(mode="json")
    context = data["cloudevent"]
    for name in ("type", "event_id", "time", "cloudevent", "log_position", "stated_time"):
        del data[name]
    data |= context.pop("data", {})
    attributes = {
        "specversion": "1.0",
        "id": str(event.event_id),
        "type": event.type,
        "subject": event.todo.id,
        "time": event.time,
        "datacontenttype": "application/json",
        "dataschema": f"urn:todo-workers:event:{event.type}:1",
    }
    return JSONFormat().write(CloudEvent(attributes | context, data))


@given(events)
def test_an_event_is_written_as_the_library_writes_it(event: Event) -> None:
    value = record_of(event).value or b""
    assert json.loads(value) == json.loads(written_by_the_library(event))
    read = JSONFormat().read(None, value)
    assert (read.get_id(), read.get_time()) == (str(event.event_id), event.time)


def test_events_that_are_written_plainly_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cloudevents.core.v1.event", "dateutil.parser"):
        monkeypatch.setitem(sys.modules, name, None)  # an import of it is an error
    record = record_of(an_event())
    assert event_of(Incoming(record.key, record.value, record.headers, 1_780_315_200_000))["type"]
    with pytest.raises(ImportError):
        parse_time("20260605T1200Z")
