"""The floor of the pipeline: a plain loop that does by hand what a worker does for an event.

One thread reads the records of the event log with kafka-python, validates each event, adds its audit row with
`sqlite3`, renders and composes its mail with the chatbot's own templates, and sends it with `smtplib`. It
keeps no deliveries, reminders, retries or dead letters, and a crash loses or repeats what it had read.
"""

from __future__ import annotations

import json
import smtplib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from kafka import KafkaConsumer

from settings import load_settings
from tasks.app import event_log, sender
from tasks.audit.chain import Head, chained
from tasks.audit.entries import entry_of
from tasks.events.cloud_events import event_of
from tasks.events.models import TodoEvent, parse_event
from tasks.notifications.mail_message import compose
from tasks.notifications.notice import notice_of
from tasks.notifications.rendering import render
from workers.records.sources import Incoming

_COLUMNS = (
    "sequence, previous_hash, event_id, type, time, recorded_at, actor, todo_id, before, after, details, hash"
)
_TABLE = f"CREATE TABLE floor ({_COLUMNS})"
_PLACES = ", ".join(f":{name}" for name in _COLUMNS.split(", "))
_INSERT = f"INSERT INTO floor ({_COLUMNS}) VALUES ({_PLACES})"  # noqa: S608 - constants


def measure(database: Path, count: int, warm_up: int) -> dict[str, float]:
    """Do the first ``count`` events of the log; returns their rate and processor time after ``warm_up``."""
    settings = load_settings()
    head = Head()
    with (
        closing(sqlite3.connect(database)) as connection,
        smtplib.SMTP(settings.smtp.host, settings.smtp.port, local_hostname="localhost") as server,
    ):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_TABLE)
        cpu_s, began = time.process_time(), time.monotonic()
        for number, record in enumerate(_records(count)):
            if number == warm_up:
                cpu_s, began = time.process_time(), time.monotonic()
            head = _do(parse_event(event_of(record)), head, connection, server)
        done = count - warm_up
        return {
            "per_minute": 60 * done / (time.monotonic() - began),
            "worker_cpu_ms": 1000 * (time.process_time() - cpu_s) / done,
        }


def _do(event: TodoEvent, head: Head, connection: sqlite3.Connection, server: smtplib.SMTP) -> Head:
    now = datetime.now(UTC)
    row = chained(entry_of(event), head, now)
    texts = {
        name: value if value is None or isinstance(value, str | int) else json.dumps(value, default=str)
        for name, value in row.items()
    }
    with connection:
        connection.execute(_INSERT, texts)
    notice = notice_of(event, id=UUID(str(event.event_id)))
    mail = compose(render(notice), sender=sender(), recipient=notice.recipient, notice_id=notice.id, date=now)
    server.sendmail(sender().address, notice.recipient.email, mail)
    return Head(row["sequence"], row["hash"])


def _records(count: int) -> Iterator[Incoming]:
    consumer = KafkaConsumer(
        event_log,
        bootstrap_servers=list(load_settings().kafka.bootstrap_servers),
        auto_offset_reset="earliest",
        group_id=None,
    )
    with closing(consumer):
        for _, record in zip(range(count), consumer, strict=False):
            yield Incoming(record.key, record.value, record.headers, record.timestamp)
