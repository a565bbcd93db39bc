"""Who may see a record, and what of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks import Owner, Todo, TodoCreated, TodoUpdated
from tasks.events.cloud_events import record_of
from tasks.updates.records import BATCH_TYPE, Deed, Update
from tasks.updates.records import record_of as update_record
from web.live import protocol
from web.live.ring import Entry
from web.live.send_buffer import SendBuffer, Waiting
from web.live.sought import Sought
from web.live.views import VIEWS, Views
from workers.errors import Undecodable
from workers.records.envelope import Record

ANA = Owner(name="Ana", email="Ana@Example.com")


@dataclass
class Consumed:
    """A record as a consumer gets it."""

    written: Record
    topic: str = "t"
    partition: int = 0
    offset: int = 7
    timestamp: int = 1_780_000_000_000
    unreadable: str | None = None
    first_offset: int = 7

    @property
    def key(self) -> bytes | None:
        return self.written.key

    @property
    def value(self) -> bytes | None:
        return self.written.value

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self.written.headers)


def entry_of(record: Record, views: Views | None = None) -> Entry | None:
    seen = (views or Views()).seen(Consumed(record), 3, "before", "after")
    assert seen.faults == []
    return seen.entries[0] if seen.entries else None


def body_of(entry: Entry | None) -> dict[str, Any]:
    assert entry is not None
    body: dict[str, Any] = json.loads(entry.body)
    return body


def created(**fields: Any) -> Record:
    todo = Todo(id="todo-1", title="Böok", owner=ANA, **fields)
    return record_of(TodoCreated(actor="user:ana", todo=todo))


def written(kind: str, data: object) -> Record:
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": kind, "data": data}
    return Record(b"k", json.dumps(event).encode(), [])


def test_the_owner_sees_a_todo_without_the_address() -> None:
    entry = entry_of(created())
    body = body_of(entry)
    assert entry is not None
    assert (entry.users, entry.partition, entry.offset, entry.replaces) == (("ana@example.com",), 3, 7, None)
    assert (body["p"], body["o"], body["type"], body["subject"]) == (3, 7_000, "todo.created", "todo-1")
    assert body["data"]["actor"] == "user:ana"
    assert body["data"]["todo"]["title"] == "Böok"
    assert body["data"]["todo"]["owner"] == {"name": "Ana"}
    assert "@" not in entry.body


def test_watchers_see_it_too_each_once() -> None:
    entry = entry_of(created(watchers=["bob@example.com", "ANA@example.com", "bob@example.com"]))
    assert entry is not None
    assert entry.users == ("ana@example.com", "bob@example.com")
    assert "bob" not in entry.body


@pytest.mark.parametrize("watchers", [None, "bob@example.com", {"bob@example.com": 1}, [7, None, ["x"]], []])
def test_watchers_that_are_no_texts_in_a_list_hide_nothing_from_the_owner(watchers: Any) -> None:
    entry = entry_of(created(watchers=watchers))
    assert entry is not None
    assert entry.users == ("ana@example.com",)


def test_a_change_is_seen_but_not_one_of_the_owner() -> None:
    changes = {"title": {"before": "a", "after": "b"}, "owner": {"before": None, "after": None}}
    todo = Todo(id="todo-1", title="b", owner=ANA)
    entry = entry_of(record_of(TodoUpdated(actor="user:ana", todo=todo, changes=changes)))
    assert body_of(entry)["data"]["changes"] == {"title": {"before": "a", "after": "b"}}
    assert entry is not None
    assert entry.replaces == "todo.updated todo-1"


def test_an_update_is_seen_by_the_person_it_was_for() -> None:
    time = datetime(2026, 6, 1, tzinfo=UTC)
    update = Update(Deed.MAIL_SENT, "Ana@Example.com", "n1", time, "todo-1", {"kind": "todo_created"})
    entry = entry_of(update_record([update]))
    body = body_of(entry)
    assert entry is not None
    assert entry.users == ("ana@example.com",)
    assert (body["type"], body["id"], body["subject"]) == ("mail.sent", str(update.id), "todo-1")
    assert body["data"] == {"kind": "todo_created"}


@pytest.mark.parametrize("deed", Deed)
def test_two_updates_about_a_todo_both_come_to_a_client_that_is_slow(deed: Deed) -> None:
    time = datetime(2026, 6, 1, tzinfo=UTC)
    send_buffer = SendBuffer(max_frames=2)
    for about in ("n1", "n2"):
        update = Update(deed, "ana@example.com", about, time, "todo-1", {"about": about})
        entry = entry_of(update_record([update]))
        assert entry is not None
        send_buffer.put(Waiting(protocol.events([entry.body], entry.cursor), entry.cursor, entry))
    # Too much: what can be left out, is.
    assert not send_buffer.put(Waiting(protocol.ping(None, stale_since=None)))
    assert send_buffer.left_out == 0
    frame = send_buffer.take()
    assert frame is not None
    assert [event["data"]["about"] for event in json.loads(frame.text)["e"]] == ["n1", "n2"]


def test_several_updates_in_a_record_are_seen_each_by_its_owner_and_only_the_last_ends_the_record() -> None:
    time = datetime(2026, 6, 1, tzinfo=UTC)
    owners = ("ana@example.com", "bob@example.com")
    updates = [Update(Deed.MAIL_SENT, owner, "n", time, "todo-1") for owner in owners]
    found = Views().seen(Consumed(update_record(updates)), 3, "before", "after").entries
    assert [(entry.users, entry.offset, entry.cursor) for entry in found] == [
        (("ana@example.com",), 7, "before"),
        (("bob@example.com",), 7, "after"),
    ]
    assert [json.loads(entry.body)["o"] for entry in found] == [7_000, 7_001]


def test_every_type_of_ours_has_a_view() -> None:
    assert set(VIEWS) >= {deed.value for deed in Deed}


def test_an_event_of_another_type_is_seen_by_nobody_unless_an_application_says_so() -> None:
    record = written("shop.sale", {"n": 1})
    assert entry_of(record) is None
    views = Views({"shop.sale": lambda event: {"n": event["data"]["n"]}}, audience=lambda _: None)
    entry = entry_of(record, views)
    assert entry is not None
    assert entry.users is None
    assert body_of(entry)["data"] == {"n": 1}
    assert entry_of(record, Views({"shop.sale": lambda _: {}}, audience=lambda _: ())) is None


def faults_of(record: Record) -> list[type[Exception]]:
    seen = Views().seen(Consumed(record), 3, "before", "after")
    assert seen.entries == []
    return [type(fault) for fault in seen.faults]


def test_what_is_no_event_or_has_no_owner_is_a_fault() -> None:
    assert faults_of(Record(b"k", b"{", [])) == [Undecodable]
    assert faults_of(written("todo.created", {"todo": {"id": "1"}})) == [KeyError]


def batch(*events: object) -> Record:
    return Record(b"k", json.dumps(events).encode(), [("content-type", BATCH_TYPE.encode())])


def update(**fields: object) -> dict[str, object]:
    data = {"owner": "ana@example.com"}
    return {"type": "mail.sent", "id": "1", "time": "2026-06-01T00:00:00Z", "data": data, **fields}


@pytest.mark.parametrize(
    "faulty",
    [
        update(data={"owner": "ana@example.com", "n": float("nan")}),
        update(data={"owner": 7}),
        update(type="todo.created", todo={"id": "1", "owner": {"name": "A", "email": "ana@example.com"}}),
        update(type=["mail.sent"]),
        {"type": "mail.sent"},
        "nothing",
    ],
)
def test_an_event_of_a_batch_that_nothing_can_be_made_of_is_left_out_alone(faulty: object) -> None:
    record = batch(update(id="1"), faulty, update(id="3"), faulty)
    seen = Views().seen(Consumed(record), 3, "before", "after")
    assert [(json.loads(entry.body)["id"], entry.cursor) for entry in seen.entries] == [
        ("1", "before"),
        ("3", "after"),
    ]
    assert [json.loads(entry.body)["o"] for entry in seen.entries] == [7_000, 7_002]
    assert len(seen.faults) == 2


def test_half_a_surrogate_can_be_sent() -> None:
    entry = entry_of(batch(update(data={"owner": "ana@example.com", "kind": "\ud800"})))
    assert entry is not None
    assert entry.body.isascii()
    assert body_of(entry)["data"] == {"kind": "\ud800"}


def test_a_batch_that_is_none_or_has_more_events_than_numbers_is_a_fault() -> None:
    assert faults_of(batch(*[update()] * 1_001)) == [ValueError]
    headers = [("content-type", BATCH_TYPE.encode())]
    assert faults_of(Record(b"k", b"{}", headers)) == [TypeError]
    assert faults_of(Record(b"k", b"[" * 100_000, headers)) == [RecursionError]


def structured(**fields: Any) -> Record:
    """An event that somebody else wrote, with these fields in place of its data."""
    envelope = {"specversion": "1.0", "id": "1", "source": "/other", "type": "todo.created"}
    return Record(
        b"1", json.dumps(envelope | fields).encode(), [("content-type", b"application/cloudevents+json")]
    )


def data_of(email: str, **fields: Any) -> dict[str, Any]:
    return {"actor": "x", "todo": {"id": "1", "title": "x", "owner": {"name": "x", "email": email}} | fields}


def test_watchers_see_a_todo_whose_owner_has_an_address_that_is_no_text() -> None:
    data = data_of("", watchers=["bob@example.com"])
    data["todo"]["owner"]["email"] = ["ana@example.com"]
    entry = entry_of(structured(data=data))
    assert entry is not None
    assert entry.users == ("bob@example.com",)


PLAIN = structured(data=data_of("ana@example.com"))
ESCAPED = PLAIN._replace(value=(PLAIN.value or b"").replace(b"ana@", b"ana\\u0040"))
UPDATE = Update(Deed.MAIL_SENT, "ana@example.com", "1", datetime.now(UTC), data={"kind": "x"})


@pytest.mark.parametrize(
    "record",
    [
        record_of(TodoCreated(actor="x", todo=Todo(id="1", title="x", owner=ANA))),
        structured(data=data_of("ANA@EXAMPLE.COM")),
        structured(data=data_of("bob@example.com", watchers=["x", " Ana@example.com "])),
        structured(data_base64=base64.b64encode(json.dumps(data_of("ana@example.com")).encode()).decode()),
        ESCAPED,
        update_record([UPDATE]),
        update_record([replace(UPDATE, owner="bob@example.com"), UPDATE]),
    ],
)
def test_a_record_that_a_user_sees_concerns_them_by_its_text(record: Record) -> None:
    seen = Views().seen(Consumed(record), 3, "before", "after")
    assert any("ana@example.com" in (entry.users or ()) for entry in seen.entries)
    sought = Sought({"ana@example.com", "eve@example.com"})
    assert Views().may_concern(Consumed(record), sought)
    find = Views().finder(sought)
    assert find is not None
    assert find(b"\0key" + (record.value or b"") + b"\0") != []


def test_a_record_of_others_does_not_concern_a_user() -> None:
    record = record_of(TodoCreated(actor="x", todo=Todo(id="1", title="ana@example.com!", owner=ANA)))
    assert not Views().may_concern(Consumed(record), Sought({"bob@example.com", "na@example.com"}))


@pytest.mark.parametrize("value", [None, b"\xff", '{"a": "é"}'.encode("utf-16")])
def test_a_record_whose_text_shows_nothing_may_concern_anybody(value: bytes | None) -> None:
    assert Views().may_concern(Consumed(Record(b"1", value, [])), Sought({"bob@example.com"}))


def test_who_sees_what_by_a_rule_of_the_application_is_not_judged_by_the_text() -> None:
    record = record_of(TodoCreated(actor="x", todo=Todo(id="1", title="x", owner=ANA)))
    views = Views(audience=lambda _: None)
    assert views.may_concern(Consumed(record), Sought({"bob@example.com"}))
    assert views.finder(Sought({"bob@example.com"})) is None
