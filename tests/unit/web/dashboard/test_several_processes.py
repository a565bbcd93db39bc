"""Several processes of the dashboard on one log: a run of one is seen, stopped and resumed in another."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2 as httpx
import pytest

from tests.helpers.waiting import wait_for
from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import OLDEST, FakeKafka
from tests.unit.web.dashboard.forms import begin, followed, told
from web.dashboard.actions.run import Run
from web.dashboard.application import Dashboard
from web.dashboard.pages import runs as pages
from web.dashboard.reading import snapshots
from workers.operations.action_log import Chain
from workers.operations.logged_runs import Phase
from workers.operations.queue_status import QueueStatus
from workers.operations.turn import Turn

Make = Callable[..., Dashboard]


def begun(client: Client, board: Dashboard, rate_per_s: float | None) -> Run:
    """A replay of all letters of the queue mail, begun in this process."""
    run = looked(client, board)
    assert board.desk.runs.begin(run, "ana@example.com", rate_per_s)
    return run


def looked(client: Client, board: Dashboard) -> Run:
    """The same, not yet begun."""
    followed(client("operator", board=board), _posted(client, board))
    return board.desk.runs.newest()[0]


def of_three(client: Client, kafka: FakeKafka, board: Dashboard) -> Run:
    """A replay of three letters, m0 to m2: one is done, the next has minutes to wait."""
    add_three(kafka)
    run = begun(client, board, 1 / 300)
    wait_for(lambda: kafka.sent)
    return run


def add_three(kafka: FakeKafka) -> None:
    for number in range(3):
        kafka.add(f"m{number}")


def _posted(client: Client, board: Dashboard) -> httpx.Response:
    return client("operator", board=board).post("/runs", data={"action": "replay", "queue": "mail"})


def ids(kafka: FakeKafka) -> list[str]:
    return [json.loads(record.value or b"")["message_id"] for _, record in kafka.sent]


def test_a_run_is_seen_stopped_and_resumed_in_another_process(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    one, other = make(), make()
    run = of_three(client, kafka, one)
    browser = client("operator", board=other)
    page = wait_for(lambda: page if ">Stop<" in (page := browser.get(f"/runs/{run.id}").text) else None)
    assert run.id in browser.get("/activity").text
    kafka.add("m9")  # it matches, but was not there when the run was confirmed
    page = followed(browser, browser.post(f"/runs/{run.id}", data={"do": "stop"}))
    wait_for(lambda: run.phase is Phase.STOPPED)
    page = wait_for(lambda: page if "the other 2" in (page := browser.get(f"/runs/{run.id}").text) else None)
    assert "3 of 3" in begin(browser, page)
    assert sorted(ids(kafka)) == ["m0", "m1", "m2"]
    first = client("operator", board=one)
    wait_for(lambda: "3 of 3" in first.get(f"/runs/{run.id}").text)
    assert [did for _, did in told(kafka)] == [
        "replay", "replay: stop", "replay: stopped", "replay", "replay: ended"
    ]  # fmt: skip


def test_after_a_restart_a_run_goes_on_with_what_is_left(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    one = make()
    run = of_three(client, kafka, one)
    one.close()
    browser = client("operator", board=make())
    page = wait_for(lambda: page if "the other 2" in (page := browser.get(f"/runs/{run.id}").text) else None)
    assert "1 of 3" in page
    assert "3 of 3" in begin(browser, page)
    assert sorted(ids(kafka)) == ["m0", "m1", "m2"]


def test_others_hear_of_a_run_while_its_letters_are_selected_again_and_read(
    client: Client, kafka: FakeKafka, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make(), make()
    run = of_three(client, kafka, one)
    one.close()
    sent: list[int] = []
    monkeypatch.setattr(Turn, "pause", lambda *_: sent.append(len(kafka.sent)))
    found = wait_for(lambda: now if (now := other.desk.runs.get(run.id)) and now.can_begin else None)
    assert other.desk.runs.begin(found, "bo@example.com", None)
    wait_for(lambda: not found.is_active)
    assert (sent.count(1), ids(kafka)) == (4, ["m0", "m1", "m2"])  # twice for each letter before the first


def test_two_operators_in_two_processes_run_no_job_twice(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    for number in range(30):
        kafka.add(f"m{number}")
    one, other = make(), make()
    first, second = looked(client, one), looked(client, other)
    assert one.desk.runs.begin(first, "ana@example.com", 60)
    wait_for(lambda: kafka.sent)
    assert other.desk.runs.begin(second, "bo@example.com", None)
    wait_for(lambda: not first.is_active and not second.is_active)
    assert sorted(ids(kafka)) == sorted(f"m{number}" for number in range(30))
    assert (first.done, second.done) == (30, 0)


def test_a_run_that_another_process_has_begun_is_not_begun_beside_it(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    add_three(kafka)
    one, other = make(), make()
    first = client("operator", board=one)
    path = _posted(client, one).headers["location"].removeprefix("/workers")
    assert "3</strong> dead letters would be replayed" in wait_for(
        lambda: page if "Looking" not in (page := first.get(path).text) else None
    )
    run_id = path.partition("?")[0].rpartition("/")[2]
    second = client("operator", board=other)
    wait_for(lambda: "would be replayed" in second.get(path).text)
    run = other.desk.runs.get(run_id)
    assert run is not None
    assert other.desk.runs.begin(run, "bo@example.com", 1 / 300)
    wait_for(lambda: kafka.sent)
    first.post(f"/runs/{run_id}", data={"do": "begin"})
    assert ">Stop<" in first.get(f"/runs/{run_id}").text
    first.post(f"/runs/{run_id}", data={"do": "stop"})
    wait_for(lambda: run.phase is Phase.STOPPED)
    assert len(kafka.sent) == 1
    assert [did for _, did in told(kafka)] == ["replay", "replay: stop", "replay: stopped"]


def test_of_two_processes_that_go_on_with_a_run_at_once_the_first_in_the_log_does(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    one, other = make(), make()
    run = of_three(client, kafka, one)
    one.desk.runs.stop(run)
    wait_for(lambda: run.phase is Phase.STOPPED)
    late = other.desk.runs.get(run.id)
    assert late is not None
    with other.desk.runs._acting:  # it has not written yet that it begins
        assert other.desk.runs.begin(late, "bo@example.com", None)
        assert one.desk.runs.begin(run, "ana@example.com", 1 / 300)
        wait_for(lambda: len(kafka.sent) == 2)
    wait_for(lambda: not late.is_active)
    shown = other.desk.runs.get(run.id)
    assert shown is not None
    assert shown.is_elsewhere
    assert run.phase is Phase.ACTING
    assert len(kafka.sent) == 2
    assert [did for _, did in told(kafka)] == ["replay", "replay: stopped", "replay", "replay"]


def test_a_run_that_acts_is_shown_and_can_be_stopped_however_many_are_newer(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    one, other = make(), make()
    run = of_three(client, kafka, one)
    for number in range(60):
        for did in ("discard", "discard: ended"):
            other.desk.actions.write("bo@example.com", did, {"run": f"x{number}", "letters": 1})
    browser = client("operator", board=other)
    assert ">Stop<" in browser.get(f"/runs/{run.id}").text
    assert other.desk.runs.get("x10") is not None
    found = [shown.id for shown in other.desk.runs.newest()]
    assert (len(found), found[0], found[-1]) == (50, "x59", run.id)


def test_a_run_is_known_however_much_was_done_since_it_began(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    run = of_three(client, kafka, make())
    pause = Chain().value("bo@example.com", "pause", {"queue": "mail"}, 1)
    kafka.actions.extend(replace(kafka.actions[0], value=pause) for _ in range(600))
    other = make()
    shown = other.desk.runs.get(run.id)
    assert shown is not None
    assert shown.is_elsewhere
    other.desk.runs.stop(shown, "bo@example.com")
    wait_for(lambda: run.phase is Phase.STOPPED)
    shown = wait_for(lambda: one if (one := other.desk.runs.get(run.id)) and not one.is_elsewhere else None)
    assert (shown.phase, shown.done, shown.total) == (Phase.STOPPED, 1, 3)


def test_a_letter_that_is_replayed_alone_is_shown_by_a_process_that_hears_of_it_later(
    client: Client, kafka: FakeKafka, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.add("m1")
    one, other = make(), make()
    monkeypatch.setattr(pages, "_BEGINS_S", 30.0)
    browser = client("operator", board=other)
    asked, get = threading.Event(), other.desk.runs.get

    def ask(run_id: str) -> Run | None:
        found = get(run_id)
        asked.set()
        return found

    monkeypatch.setattr(other.desk.runs, "get", ask)
    with ThreadPoolExecutor() as threads:
        with one.desk.runs._acting:  # it has not written yet that it begins
            form = {"action": "replay", "id": "m1", "at_once": "yes"}
            answer = client("operator", board=one).post("/runs", data=form)
            path = answer.headers["location"].removeprefix("/workers")
            shown = threads.submit(browser.get, path)
            assert asked.wait(10)
        assert shown.result(30).status_code == 200
    wait_for(lambda: ids(kafka) == ["m1"])


def test_a_letter_that_was_gone_when_it_was_to_be_replayed_alone_is_told_by_any_process(
    client: Client, kafka: FakeKafka, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_BEGINS_S", 0.0)
    form = {"action": "replay", "id": "m1", "at_once": "yes"}
    answer = client("operator", board=make()).post("/runs", data=form)
    shown = client("operator", board=make()).get(answer.headers["location"].removeprefix("/workers"))
    assert "No replay is known" in shown.text
    assert "The dead letter was gone" in shown.text
    assert not kafka.sent


def test_a_run_whose_end_could_not_be_written_goes_on_here(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    board = make()
    run = of_three(client, kafka, board)
    kafka.away = "Kafka is away"
    board.desk.runs.stop(run)
    wait_for(lambda: not run.is_active)
    kafka.away = None
    wait_for(lambda: run.phase is Phase.DONE or board.desk.runs.begin(run, "ana@example.com", None) is None)
    assert sorted(ids(kafka)) == ["m0", "m1", "m2"]
    dids = [did for _, did in told(kafka)]
    assert (dids[:3], dids[-1]) == (["replay", "replay: stopped", "replay"], "replay: ended")


def test_a_process_that_does_not_know_a_run_looks_anew_and_asks_again(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    kafka.add("m1")
    one, other = make(), make()
    answer = client("operator", board=one).post("/runs", data={"action": "replay", "queue": "mail"})
    browser = client("operator", board=other)
    path = answer.headers["location"].removeprefix("/workers")
    page = followed(browser, browser.get(path))
    assert "1</strong> dead letter would be replayed" in page
    assert "1 of 1" in begin(browser, page)
    run_id = path.partition("?")[0]
    assert followed(browser, client("operator", board=make()).post(f"{run_id[:-1]}0", data={
        "do": "begin", "action": "replay", "queue": "mail"
    }))  # fmt: skip
    assert ids(kafka) == ["m1"]
    assert client("viewer", board=make()).get("/runs/0123456789ab?action=replay").status_code == 403


def nobody_looks_at(board: Dashboard) -> None:
    """Let time go on until it reads nothing any more."""
    readings = (board.desk.snapshots, board.desk.letters, board.desk.actions)
    for one in readings:
        one._reading._idle_s = 0.0
    wait_for(lambda: not any(one._reading.is_running for one in readings))
    for one in readings:
        one._reading._idle_s = 30.0


def read_of(page: str) -> tuple[str, float]:
    """The version that a page names, and since when all that it shows was read."""
    found = re.search(r'data-version="([^"]*)" data-at="([^"]*)"', page)
    assert found is not None
    return found[1], float(found[2])


def test_a_process_that_nobody_looked_at_for_a_while_shows_nothing_that_it_read_before(
    client: Client, kafka: FakeKafka, make: Make
) -> None:
    board = make()
    browser = client("viewer", board=board)
    assert "ValueError" not in browser.get("/").text
    nobody_looks_at(board)
    kafka.add()
    kafka.queues = [(QueueStatus("mail", 2, 70_001, 1, 1, 0, OLDEST), kafka.queues[0][1])]
    page = browser.get("/").text
    assert "70,001" in page
    assert "ValueError" in page


def test_a_page_says_since_when_all_that_it_shows_was_read(
    client: Client, kafka: FakeKafka, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_DELAYED_EVERY_S", 0.0)
    board = make()
    browser = client("viewer", board=board)
    began = time.time()
    page = wait_for(lambda: page if read_of(page := browser.get("/").text)[1] >= began else None)
    nobody_looks_at(board)
    kafka.away = "Kafka is away"
    later = time.time()
    page = wait_for(lambda: page if "Kafka is away" in (page := browser.get("/").text) else None)
    assert began <= read_of(page)[1] < later


def test_no_two_processes_name_the_same_version(client: Client, make: Make) -> None:
    pages = [client("viewer", board=make()).get("/").text for _ in range(2)]
    one, other = (read_of(page)[0] for page in pages)
    assert one != other
