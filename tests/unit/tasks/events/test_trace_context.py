"""The context of a trace in an event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.audit.entries import entry_of, says_the_same
from tasks.events.accepted import accept
from tasks.events.cloud_events import record_of
from tasks.events.trace_context import context_in, in_context
from tests.helpers.samples import an_event
from workers.records.sources import Incoming

OURS = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
THEIRS = {"traceparent": f"00-{'c' * 32}-{'d' * 16}-01", "tracestate": "vendor=1"}


def written(attributes: dict[str, Any]) -> Incoming:
    value = json.loads(record_of(an_event()).value or b"") | attributes
    return Incoming(None, json.dumps(value).encode(), [], 0)


def test_an_event_gets_the_context_in_which_it_is_published() -> None:
    accepted = accept(written({}), OURS)
    assert json.loads(accepted.record.value or b"")["traceparent"] == OURS["traceparent"]
    # Its headers are those of the span that sends it.
    assert "traceparent" not in dict(accepted.record.headers)


@pytest.mark.parametrize("kind", ["todo.created", "shop.opened"])
def test_an_event_with_a_context_keeps_it_in_its_headers_too(kind: str) -> None:
    record = accept(written({"type": kind, **THEIRS}), OURS).record
    value, headers = json.loads(record.value or b""), dict(record.headers)
    assert {name: value[name] for name in THEIRS} == THEIRS
    assert {name: headers[name].decode() for name in THEIRS} == THEIRS


def test_without_traces_nothing_is_added() -> None:
    for attributes in ({}, THEIRS):
        sent = written(attributes)
        assert dict(accept(sent).record.headers).keys() <= {"content-type"}
        assert ("traceparent" in json.loads(accept(sent).record.value or b"")) == bool(attributes)


@pytest.mark.parametrize(
    "parent", ["", "00-0af7-b7ad-01", 7, None, "\ud800", f"{OURS['traceparent']}-{'x' * 500}"]
)
def test_what_makes_no_sense_is_no_context(parent: object) -> None:
    assert context_in({"traceparent": parent, "tracestate": "vendor=1"}) == {}


def test_the_same_event_in_two_traces_is_the_same_in_the_audit_trail() -> None:
    event = an_event()
    first, _ = in_context(event, OURS)
    second, _ = in_context(event, THEIRS)
    assert entry_of(first).details["cloudevent"]["traceparent"] == OURS["traceparent"]
    assert says_the_same(entry_of(first), entry_of(second))
    assert says_the_same(entry_of(first), entry_of(event))
    other = an_event(cloudevent={"source": "/shop"})
    assert not says_the_same(entry_of(first), entry_of(other))
