"""Events as CloudEvents, written by us and by others, in both modes; and what is wrong, in words."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from tasks.actors.events import job_of
from tasks.audit.entries import entry_of, says_the_same
from tasks.effects.event_in_hand import effects_of
from tasks.events.cloud_events import dataschema, event_id_of, event_of, record_of
from tasks.events.models import InvalidEvent, OtherEvent, parse_any_event, parse_event
from tests.helpers.samples import KINDS, NOON, a_todo, an_event
from workers.errors import Undecodable
from workers.records.envelope import Record
from workers.records.sources import Incoming

WRITTEN_MS = 1_780_315_200_000


def incoming(record: Record | KafkaMessage, **fields: Any) -> Incoming:
    headers = list(record.headers.items()) if isinstance(record, KafkaMessage) else record.headers
    key = record.key.encode() if isinstance(record.key, str) else record.key
    return Incoming(key, record.value, headers, WRITTEN_MS)._replace(**fields)


def structured(**attributes: Any) -> Incoming:
    """A record as somebody without a library writes it: a value, and no headers. None takes one away."""
    data = an_event().model_dump(mode="json", include={"actor", "todo"})
    given = {
        "specversion": "1.0",
        "id": "5f8d2c1e-0c4e-4b5e-9a55-111111111111",
        "source": "/shop",
        "type": "todo.created",
        "time": "2026-06-01T14:00:00+02:00",
        "data": data,
    }
    kept = {name: value for name, value in (given | attributes).items() if value is not None}
    return Incoming(None, json.dumps(kept).encode(), [], WRITTEN_MS)


def foreign(mode: Any, data: dict[str, Any] | None = None, **attributes: Any) -> Incoming:
    """A record as another service writes it with its library."""
    given = {
        "id": "5f8d2c1e-0c4e-4b5e-9a55-111111111111",
        "source": "/shop",
        "type": "todo.created",
        "time": NOON,
        "datacontenttype": "application/json",
    }
    own = an_event().model_dump(mode="json", include={"actor", "todo"})
    return incoming(mode(CloudEvent(given | attributes, own if data is None else data)))


both_modes = pytest.mark.parametrize("mode", [to_structured_event, to_binary_event])


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_event_is_the_same_when_it_is_read(kind: str) -> None:
    event = an_event(kind, colour="red")
    record = record_of(event)
    assert parse_event(event_of(incoming(record))) == event


values = st.none() | st.booleans() | st.integers() | st.text()


@given(st.dictionaries(st.text(max_size=9) | st.sampled_from(["type", "time"]), values, max_size=4))
def test_whatever_a_newer_version_adds_is_kept(extras: dict[str, Any]) -> None:
    data = an_event().model_dump(mode="json", include={"actor", "todo"})
    read = event_of(structured(data=extras | data))
    kept = read | read["cloudevent"].get("data", {})
    assert kept == {**kept, **extras, **data}


def test_what_is_written_is_one_cloud_event_as_kafkas_binding_says() -> None:
    event = an_event(cloudevent={"source": "/chatbot/eu", "traceparent": "00-0af7-b7ad-01"})
    record = record_of(event)
    assert record.key == b"todo-1"
    assert record.headers == [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    written = json.loads(record.value or b"")
    data = written.pop("data")
    assert written == {
        "specversion": "1.0",
        "id": str(event.event_id),
        "source": "/chatbot/eu",
        "type": "todo.created",
        "subject": "todo-1",
        "time": "2026-06-01T12:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:todo-workers:event:todo.created:1",
        "traceparent": "00-0af7-b7ad-01",
    }
    assert data == event.model_dump(mode="json", include={"actor", "todo"})


@both_modes
def test_an_event_of_another_service_is_read_in_both_modes(mode: Any) -> None:
    event = parse_event(event_of(foreign(mode, traceparent="00-0af7-b7ad-01", tenant="eu")))
    assert str(event.event_id) == "5f8d2c1e-0c4e-4b5e-9a55-111111111111"
    assert (event.type, event.time, event.actor, event.todo) == ("todo.created", NOON, "user:42", a_todo())
    assert event.cloudevent.model_dump() == {
        "source": "/shop",
        "traceparent": "00-0af7-b7ad-01",
        "tenant": "eu",
    }


def test_headers_may_be_written_in_any_case_be_null_or_say_it_twice() -> None:
    binary = foreign(to_binary_event)
    spelled = [(name.upper(), value) for name, value in binary.headers]
    assert event_of(binary._replace(headers=[*spelled, ("ce_tenant", None)])) == event_of(binary)
    whole = foreign(to_structured_event)
    both = [*whole.headers, ("ce_id", b"another"), ("ce_type", b"another")]
    assert event_of(whole._replace(headers=both)) == event_of(whole)


def test_without_a_time_it_is_when_the_record_was_written() -> None:
    assert event_of(structured(time=None))["time"] == "2026-06-01T12:00:00+00:00"


def test_without_a_time_and_a_stamp_it_is_as_early_as_can_be_and_still_an_event() -> None:
    event = parse_event(event_of(structured(time=None)._replace(timestamp_ms=-1)))
    assert event.time == datetime.fromtimestamp(0, UTC)


HALF = "\ud83d"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (f"Call{HALF}", "Call\ufffd"),
        (f"{HALF} Tom", "\ufffd Tom"),
        ("\ude00 first", "\ufffd first"),
        (f"{HALF}\ude00 whole", "\U0001f600 whole"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("ensure_ascii", [True, False], ids=["escaped", "as three bytes"])
def test_half_a_surrogate_pair_is_mended_wherever_it_stands(
    written: str, read: str, ensure_ascii: bool
) -> None:
    data = an_event(colour="red").model_dump(mode="json", include={"actor", "todo", "colour"})
    data |= {"colour": [{written: written}], "actor": written}
    data["todo"] |= {"title": written}
    whole = json.loads(structured().value or b"") | {"data": data}
    value = json.dumps(whole, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
    event = parse_event(event_of(Incoming(None, value, [], WRITTEN_MS)))
    assert (event.actor, event.todo.title) == (read, read)
    assert event.model_dump()["colour"] == [{read: read}]
    assert entry_of(event).after["title"] == read


UTF_16 = json.dumps(json.loads(structured().value or b"")).encode("utf-16")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"\0\0\0\0\x2a" + (structured().value or b""), "a schema registry's .* the schema id 42"),
        (b"\0\0\0\0\x2aH\x0eBuy milk\xff", "a schema registry's .* the schema id 42"),
        (b"\xef\xbb\xbf{", "a byte order mark of UTF-8; write plain JSON"),
        (UTF_16[:-1], "a byte order mark of UTF-16; write plain JSON in UTF-8"),
        (UTF_16[2:-2], "it looks like UTF-16; write plain JSON in UTF-8"),
    ],
    ids=["registry, JSON", "registry, Avro", "mark", "UTF-16", "UTF-16 without a mark"],
)
def test_the_form_of_what_is_no_plain_json_is_told(value: bytes, words: str) -> None:
    with pytest.raises(Undecodable, match=f"its value is not JSON: .*{words}"):
        event_of(Incoming(None, value, [], WRITTEN_MS))
    binary = foreign(to_binary_event)
    with pytest.raises(Undecodable, match=f"its data is not JSON: .*{words}"):
        event_of(binary._replace(value=value))
    avro = [(name, b"application/avro" if name == "content-type" else text) for name, text in binary.headers]
    with pytest.raises(Undecodable, match=f"a JSON object is needed.*{words}"):
        event_of(binary._replace(value=value, headers=avro))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_another_form_of_unicode_is_read(encoding: str) -> None:
    plain = structured()
    value = (plain.value or b"").decode().encode(encoding)
    assert event_of(plain._replace(value=value)) == event_of(plain)


def test_data_may_come_in_base64() -> None:
    data = json.dumps({"actor": "user:1"}).encode()
    encoded = base64.b64encode(data).decode()
    assert event_of(structured(data=None, data_base64=encoded))["actor"] == "user:1"


def test_ids_that_are_no_uuid_are_those_of_their_source() -> None:
    ours, theirs = (
        event_of(structured(id="1", source=source))["event_id"] for source in ("/shop", "/office")
    )
    assert ours != theirs
    assert ours == event_of(structured(id="1"))["event_id"]
    assert event_id_of("/shop", "1") == UUID(ours)
    event = parse_event(event_of(structured(id="1")))
    assert event.cloudevent.model_dump() == {"source": "/shop", "id": "1"}
    assert json.loads(record_of(event).value or b"")["id"] == "1"


def test_fields_of_the_data_that_are_named_like_those_of_an_event_are_kept_beside() -> None:
    data = an_event().model_dump(mode="json", include={"actor", "todo"}) | {"type": "urgent", "time": "noon"}
    event = parse_event(event_of(structured(data=data)))
    assert (event.type, event.time) == ("todo.created", NOON)
    assert event.cloudevent.model_dump()["data"] == {"type": "urgent", "time": "noon"}
    assert json.loads(record_of(event).value or b"")["data"] == data


@pytest.mark.parametrize(
    ("data", "content_type", "kept"),
    [
        (b'{"with": ["user:43"], "actor": "user:42"}', b"application/json", None),
        (b"<list/>", b"text/xml", "<list/>"),
        (b"\xff\xfe", b"image/png", "//4="),
        (b"", b"", None),
    ],
)
def test_of_an_unknown_type_everything_is_recorded_and_nothing_else_happens(
    data: bytes, content_type: bytes, kept: str | None
) -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"a1"),
        ("ce_source", b"/lists"),
        ("ce_type", b"list.shared"),
        ("ce_subject", b"list-1"),
        ("content-type", content_type),
    ]
    event = event_of(Incoming(None, data, headers, WRITTEN_MS))
    parsed = parse_any_event(event)
    assert isinstance(parsed, OtherEvent)
    assert (parsed.type, parsed.subject, parsed.todo_id) == ("list.shared", "list-1", "list-1")
    if kept is None:
        assert parsed.data == (json.loads(data) if data else None)
    else:
        assert parsed.data == kept
        assert parsed.cloudevent.model_dump()["datacontenttype"] == content_type.decode()
    assert list(effects_of(parsed)) == ["record_audit"]


@pytest.mark.parametrize("data", [None, [1], "text", 5, {"actor": "x" * 300}, {"actor": " \n"}, {"actor": 7}])
def test_what_an_unknown_type_holds_is_never_wrong(data: Any) -> None:
    event = parse_any_event(event_of(structured(type="list.shared", data=data)))
    assert isinstance(event, OtherEvent)
    assert (event.data, event.actor) == (data, None)


def test_a_job_has_the_events_id_its_todos_key_and_the_records_time() -> None:
    event = an_event()
    message = job_of(incoming(record_of(event)))
    assert (message.message_id, message.actor_name) == (str(event.event_id), "handle_event")
    assert message.options == {"key": "todo-1"}
    assert message.message_timestamp == WRITTEN_MS
    assert message.queue_name == "events"
    assert job_of(incoming(record_of(event))).asdict() == message.asdict()


def test_a_schema_of_somebody_else_and_an_older_one_of_ours_are_no_reason_to_refuse() -> None:
    uri = "https://example.com/todo.json"
    assert event_of(structured(dataschema=uri))["cloudevent"]["dataschema"] == uri
    assert "dataschema" not in event_of(structured(dataschema=dataschema("todo.created")))["cloudevent"]
    later = "urn:todo-workers:event:list.shared:7"
    assert event_of(structured(type="list.shared", dataschema=later))["cloudevent"]["dataschema"] == later


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (Incoming(None, None, [], 1), "it has no value"),
        (Incoming(None, b"", [], 1), "its value is not JSON: Expecting value"),
        (Incoming(None, b"\xff\xfe{", [], 1), "its value is not JSON"),
        (Incoming(None, b"[1, 2]", [], 1), "its value is not a JSON object"),
        (Incoming(None, b"[" * 100_000, [], 1), "recursion"),
        (Incoming(None, b"{}", [], 1), "it has no specversion and no id and no source and no type"),
        (structured(id=None), "it has no id"),
        (structured(id=""), "'id' must not be None or empty"),
        (structured(id=5), "id"),
        (structured(source=None), "it has no source"),
        (structured(specversion="0.3"), "'specversion' must be '1.0'"),
        (structured(Tenant="x"), "'Tenant' should only contain lowercase letters"),
        (structured(time="soon"), "its time 'soon' is not one like"),
        (structured(time=5), "its time 5 is not one like"),
        (structured(time="2026-06-01T12:00:00"), "'time' must be timezone aware"),
        (structured(data=None), "its data is not there, a JSON object is needed"),
        (structured(data=[1]), "its data is a JSON array"),
        (structured(data=None, data_base64="%"), "its data_base64 is not base64"),
        (structured(dataschema=dataschema("todo.created")[:-1] + "2"), "its schema has the major version 2"),
        (structured(dataschema=dataschema("todo.deleted")), "its dataschema is that of todo.deleted"),
        (
            structured()._replace(headers=[("content-type", b"application/cloudevents+avro")]),
            "its content-type is application/cloudevents+avro",
        ),
        (
            structured()._replace(headers=[("content-type", b"application/cloudevents-batch+json")]),
            "its content-type is application/cloudevents-batch+json",
        ),
        (foreign(to_binary_event)._replace(value=b"{"), "its data is not JSON"),
        (foreign(to_binary_event)._replace(headers=[("ce_id", b"\xff")]), "can't decode byte 0xff"),
    ],
)
def test_what_is_wrong_with_a_record_is_said_in_words(record: Incoming, words: str) -> None:
    with pytest.raises(Undecodable) as caught:
        event_of(record)
    assert words in str(caught.value)


@given(st.binary(max_size=40), st.lists(st.tuples(st.sampled_from(["ce_id", "content-type"]), st.binary())))
def test_no_bytes_raise_anything_else(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Undecodable):
        event_of(Incoming(b"\xff", value, headers, WRITTEN_MS))


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"Tenant": "eu"}, "'Tenant' should only contain lowercase"),
        ({"tenant": {"a": 1}}, "cloudevent.tenant: is no extension attribute"),
        ({"time": "noon"}, "cloudevent.time: is no extension attribute"),
        ({"id": "1"}, "cloudevent.id: is not what event_id follows from"),
        ({"source": " "}, "cloudevent.source: must not be blank"),
    ],
)
def test_what_no_cloud_event_can_hold_is_refused_at_the_publisher(
    context: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        record_of(an_event(cloudevent=context))
    assert words in str(caught.value)


def test_a_time_that_is_far_ahead_of_its_record_counts_as_the_records_and_is_kept() -> None:
    read = event_of(structured(time="2062-01-01T00:00:00Z"))
    assert (read["time"], read["stated_time"]) == ("2026-06-01T12:00:00+00:00", "2062-01-01T00:00:00Z")
    event = parse_event(read)
    assert entry_of(event).details["stated_time"] == "2062-01-01T00:00:00Z"
    assert "stated_time" not in json.loads(record_of(event).value or b"")["data"]


@pytest.mark.parametrize(
    "time", ["2026-06-01T12:05:00Z", "2026-06-01T14:04:59+02:00", "1999-01-01T00:00:00Z"]
)
def test_a_time_within_the_bound_or_in_the_past_is_the_publishers(time: str) -> None:
    read = event_of(structured(time=time))
    assert read["time"] == time
    assert "stated_time" not in read


def test_the_bound_can_be_set_and_taken_away() -> None:
    record = structured(time="2026-06-01T12:01:00Z")
    assert event_of(record, max_ahead=timedelta(0))["time"] == "2026-06-01T12:00:00+00:00"
    assert event_of(structured(time="2062-01-01T00:00:00Z"), max_ahead=None)["time"] == "2062-01-01T00:00:00Z"


def test_a_record_that_is_stamped_in_no_year_is_still_read() -> None:
    read = event_of(structured(time="2026-06-01T12:00:00Z")._replace(timestamp_ms=2**62))
    assert read["time"] == "2026-06-01T12:00:00Z"


def test_a_record_without_a_time_of_its_own_bounds_nothing() -> None:
    read = event_of(structured(time="2062-01-01T00:00:00Z")._replace(timestamp_ms=-1))
    assert (read["time"], "stated_time" in read) == ("2062-01-01T00:00:00Z", False)


def test_the_place_in_the_log_is_known_and_no_part_of_what_the_event_says() -> None:
    record = structured()._replace(partition=3, offset=17)
    read = parse_event(event_of(record))
    assert read.log_position is not None
    assert (read.log_position.partition, read.log_position.offset) == (3, 17)
    again = parse_event(event_of(record._replace(offset=20)))
    assert says_the_same(entry_of(read), entry_of(again))
    assert not says_the_same(entry_of(read), entry_of(again.model_copy(update={"actor": "user:7"})))
    assert "log_position" not in json.loads(record_of(read).value or b"")["data"]
