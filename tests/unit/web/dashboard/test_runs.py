"""What a run on dead letters must never do: hit another letter, or go on when the application stops."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import pytest

from tests.helpers.waiting import wait_for
from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import FakeKafka
from tests.unit.web.dashboard.forms import followed, told
from web.dashboard.actions import runs
from web.dashboard.application import Dashboard
from workers.operations.logged_runs import Phase


@pytest.mark.parametrize(
    "form",
    [
        {"action": "replay", "id": "t/0/1", "at_once": "yes"},
        {"action": "replay", "id": "t/0/1"},
        {"action": "discard", "id": "t/0/1"},
    ],
    ids=str,
)
def test_a_letter_that_is_gone_leaves_one_whose_id_begins_like_it(
    client: Client, kafka: FakeKafka, form: dict[str, str]
) -> None:
    kafka.add("t/0/1")
    kafka.add("t/0/12")
    browser = client("admin")
    kafka.end(b"t/0/1")
    page = followed(browser, browser.post("/runs", data=form))
    assert "no dead letter has the id t/0/1: it was replayed or discarded meanwhile" in page
    assert not kafka.sent
    assert not kafka.actions
    assert [record.key for record in kafka.log if record.value is None] == [b"t/0/1"]


@pytest.mark.parametrize("rate", ["0", "0.0001", "0.99", "-1", "nan", "inf", "1e9", "x"])
def test_a_rate_that_would_never_end_is_refused(client: Client, kafka: FakeKafka, rate: str) -> None:
    kafka.add("one")
    browser = client("operator")
    page = followed(browser, browser.post("/runs", data={"action": "replay", "queue": "mail"}))
    path = re.search(r'action="/workers(/runs/\w+)"', page)[1]  # type: ignore[index]
    assert browser.post(path, data={"do": "begin", "rate": rate}).status_code == 400
    assert not kafka.sent


def test_a_run_that_waits_for_its_rate_stops_at_once(
    client: Client, kafka: FakeKafka, make: Callable[..., Dashboard]
) -> None:
    for number in range(3):
        kafka.add(f"m{number}")
    board = make()
    browser = client("operator", board=board)
    followed(browser, browser.post("/runs", data={"action": "replay", "queue": "mail"}))
    (run,) = board.desk.runs.newest()
    board.desk.runs.begin(run, "ana", 1 / 300)
    wait_for(lambda: kafka.sent)
    board.desk.runs.close()
    assert run.phase is Phase.STOPPED
    assert len(kafka.sent) == 1
    assert told(kafka)[-1] == ("ana", "replay: stopped")


def test_closing_does_not_wait_for_ever(
    client: Client, kafka: FakeKafka, make: Callable[..., Dashboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make()
    monkeypatch.setattr(runs, "_CLOSE_S", 0.05)
    held, go_on = threading.Event(), threading.Event()

    def hangs(_run: object) -> None:
        held.set()
        go_on.wait(30)

    monkeypatch.setattr(board.desk.runs, "_look", hangs)
    kafka.add("one")
    client("operator", board=board).post("/runs", data={"action": "replay", "queue": "mail"})
    assert held.wait(10)
    began = time.monotonic()
    board.desk.runs.close()
    assert time.monotonic() - began < 10
    go_on.set()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/queues/mail/pause", {"why": "x", "for": "366001d"}),
        ("/switches", {"then": "hold", "why": "it would match all"}),
        ("/switches", {"actor": "send_mail", "then": "explode", "why": "x"}),
        ("/switches", {"where": "nonsense", "then": "hold", "why": "x"}),
    ],
)
def test_what_is_refused_is_not_written_down_as_done(
    client: Client, kafka: FakeKafka, path: str, form: dict[str, str]
) -> None:
    assert client("admin").post(path, data=form).status_code == 400
    assert not kafka.actions
