"""The port of workers: probes and measures of all processes of a machine, whichever of them serves it."""

from __future__ import annotations

import os
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

import dramatiq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.helpers.fleet import Fleet
from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for
from workers import KafkaBroker


@pytest.fixture
def queues() -> tuple[str, ...]:
    return ("default",)


class Scraped:
    """What the port answers."""

    def __init__(self) -> None:
        self.port = free_port()

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError as away:
            return 0, str(away)

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have at least these labels."""
        status, text = self.ask("/metrics")
        families = text_string_to_metric_families(text) if status == 200 else ()
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(one.value for one in samples if labels.items() <= one.labels.items())


def holder_in(fleet: Fleet) -> int | None:
    """The process of a fleet that came to serve the port, by its log."""
    found = re.search(r"\[PID (\d+)\].* serving /livez", fleet.log())
    return int(found[1]) if found else None


def fleets(broker: KafkaBroker, folder: Path, scraped: Scraped) -> tuple[Fleet, Fleet]:
    both = Fleet(broker, folder, processes=2, name="both"), Fleet(broker, folder, name="one")
    for fleet in both:
        fleet.env |= {"NUMBERS_HTTP": str(scraped.port)}
    return both


def send(broker: KafkaBroker, count: int, actor: str = "note") -> None:
    for number in range(count):
        broker.enqueue(dramatiq.Message("default", actor, (number,), {}, {}))


def test_one_scrape_has_all_processes_and_outlives_the_one_that_is_killed(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    scraped = Scraped()
    two, one = fleets(broker, tmp_path, scraped)
    with two, one:
        wait_for(
            lambda: scraped.ask("/readyz")[0] == 200 and '"processes": 3' in scraped.ask("/readyz")[1], 60
        )
        assert scraped.ask("/livez")[0] == 200
        send(broker, 40)
        send(broker, 2, actor="unheard-of")
        wait_for(lambda: scraped.value("workers_jobs_total", outcome="done") == 40, 60)
        assert len(two.ran_in() | one.ran_in()) > 1  # more than the process that answers
        wait_for(lambda: scraped.value("workers_dead_letters_total", reason="unknown-actor") == 2)
        assert scraped.value("workers_job_wait_seconds_count", queue="default") == 40  # of those that started
        assert scraped.value("dramatiq_messages_total", queue_name="default") == 40
        assert scraped.value("workers_rebalances_total", queue="default") >= 3
        wait_for(lambda: scraped.value("workers_commit_duration_seconds_count", queue="default"))
        # What concerns all workers is read in the background, so a later scrape has it.
        wait_for(lambda: scraped.value("workers_queue_consumers", queue="default") == 3, 60)
        assert scraped.value("workers_dead_letters", queue="default") == 2

        dying, survivor, left = (two, one, 1) if holder_in(two) else (one, two, 2)
        os.kill(holder_in(dying) or 0, signal.SIGKILL)
        wait_for(lambda: holder_in(survivor), 60)
        wait_for(lambda: f'"processes": {left}' in scraped.ask("/livez")[1], 60)
        assert scraped.value("workers_jobs_total", outcome="done") == 40
        dying.wait()  # dramatiq ends all processes of a command when one is killed
