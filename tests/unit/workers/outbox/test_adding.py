"""A row of the outbox carries the context of the request that commits it; the relay writes it as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from tests.helpers.spans import kept_spans, span_id
from workers.outbox.adding import add
from workers.outbox.table import ROWS
from workers.records.envelope import Record

TOPIC = "todo.events"


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    ROWS.create(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def headers_of(session: Session) -> list[dict[str, str]]:
    session.flush()
    return [dict(headers) for headers in session.scalars(select(ROWS.c.headers).order_by(ROWS.c.id))]


def put(session: Session, *headers: tuple[str, bytes]) -> None:
    record = Record(b"k", b"v", [("schema", b"1"), *headers])
    add(session, TOPIC, record, name="1", about="todo.created")


def test_a_row_has_the_context_of_the_span_that_adds_it(session: Session) -> None:
    given = f"00-{'a' * 32}-{'b' * 16}-01"
    with kept_spans() as spans:
        with spans.tracer.start_as_current_span("request"):
            put(session)
        put(session)
        put(session, ("traceparent", given.encode()))
        request, created = spans.all
    in_request, alone, with_its_own = headers_of(session)
    assert in_request["traceparent"].split("-")[2] == span_id(request)
    assert (created.name, alone["traceparent"].split("-")[2]) == (f"create {TOPIC}", span_id(created))
    assert with_its_own["traceparent"] == given


def test_without_a_provider_a_row_has_none(session: Session) -> None:
    put(session)
    assert headers_of(session) == [{"schema": "1"}]
