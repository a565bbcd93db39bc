"""What the port answers: probes, and the text for Prometheus, also under dramatiq's names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from workers.measures.families import Family
from workers.serving.answers import Answer, Answers
from workers.serving.parts import Part, Parts

JOBS = Family(
    "workers_jobs_total",
    "counter",
    "Jobs.",
    ("queue", "actor", "outcome"),
    {("q", "a", "done"): (5.0,), ("q", "a", "retried"): (2.0,), ("q", "a", "dead"): (1.0,)},
)
TOOK = Family(
    "workers_job_duration_seconds",
    "histogram",
    "",
    ("queue", "actor"),
    {("q", "a"): (3, 0, 1, 9.5)},
    (0.1, 1.0),
)


class FixedParts(Parts):
    def __init__(self, *parts: Part) -> None:
        super().__init__(Path())
        self._fixed = list(parts)

    def read(self) -> tuple[list[Part], list[Family]]:
        return self._fixed, [JOBS]


def samples(answer: Answer) -> Mapping[tuple[str, ...], float]:
    assert answer.status == 200
    families = text_string_to_metric_families(answer.body.decode())
    return {
        (one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples
    }


def test_a_scrape_has_the_living_the_ended_and_what_concerns_all() -> None:
    gauge = Family("workers_delayed_jobs", "gauge", "", (), {(): (7.0,)})
    parts = FixedParts(Part(1, 0, True, [JOBS, TOOK]), Part(2, 0, True, [JOBS]))
    found = samples(Answers(parts, gauges=lambda: [gauge]).answer("/metrics"))
    assert found["workers_jobs_total", "a", "done", "q"] == 15
    assert found["workers_job_duration_seconds_bucket", "0.1", "a", "q"] == 3
    assert found["workers_job_duration_seconds_bucket", "1.0", "a", "q"] == 3
    assert found["workers_job_duration_seconds_bucket", "+Inf", "a", "q"] == 4
    assert found["workers_job_duration_seconds_count", "a", "q"] == 4
    assert found["workers_job_duration_seconds_sum", "a", "q"] == 9.5
    assert found[("workers_delayed_jobs",)] == 7


def test_dramatiq_s_own_names_come_by_a_switch() -> None:
    parts = FixedParts(Part(1, 0, True, [TOOK]))
    assert "dramatiq" not in str(samples(Answers(parts).answer("/metrics")))
    found = samples(Answers(parts, dramatiq_names=True).answer("/metrics"))
    assert found["dramatiq_messages_total", "a", "q"] == 8
    assert found["dramatiq_message_errors_total", "a", "q"] == 3
    assert found["dramatiq_message_retries_total", "a", "q"] == 2
    assert found["dramatiq_message_rejects_total", "a", "q"] == 1
    assert found["dramatiq_message_duration_milliseconds_bucket", "100.0", "a", "q"] == 3
    assert found["dramatiq_message_duration_milliseconds_sum", "a", "q"] == 9_500


def test_openmetrics_is_given_to_who_prefers_it() -> None:
    answer = Answers(FixedParts()).answer("/metrics", "application/openmetrics-text; version=1.0.0")
    assert "openmetrics" in answer.content_type
    assert answer.body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("path", "parts", "status", "lacks"),
    [
        ("/livez", [Part(1, 0, False, [])], 200, None),  # not ready, and yet alive
        ("/livez", [Part(1, 0, True, []), Part(2, 31, True, [])], 503, "hangs"),
        ("/readyz", [Part(1, 0, True, []), Part(2, 0, True, [])], 200, None),
        ("/readyz", [Part(1, 0, True, []), Part(2, 0, False, [])], 503, "is not ready"),
        ("/readyz", [], 503, None),
    ],
)
def test_probes_ask_all_processes(path: str, parts: list[Part], status: int, lacks: str | None) -> None:
    answer = Answers(FixedParts(*parts)).answer(path)
    assert answer.status == status
    assert json.loads(answer.body).get("2") == lacks


def test_other_paths_are_not_found() -> None:
    assert Answers(FixedParts()).answer("/etc/passwd").status == 404
