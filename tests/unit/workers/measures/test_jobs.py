"""The figures of jobs: outcomes, how long they waited and ran, and which run."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from workers.measures.jobs import Cells, JobMeasures, Outcome
from workers.measures.metrics import MAX_SERIES, OTHER, SECONDS


@dataclass  # without a hash, as dramatiq's messages
class Job:
    queue_name: str = "letters"
    actor_name: str = "write"
    began_at: float = 0.0
    cells: Cells | None = None


def run(
    measures: JobMeasures, outcome: Outcome = Outcome.DONE, *, waited_s: float = 0.0, job: Job | None = None
) -> None:
    job = job or Job()
    measures.started(job)
    measures.ended(job, outcome, (time.time() - waited_s) * 1000)


def test_outcomes_are_counted_by_queue_and_actor() -> None:
    measures = JobMeasures()
    run(measures)
    run(measures)
    run(measures, Outcome.DEAD)
    run(measures, Outcome.RETRIED, job=Job(actor_name="read"))
    figures = measures.figures()
    assert list(figures["letters", "write"].outcomes) == [2, 0, 1, 0]
    assert list(figures["letters", "read"].outcomes) == [0, 1, 0, 0]


def test_a_wait_counts_from_when_the_job_was_due_and_is_never_negative() -> None:
    measures = JobMeasures()
    run(measures, waited_s=7.0)
    run(measures, waited_s=-3600.0)  # the clock of whoever wrote it is ahead
    figures = measures.figures()["letters", "write"]
    assert 6.9 < figures.wait_sum_s < 10.0
    assert figures.waits[0] == 1  # the one from the future
    assert figures.waits[SECONDS.index(10.0)] == 1


def test_a_job_whose_record_has_no_time_has_not_waited() -> None:
    measures, job = JobMeasures(), Job()
    measures.started(job)
    measures.ended(job, Outcome.DONE, -1)
    assert measures.figures()["letters", "write"].wait_sum_s == 0.0


def test_a_job_runs_until_it_has_ended() -> None:
    measures, job = JobMeasures(), Job()
    measures.started(job)
    assert measures.running() == {("letters", "write"): 1}
    measures.ended(job, Outcome.DONE, 0)
    assert measures.running() == {}
    running = next(family for family in measures.families() if family.name == "workers_jobs_running")
    assert running.series == {("letters", "write"): (0,)}  # shown as 0, not left out


def test_a_job_that_ends_again_counts_once() -> None:
    measures, job = JobMeasures(), Job()
    measures.started(Job())
    measures.started(job)
    measures.ended(job, Outcome.DONE, 0)
    measures.ended(job, Outcome.DEAD, 0)
    assert measures.running() == {("letters", "write"): 1}
    assert list(measures.figures()["letters", "write"].outcomes) == [1, 0, 0, 0]


def test_no_job_is_lost_when_many_threads_end_some_at_once() -> None:
    measures = JobMeasures()

    def work() -> None:
        for _ in range(2_000):
            run(measures)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    figures = measures.figures()["letters", "write"]
    assert figures.outcomes[Outcome.DONE] == sum(figures.durations) == sum(figures.waits) == 8_000


def test_names_that_others_make_up_do_not_fill_the_memory() -> None:
    measures = JobMeasures()
    for number in range(MAX_SERIES + 50):
        run(measures, Outcome.DEAD, job=Job(actor_name=f"made-up-{number}"))
    figures = measures.figures()
    assert len(figures) == MAX_SERIES + 1
    assert figures[OTHER, OTHER].outcomes[Outcome.DEAD] == 50
