"""Workers are added and removed by the figure of `GET /queues/{queue}/scaling`, as KEDA does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dramatiq
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.helpers.autoscaler import Autoscaler
from tests.helpers.fleet import Fleet
from tests.helpers.waiting import wait_for
from tests.integration.web.conftest import SECRET, token_of
from web.access import Access
from web.keys import SecretKey
from web.measures import scaling_router
from workers import KafkaBroker

#: Jobs that could start, for each worker.
TARGET = 20
#: As in deploy/kubernetes/components/keda.
EVERY_S, WINDOW_S = 10.0, 300.0
HOUR_MS = 3_600_000


@pytest.fixture
def ask(broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Asks for the figure, as KEDA does; anew each time, as it is not asked every ten seconds here."""
    monkeypatch.setattr("workers.operations.scaling._FRESH_S", 0.0)
    app = FastAPI()
    app.include_router(scaling_router(broker, Access(SecretKey(SECRET), audience="todo")))
    client = TestClient(app, headers={"authorization": f"Bearer {token_of('keda@x', roles=['viewer'])}"})

    def startable() -> int:
        answer = client.get("/queues/default/scaling")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["startable"])

    return startable


class Jobs:
    """Jobs with the numbers from 0 on."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self.sent = 0

    def send(self, count: int, pause_ms: int = 0, delay_ms: int | None = None) -> None:
        with self._broker.batch():
            for number in range(self.sent, self.sent + count):
                message = dramatiq.Message[None]("default", "note", (number, pause_ms), {}, {})
                self._broker.enqueue(message, delay=delay_ms)
        self.sent += count

    def keep(self, waiting: int, ask: Callable[[], int]) -> bool:
        """Send more if fewer wait; False, as nobody need look at the answer."""
        if (missing := waiting - ask()) > 0:
            self.send(missing, pause_ms=50)
        return False


@pytest.mark.long
def test_workers_come_with_the_backlog_and_go_after_the_cool_down_and_no_job_is_cut_off(
    broker: KafkaBroker, ask: Callable[[], int], tmp_path: Path
) -> None:
    jobs = Jobs(broker)
    scaler = Autoscaler(ask, target=TARGET, most=2, every_s=EVERY_S, window_s=WINDOW_S)
    first, second = (Fleet(broker, tmp_path, threads=1, name=name) for name in ("first", "second"))
    with first:
        first.wait_until_ready()
        assert scaler.poll() == 1
        jobs.send(3 * TARGET, pause_ms=50)
        assert scaler.poll() == 2
        with second:
            second.wait_until_ready()
            wait_for(lambda: len(second.ran_in()) == 2 or jobs.keep(2 * TARGET, ask), timeout_s=60)
            broker.join("default", timeout=60_000)

            # A job in each partition: each worker runs one, and has the other in hand.
            jobs.send(4, pause_ms=1_500)
            wait_for(lambda: ask() == 0)
            assert scaler.poll() == 2, "it cools down"
            assert scaler.poll(after_s=WINDOW_S) == 1
            assert second.stop() == 0
        broker.join("default", timeout=60_000)
        assert first.numbers() == dict.fromkeys(range(jobs.sent), 1)

        broker.controls.wait_confirmed(broker.controls.pause("default", who="ana"), 20)
        jobs.send(60)
        assert ask() == 0, "no worker could start a job of a paused queue"
        assert scaler.poll(after_s=WINDOW_S) == 1
        broker.controls.resume("default", who="ana")
        broker.join("default", timeout=60_000)
        assert first.stop() == 0
        assert first.numbers() == dict.fromkeys(range(jobs.sent), 1)
    jobs.send(60, delay_ms=HOUR_MS)
    assert scaler.poll(after_s=WINDOW_S) == 1, "they are due when a worker that starts now is long up"
    jobs.send(60, delay_ms=25_000)
    assert ask() == 60
    assert scaler.poll() == 2
