"""The figures of several processes as one, and as JSON."""

from __future__ import annotations

import json

import pytest

from workers.measures import metrics
from workers.measures.families import Family, from_json, merged, to_json
from workers.measures.metrics import Counter, Histogram


def jobs(**counts: float) -> Family:
    return Family(
        "jobs_total", "counter", "Jobs.", ("queue",), {(queue,): (count,) for queue, count in counts.items()}
    )


def test_figures_with_the_same_labels_are_added() -> None:
    (total,) = merged([[jobs(a=1, b=2)], [], [jobs(b=3, c=4)]])
    assert {labels: list(numbers) for labels, numbers in total.series.items()} == {
        ("a",): [1],
        ("b",): [5],
        ("c",): [4],
    }


def test_what_another_version_measures_in_another_way_is_left_out() -> None:
    other = Family("jobs_total", "counter", "Jobs.", ("queue", "actor"), {("a", "x"): (9.0,)})
    (total,) = merged([[jobs(a=1)], [other]])
    assert total == jobs(a=1)


def test_histograms_are_added_bucket_by_bucket() -> None:
    one = Family("took", "histogram", "", (), {(): (1, 0, 2, 9.5)}, (1.0, 2.0))
    (total,) = merged([[one], [one]])
    assert list(total.series[()]) == [2, 0, 4, 19.0]


def test_families_pass_through_json() -> None:
    families = [jobs(a=1), Family("took", "histogram", "Time.", (), {(): (1, 2, 3.5)}, (1.0,))]
    assert from_json(json.loads(json.dumps(to_json(families)))) == families


@pytest.mark.parametrize("value", [[["name"]], [1], None])
def test_other_json_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        from_json(value)


def test_a_metric_is_among_the_families_of_its_process() -> None:
    sent = Counter("test_sent_total", "Sent.", ["queue"])
    took = Histogram("test_took_seconds", "Took.", bounds=(1.0, 2.0))
    found = {family.name: family for family in metrics.families()}
    assert found["test_sent_total"].series == {}
    assert found["test_took_seconds"].series == {(): (0, 0, 0, 0)}  # without labels it shows from the start
    sent.add("a")
    sent.add("a", by=2)
    for value in (1.0, 1.5, 99.0):
        took.observe(value)
    found = {family.name: family for family in metrics.families()}
    assert found["test_sent_total"].series == {("a",): (3,)}
    assert found["test_took_seconds"].series == {(): (1, 1, 1, 101.5)}
