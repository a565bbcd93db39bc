"""What users want, over HTTP, and one click in a mail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tasks.notifications.delivery_store import DeliveryStore
from tasks.notifications.mail_message import Sender, compose
from tasks.notifications.notice import Notice, notice_of
from tasks.notifications.recipients import RecipientStore
from tasks.notifications.rendering import render
from tasks.notifications.unsubscribe_links import signed
from tasks.storage.database import Database
from tests.helpers.samples import an_event, an_owner
from tests.integration.web.api.conftest import UNSUBSCRIBE_SECRET, bearer, make_client, require_problem
from web.api.problems import MAX_FIELDS_BYTES
from web.api.services import Services
from workers import Cluster, KafkaBroker

#: The id of no reminder.
NO_ONE = "6f9c0a1e-0d3b-4b57-9d7a-3d5e3c1f2a10"
ANA = bearer("ana@example.com")


def put(client: TestClient, body: Any) -> Any:
    headers = ANA | {"content-type": "application/json"}
    return client.put("/preferences", content=json.dumps(body), headers=headers)


@pytest.mark.parametrize(
    "route", ["PUT /preferences", f"POST /reminders/{NO_ONE}/snooze", f"POST /reminders/{NO_ONE}/reschedule"]
)
def test_a_body_is_not_read_on_and_on_before_it_is_known_who_asks(client: TestClient, route: str) -> None:
    method, _, path = route.partition(" ")
    require_problem(client.request(method, path, content=b" " * MAX_FIELDS_BYTES), 401, "send a token")
    answer = client.request(method, path, content=b" " * (MAX_FIELDS_BYTES + 1))
    require_problem(answer, 413, "the body has more than 65536 bytes")


def test_everybody_sets_their_own(client: TestClient, database: Database) -> None:
    before = client.get("/preferences", headers=ANA).json()
    assert (before["opted_out"], before["quiet_hours"]) == ([], None)
    assert "todo_created" in before["kinds"]
    wanted = {"opted_out": ["todo_completed", "todo_created"], "quiet_hours": "22:00-07:00"}
    assert put(client, wanted).json() == before | wanted
    assert client.get("/preferences", headers=ANA).json() == before | wanted
    assert RecipientStore(database).preferences("ANA@example.com").refuses("todo_created")
    assert client.get("/preferences", headers=bearer("ben@example.com")).json() == before
    assert put(client, {"opted_out": ["*"], "quiet_hours": None}).json()["opted_out"] == ["*"]
    require_problem(client.get("/preferences"), 401, "send a token")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"opted_out": ["todo_create"], "quiet_hours": None}, "did you mean"),
        ({"opted_out": [], "quiet_hours": "22"}, "22:00-07:00"),
        ({"opted_out": []}, "not as the route describes"),
        ({"opted_out": [], "quiet_hours": None, "quiet": 1}, "not as the route describes"),
        ({"opted_out": [], "quiet_hours": None, "half \ud83d": 1}, "not as the route describes"),
        ({"opted_out": ["\ud83d"], "quiet_hours": "\ud83d"}, "not as the route describes"),
    ],
)
def test_what_is_wrong_changes_nothing(client: TestClient, body: Any, words: str) -> None:
    before = client.get("/preferences", headers=ANA).json()
    require_problem(put(client, body), 422, words)
    assert client.get("/preferences", headers=ANA).json() == before


def test_a_user_whose_name_is_no_address_has_no_preferences(client: TestClient) -> None:
    require_problem(client.get("/preferences", headers=bearer("42")), 422, "42")


def test_the_link_in_a_mail_unsubscribes_with_one_click(client: TestClient, database: Database) -> None:
    notice = a_sent_notice(database)
    url = "https://todo.example.com/unsubscribe/{id}"
    sender = Sender("todo@example.com", unsubscribe_url=url, unsubscribe_secret=UNSUBSCRIBE_SECRET)
    content = render(notice)
    mail = message_from_bytes(
        compose(content, sender=sender, recipient=an_owner(), notice_id=notice.id, date=datetime.now(UTC))
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.findall(r"<(https:[^>]+)>", mail["List-Unsubscribe"])[0]
    path = urlsplit(link).path
    page = client.get(path)  # as a scanner does
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    assert RecipientStore(database).preferences(notice.recipient.email).opted_out == frozenset()
    answer = client.post(path, data={"List-Unsubscribe": "One-Click"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["referrer-policy"]) == (200, "no-referrer")
    assert RecipientStore(database).preferences(notice.recipient.email).opted_out == {notice.kind}
    assert client.post(path, files={"List-Unsubscribe": (None, "One-Click")}).status_code == 200
    never_sent = signed(uuid4(), UNSUBSCRIBE_SECRET)
    require_problem(client.post(f"/unsubscribe/{never_sent}"), 404, "no mail with the notice")


def a_sent_notice(database: Database) -> Notice:
    notice = notice_of(an_event(), id=uuid4())
    DeliveryStore(database).opt_out(notice, now=datetime.now(UTC))
    return notice


def test_who_only_knows_the_notice_unsubscribes_nobody(client: TestClient, database: Database) -> None:
    notice = a_sent_notice(database)
    for link in (f"{notice.id}", f"{notice.id}.", signed(notice.id, "another secret"), "x", "x" * 200):
        for answer in (client.get(f"/unsubscribe/{link}"), client.post(f"/unsubscribe/{link}")):
            require_problem(answer, 404, "its signature is missing or wrong")
    assert RecipientStore(database).preferences(notice.recipient.email).opted_out == frozenset()


def test_without_a_secret_nobody_unsubscribes_by_a_link(
    database: Database, make_services: Callable[[KafkaBroker], Services]
) -> None:
    notice = a_sent_notice(database)
    services = make_services(KafkaBroker(Cluster(("127.0.0.1:1",)), namespace="t"))
    with make_client(replace(services, unsubscribe_secret=None)) as client:
        for link in (f"{notice.id}", signed(notice.id, "")):
            for answer in (client.get(f"/unsubscribe/{link}"), client.post(f"/unsubscribe/{link}")):
                require_problem(answer, 404, "SMTP_UNSUBSCRIBE_SECRET is not set")
    assert RecipientStore(database).preferences(notice.recipient.email).opted_out == frozenset()


def test_while_the_database_is_away_a_client_is_told_to_come_back(
    make_services: Callable[[KafkaBroker], Services], nowhere: str
) -> None:
    database = Database(f"postgresql://{nowhere}/todo")
    services = make_services(KafkaBroker(Cluster(("127.0.0.1:1",)), namespace="t"))
    own = {"database": lambda: database, "recipients": lambda: RecipientStore(database)}
    with make_client(Services(**{**vars(services), **own})) as client:
        for path in ("/preferences", "/reminders", "/todos/todo-1/history"):
            answer = client.get(path, headers=ANA)
            problem = require_problem(answer, 503, "the database cannot be reached now")
            assert int(answer.headers["retry-after"]) > 0
            assert nowhere not in str(problem)
