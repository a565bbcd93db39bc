"""What the pages show of what was read, whatever that holds, and when nothing can be read."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.waiting import wait_for
from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import OLDEST, FakeKafka
from web.dashboard import text
from web.dashboard.reading.on_demand import OnDemand
from workers.fleet.process import JobAtWork, Process


class Read(HTMLParser):
    """A page as a browser reads it: the names of its attributes, and its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.attributes |= {name for name, _ in attrs}


HOSTILE = (
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    "\u202egnp.exe\u2066\u200f",
    "nul\x00esc\x1b[2J\x9f",
    "half \ud800 pair",
    '" onmouseover="alert(1)',
    "javascript:alert(1)",
    "x" * 1_000_000,
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_text_is_shown_and_does_nothing(client: Client, kafka: FakeKafka, hostile: str) -> None:
    kafka.add(
        "one" + hostile[:40],
        actor=hostile[:250],
        queue=hostile[:250],
        exception_type=hostile[:250],
        exception_message=hostile,
        traceback=hostile,
        worker=text.visible(hostile[:250]),
    )
    browser = client("admin")
    pages = [browser.get("/"), browser.get("/dead-letters")]
    link = re.search(r'href="/workers(/dead-letters/letter\?[^"]*)"', pages[1].text)
    assert link is not None
    pages.append(browser.get(html.unescape(link[1])))
    for page in pages:
        assert page.status_code in {200, 404}  # an id that no URL can have is not found by it
        assert "<script>alert" not in page.text
        read = Read(page.text)
        assert "onmouseover" not in read.attributes
        assert read.scripts == 1
        assert 'href="javascript' not in page.text
        assert "7*7" not in hostile or "{{ 7*7 }}" in page.text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200f\u202e\u2066\ud800]", page.text)
        assert len(page.text) < 400_000


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_json_text_means_the_same_when_it_is_made_visible(value: str) -> None:
    shown = text.as_json({"a": value})
    assert json.loads(shown) == {"a": value}
    shown.encode()


def test_numbers_and_the_order_of_keys_stay_exact() -> None:
    value = {"z": 12345678901234567890123, "a": 0.1, "m": [True, None, -0.0]}
    assert list(json.loads(text.as_json(value)).items()) == list(value.items())


def test_masked_fields_are_hidden_however_deep_and_others_stay() -> None:
    deep: Any = {"Token": "t"}
    for _ in range(100):
        deep = [deep]
    found = text.masked({"a": [{"PASSWORD": 1, "b": 2}], "deep": deep}, {"password", "token"})
    assert found["a"] == [{"PASSWORD": text.MASK, "b": 2}]
    assert "'t'" not in repr(found)


@pytest.mark.parametrize(
    "query",
    [
        "?since=never",
        "?reason=none",
        "?queue=" + "x" * 600,
        "?since=99999999999999999999d",
        "?text=" + "%00" * 600,
    ],
)
def test_a_filter_that_is_garbage_is_told(client: Client, query: str) -> None:
    answer = client("viewer").get(f"/dead-letters{query}")
    assert answer.status_code == 400
    assert "Nothing was done" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "?after=1.2",
        "?after=" + "9" * 19 + ".5",
        "?after=x",
        "?after=-1.-1",
        "?queue='; DROP TABLE letters; --",
        "?id=%ff%fe",
        "?exception=%00",
        "?kind=",
    ],
)
def test_an_odd_cursor_or_value_finds_what_there_is(client: Client, kafka: FakeKafka, query: str) -> None:
    kafka.add()
    assert client("viewer").get(f"/dead-letters{query}").status_code == 200


@pytest.mark.parametrize(
    "path", ["/queues/none", "/dead-letters/letter?id=none", "/runs/none", "/nowhere", "/%00"]
)
def test_what_is_not_there_is_told(client: Client, path: str) -> None:
    answer = client("viewer").get(path)
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_pages_say_what_to_do_next_where_there_is_nothing(client: Client) -> None:
    browser = client("viewer")
    for path, words in {
        "/": "No dead letters.",
        "/dead-letters": "No dead letters.",
        "/dead-letters?queue=mail": "No dead letter matches.",
        "/workers": "No worker process reports.",
        "/activity": "Nobody has done anything",
        "/switches": "No jobs are switched off.",
    }.items():
        assert words in browser.get(path).text


def test_an_oldest_job_whose_record_has_no_time_is_shown_without_an_age(
    client: Client, kafka: FakeKafka
) -> None:
    (queue, partitions) = kafka.queues[0]
    kafka.queues = [(replace(queue, oldest=replace(OLDEST, age_s=None)), partitions)]
    browser = client("viewer")
    overview, page = browser.get("/").text, html.unescape(browser.get("/queues/mail").text)
    assert '<td><span class="quiet">in hand' in overview
    assert "<dt>Since</dt><dd>not known, in hand</dd>" in page
    assert "the oldest is send_mail job-1, in partition 1. What waits" in page


def test_when_kafka_is_away_pages_say_so_and_how_old_the_rest_is(client: Client, kafka: FakeKafka) -> None:
    kafka.add("one")
    browser = client("viewer")
    assert "Kafka is away" not in browser.get("/").text
    kafka.away = "Kafka is away: 127.0.0.1:1"
    wait_for(lambda: "Kafka is away" in browser.get("/").text)
    page = browser.get("/").text
    assert "This page may be old" in page
    assert "mail" in page
    assert "one" in browser.get("/dead-letters").text
    kafka.away = None
    wait_for(lambda: "Kafka is away" not in browser.get("/").text)


def test_a_first_page_while_kafka_is_away_has_nothing_and_says_why(client: Client, kafka: FakeKafka) -> None:
    kafka.away = "Kafka is away"
    page = client("viewer").get("/").text
    assert "Nothing has been read from Kafka yet" in page
    assert "Kafka is away" in page


def test_nothing_is_asked_of_kafka_while_nobody_looks() -> None:
    opened: list[str] = []
    steps: list[float] = []

    def step() -> float:
        steps.append(0.0)
        return 0.0

    @contextmanager
    def work() -> Iterator[Any]:
        opened.append("open")
        yield step
        opened.append("close")

    reading = OnDemand("test", work, idle_s=0.05)
    assert not opened
    for _ in range(20):
        reading.want()
    wait_for(lambda: not reading.is_running)
    assert opened == ["open", "close"]
    done = len(steps)
    assert reading.call(lambda: "asked").result(5) == "asked"
    wait_for(lambda: not reading.is_running)
    assert opened == ["open", "close"] * 2
    assert len(steps) > done
    reading.close()
    reading.want()
    assert not reading.is_running


def test_workers_are_silent_by_the_clock_of_the_cluster_whatever_the_own_one_says(
    client: Client, kafka: FakeKafka
) -> None:
    job = JobAtWork("job-7", "send_mail", "mail", "mail/0/7", since_ms=1)
    kafka.fleet = [Process("p1", "host-1:1", "1.0", 0, applied=1, jobs=[job], reported_ms=1)]
    browser = client("viewer")
    page = browser.get("/workers").text
    assert "job-7" in page
    assert ">silent<" not in page
    kafka.fleet, kafka.silent = [], kafka.fleet
    page = wait_for(lambda: page if ">silent<" in (page := browser.get("/workers").text) else None)
    assert "job-7" not in page
