"""What operators do: replay, mend, discard, pause; who may; and what is written down of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.helpers.waiting import wait_for
from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import TOPIC, FakeKafka
from tests.unit.web.dashboard.forms import begin, fields_of, followed, told
from web.dashboard.pages import controls
from workers.dead_letters.letter import Reason
from workers.dead_letters.selection import Search, Selection
from workers.operations.action_log import Chain


def test_one_letter_is_replayed_at_once_and_written_down(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one")
    kafka.add("one-and-more")
    browser = client("operator")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "id": "one", "at_once": "yes"}))
    assert "1 of 1" in page
    ((topic, record),) = kafka.sent
    assert topic == "shop.jobs.mail"
    assert json.loads(record.value or b"")["message_id"] == "one"
    assert told(kafka) == [("ana@example.com", "replay"), ("ana@example.com", "replay: ended")]
    assert wait_for(
        lambda: "one-and-more" in (page := browser.get("/dead-letters").text) and "<strong>1</strong>" in page
    )
    assert "replay" in wait_for(lambda: page if "ana@" in (page := browser.get("/activity").text) else None)


def test_many_are_counted_before_anything_is_done(client: Client, kafka: FakeKafka) -> None:
    for number in range(700):
        kafka.add(f"m{number}", time_ms=1_700_000_000_000 + number)
    kafka.add("other", exception_type="KeyError")
    browser = client("admin")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "exception": "ValueError"}))
    assert "<strong>700</strong> dead letters would be replayed" in page
    assert "14 s" in page  # at 50 a second
    assert not kafka.sent
    assert not kafka.actions
    assert "700 of 700" in begin(browser, page)
    assert len(kafka.sent) == 700


def test_the_oldest_go_first_and_then_the_rest(client: Client, kafka: FakeKafka) -> None:
    for number in range(30):
        kafka.add(f"m{number}", time_ms=1_700_000_000_000 - number)
    browser = client("operator")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "queue": "mail", "limit": "10"}))
    begin(browser, page)
    sent = {json.loads(record.value or b"")["message_id"] for _, record in kafka.sent}
    assert sent == {f"m{number}" for number in range(20, 30)}


def test_a_limit_that_needs_much_memory_is_refused(client: Client, kafka: FakeKafka) -> None:
    form = {"action": "replay", "queue": "mail", "limit": "2000000"}
    answer = client("operator").post("/runs", data=form)
    assert answer.status_code == 400
    assert "100,000 at most" in answer.text


def test_a_run_that_is_done_keeps_its_counts_and_not_its_letters(
    client: Client, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    selections: list[Selection] = []
    select = Search.select

    def noted(search: Search, *given: Any) -> Selection:
        selections.append(select(search, *given))
        return selections[-1]

    monkeypatch.setattr(Search, "select", noted)
    kafka.add("one")
    browser = client("operator")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "queue": "mail"}))
    assert selections[0].places
    assert "1 of 1" in begin(browser, page)
    assert not selections[0].places
    assert selections[0].total == 1


def test_a_letter_whose_arguments_do_not_fit_is_told_before(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one", value=kafka.job("one").replace(b'["a@b.c",{"id":7}]', b"[]"))
    browser = client("operator")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "queue": "mail"}))
    assert "1 of the first 1 do not fit their actor" in page


def test_a_replay_is_stopped_half_way_and_resumed(client: Client, kafka: FakeKafka) -> None:
    for number in range(40):
        kafka.add(f"m{number}")
    browser = client("operator")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "queue": "mail"}))
    path = re.search(r'action="/workers(/runs/\w+)"', page)[1]  # type: ignore[index]
    browser.post(path, data={"do": "begin", "rate": "8"})
    wait_for(lambda: kafka.sent)
    browser.post(path, data={"do": "stop"})
    page = wait_for(lambda: page if "then it was stopped" in (page := browser.get(path).text) else None)
    done = len(kafka.sent)
    assert 0 < done < 40
    assert f"{done} of 40" in page
    assert "40 of 40" in begin(browser, page)
    sent = [json.loads(record.value or b"")["message_id"] for _, record in kafka.sent]
    assert len(sent) == len(set(sent)) == 40
    assert [did for _, did in told(kafka)] == [
        "replay",
        "replay: stopped",
        "replay",
        "replay: ended",
    ]


def test_two_operators_at_once_run_no_job_twice(client: Client, kafka: FakeKafka) -> None:
    for number in range(60):
        kafka.add(f"m{number}")
    one = client("operator")
    pages = [followed(one, one.post("/runs", data={"action": "replay", "queue": "mail"})) for _ in range(2)]
    paths = [re.search(r'action="/workers(/runs/\w+)"', page)[1] for page in pages]  # type: ignore[index]
    for path in paths:
        one.post(path, data={"do": "begin"})
    ended = []
    for path in paths:
        wait_for(lambda: _ended(one.get(path).text))  # noqa: B023 - called at once
        ended.append(one.get(path).text)
    sent = [json.loads(record.value or b"")["message_id"] for _, record in kafka.sent]
    assert len(sent) == len(set(sent)) == 60
    assert any("60 changed meanwhile" in page for page in ended)


def _ended(page: str) -> str | None:
    return page if "ended" in page or " of 60</strong> replayed." in page else None


def test_kafka_goes_away_in_the_middle_and_the_rest_can_go_on(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one")
    browser = client("operator")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "queue": "mail"}))
    kafka.away = "Kafka is away"
    page = begin(browser, page)
    assert "Kafka is away" in page
    assert not kafka.sent


def test_arguments_are_mended_checked_and_replayed(client: Client, kafka: FakeKafka) -> None:
    job = kafka.job("one").replace(b'{"id":7}', b'{"z":12345678901234567890,"id":7,"title":"\\u202emilk"}')
    kafka.add("one", value=job)
    browser = client("operator")
    page = browser.get("/dead-letters/letter?id=one").text
    fields = fields_of(page)
    assert list(fields) == ["args.0", "args.1"]
    assert "<bdi>address</bdi>" in page
    for wrong, why in (
        ("[", "is no JSON"),
        ("NaN", "is no JSON"),
        ("1e999", "is no JSON"),
        ("7", "does not take this address"),
    ):
        answer = browser.post("/dead-letters/letter", data={**fields, "id": "one", "args.0": wrong})
        assert answer.status_code == 422
        assert why in answer.text
        assert f">{wrong}</textarea>" in answer.text
    assert not kafka.sent
    mended = {**fields, "id": "one", "args.0": '"ann@example.com"'}
    assert "1 of 1" in followed(browser, browser.post("/dead-letters/letter", data=mended))
    value = kafka.sent[0][1].value or b""
    assert json.loads(value)["args"] == [
        "ann@example.com",
        {"z": 12345678901234567890, "id": 7, "title": "\u202emilk"},
    ]
    assert list(json.loads(value)["args"][1]) == ["z", "id", "title"]
    assert told(kafka)[0] == ("ana@example.com", "mend and replay")


FORMS = [
    ("/runs", {"action": "replay", "id": "one", "at_once": "yes"}),
    ("/runs", {"action": "discard", "id": "one"}),
    ("/dead-letters/letter", {"id": "one", "args.0": '"x"'}),
    ("/queues/mail/pause", {"why": "x"}),
    ("/queues/mail/resume", {}),
    ("/switches", {"actor": "send_mail", "then": "hold", "why": "x"}),
    ("/switches/abc/lift", {}),
]


@pytest.mark.parametrize(("path", "form"), FORMS, ids=lambda one: str(one)[:40])
def test_a_viewer_who_posts_and_a_read_only_dashboard_change_nothing(
    client: Client, kafka: FakeKafka, path: str, form: dict[str, str]
) -> None:
    kafka.add("one")
    for browser in (client("viewer"), client("admin", read_only=True)):
        answer = browser.post(path, data=form)
        assert answer.status_code == 403, answer.text
        assert "You may not" in answer.text
    assert client(None).post(path, data=form).status_code == 401
    foreign = client("admin").post(path, data=form, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert not kafka.sent
    assert not kafka.actions
    assert not kafka.state.pauses
    assert not [record for record in kafka.log if record.value is None]


def test_only_an_admin_discards_and_after_a_confirmation(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one")
    form = {"action": "discard", "id": "one", "at_once": "yes"}
    assert client("operator").post("/runs", data=form).status_code == 403
    browser = client("admin")
    page = followed(browser, browser.post("/runs", data=form))
    assert "lost for good" in page
    assert len(kafka.log) == 1
    assert "1 of 1" in begin(browser, page)
    assert (kafka.log[-1].key, kafka.log[-1].value, kafka.log[-1].topic) == (b"one", None, TOPIC)
    assert not kafka.sent


def test_a_queue_is_paused_and_resumed_with_who_and_why(client: Client, kafka: FakeKafka) -> None:
    browser = client("operator")
    assert browser.post("/queues/mail/pause", data={"why": "<b>mail is down", "for": "2h"}).status_code == 303
    page = wait_for(lambda: page if "Paused" in (page := browser.get("/queues/mail").text) else None)
    assert "&lt;b&gt;mail is down" in page
    assert "ana@example.com" in page
    assert "No worker runs" in page
    assert browser.post("/queues/none/pause", data={"why": "x"}).status_code == 503
    assert browser.post("/queues/mail/pause", data={"why": "x", "for": "soon"}).status_code == 400
    assert browser.post("/queues/mail/pause", data={"why": "x" * 600}).status_code == 400
    assert browser.post("/queues/mail/resume").status_code == 303
    wait_for(lambda: "Resume" not in browser.get("/queues/mail").text)
    assert [did for _, did in told(kafka)] == ["pause", "resume"]


def test_a_switch_is_set_and_lifted_by_an_admin(client: Client, kafka: FakeKafka) -> None:
    browser = client("admin")
    assert browser.post("/switches", data={"then": "hold", "why": "all"}).status_code == 400
    assert (
        browser.post("/switches", data={"where": "nonsense", "then": "hold", "why": "x"}).status_code == 400
    )
    set_ = {"actor": "send_mail", "where": "args.0=a@b.c", "then": "hold", "why": "loops"}
    assert browser.post("/switches", data=set_).status_code == 303
    page = wait_for(lambda: page if "loops" in (page := browser.get("/switches").text) else None)
    assert "args.0=a@b.c" in page
    path = re.search(r'action="/workers(/switches/\w+/lift)"', page)[1]  # type: ignore[index]
    kafka.add("h", reason=Reason.HELD, held_by=path.split("/")[2])
    kafka.add("other", reason=Reason.HELD, held_by="another")
    assert "1 of 1 held jobs were replayed" in browser.post(path).text
    assert [json.loads(record.value or b"")["message_id"] for _, record in kafka.sent] == ["h"]
    assert [did for _, did in told(kafka)] == [
        "switch off",
        "lift switch",
        "replay",
        "replay: ended",
        "lift switch: replayed",
    ]
    wait_for(lambda: "No jobs are switched off" in browser.get("/switches").text)


def test_a_lift_while_another_acts_says_that_and_replays_nothing(
    client: Client, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "_OTHERS_S", 0.0)
    browser = client("admin")
    assert browser.post("/queues/mail/resume").status_code == 303
    acts = Chain().value("bo@example.com", "replay", {"run": "other", "letters": 9}, 1)
    kafka.actions.append(replace(kafka.actions[0], value=acts))
    kafka.add("h", reason=Reason.HELD, held_by="3f")
    page = browser.post("/switches/3f/lift").text
    assert "0 of 1 held jobs were replayed" in page
    assert "bo@example.com acts: a replay of 9" in page
    assert not kafka.sent


def test_the_export_is_what_the_command_imports(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one", exception_message="x\ud800")
    kafka.add("two", queue="other")
    browser = client("admin")
    wait_for(lambda: "one" in browser.get("/dead-letters").text)
    lines = browser.get("/dead-letters/export?queue=mail").text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["one"]
    assert client("operator").get("/dead-letters/export").status_code == 403
