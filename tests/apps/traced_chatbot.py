"""The chatbot in one process, from the request to the mail, whose spans are printed as JSON.

It publishes an event over HTTP, as a caller with a trace of its own, and writes another as a foreign service
does, with the trace in the CloudEvent alone.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from typing import Any

import dramatiq
from starlette.testclient import TestClient

import tasks
from tasks.app import event_log
from tests.helpers.spans import KeptSpans, kept_spans, parent_id, span_id, trace_id
from tests.helpers.waiting import wait_for
from web.app import make_app
from workers.records.envelope import Record
from workers.runtime import logs

HTTP_TRACE, FOREIGN_TRACE, CALLER = "1" * 32, "2" * 32, "c" * 16


def main() -> None:
    given: dict[str, Any] = json.load(sys.stdin)
    logs.prefer("json")
    logs.set_up()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with kept_spans() as spans:
        client = TestClient(make_app())
        client.post(
            "/events",
            json=given["over-http"],
            headers={
                "authorization": f"Bearer {given['token']}",
                "content-type": "application/cloudevents+json",
                "traceparent": f"00-{HTTP_TRACE}-{CALLER}-01",
                "tracestate": "vendor=1",
            },
        ).raise_for_status()
        foreign = given["foreign"] | {"traceparent": f"00-{FOREIGN_TRACE}-{CALLER}-01"}
        record = Record(b"todo-2", json.dumps(foreign).encode(), [])
        tasks.broker.producer.deliver(event_log, record)
        worker = dramatiq.Worker(tasks.broker, worker_threads=4)
        worker.start()
        try:
            wait_for(lambda: are_done(spans))
        finally:
            worker.stop()
        sys.stdout.write(json.dumps([told(span) for span in spans.all]))


def are_done(spans: KeptSpans) -> bool:
    """Whether both events are handled, and the job that is left of one."""
    ended = Counter(span.name for span in spans.all)
    queues = tasks.broker.topics
    return (
        ended[f"process {event_log}"] == 2
        and ended[f"process {queues.jobs('notifications')}"] >= 2
        and ended["audit append"] == 2
    )


def told(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "trace": trace_id(span),
        "id": span_id(span),
        "parent": parent_id(span),
        "kind": span.kind.name,
        "status": span.status.status_code.name,
        "attributes": dict(span.attributes),
    }


if __name__ == "__main__":
    main()
