"""What a soak decides: when services are killed, whether a figure grows, and what was lost."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from bench.errors import NotMeasured
from bench.soak import command, run, services
from bench.soak.chart import chart
from bench.soak.flatness import Bound, Point, judge
from bench.soak.judging import failures, verdicts
from bench.soak.outcome import Outcome, compare
from bench.soak.plan import DAY, TARGETS, Kill, Load, kills
from bench.soak.report import page, summary
from bench.soak.run import Done, Result
from bench.soak.samples import Samples

BOUND = Bound(share=0.1, more=5, warm_up_s=60, least_s=120)
HALF_AN_HOUR_S = 1_800


def points(per_s: float, *, lives_s: int = HALF_AN_HOUR_S, noise: float = 0.0) -> list[Point]:
    """A sample each ten seconds; each process grows by so much and begins at 100."""
    chance = random.Random(1)
    return [
        Point(at_s, 1 + at_s // lives_s, 100 + per_s * (at_s % lives_s) + chance.uniform(-noise, noise))
        for at_s in range(0, HALF_AN_HOUR_S, 10)
    ]


@pytest.mark.parametrize(
    ("series", "is_flat"),
    [
        (points(0.0), True),
        (points(0.0, noise=10), True),
        (points(0.02), False),
        (points(0.02, noise=10), False),
        # A leak that each restart takes away is one all the same.
        (points(0.02, lives_s=360), False),
        (points(0.0, lives_s=360, noise=10), True),
        # What a process needs to warm up is none.
        ([Point(at, 1, 50.0 if at < 60 else 100.0) for at in range(0, HALF_AN_HOUR_S, 10)], True),
        # Nor is what is off for a while, around a kill.
        ([Point(at, 1, 900.0 if at % 600 < 120 else 100.0) for at in range(0, HALF_AN_HOUR_S, 10)], True),
    ],
)
def test_what_grows_is_found_whatever_else_happens(series: list[Point], is_flat: bool) -> None:
    assert judge("x", series, BOUND, HALF_AN_HOUR_S).is_flat is is_flat


@pytest.mark.parametrize(("per_s", "is_flat"), [(0.0, True), (0.05, False)])
def test_a_step_at_a_disturbance_is_no_growth_and_a_leak_between_two_is(per_s: float, is_flat: bool) -> None:
    every_s = 200
    series = [
        Point(at, 1, 100.0 + 30 * (at // every_s) + per_s * at + (500 if at % every_s < 40 else 0))
        for at in range(0, HALF_AN_HOUR_S, 10)
    ]
    disturbed = [(at - 5.0, at + 40.0) for at in range(every_s, HALF_AN_HOUR_S, every_s)]
    assert not judge("x", series, BOUND, HALF_AN_HOUR_S).is_flat
    assert judge("x", series, BOUND, HALF_AN_HOUR_S, disturbed).is_flat is is_flat


def test_a_run_that_is_too_short_is_not_judged() -> None:
    assert judge("x", points(1.0)[:15], BOUND, 150).growth is None


def test_the_same_seed_kills_the_same_and_each_round_kills_each_once() -> None:
    found = kills(HALF_AN_HOUR_S, seed=17)
    assert found == kills(HALF_AN_HOUR_S, seed=17) != kills(HALF_AN_HOUR_S, seed=18)
    for first in range(0, len(found) - 4, 5):
        assert sorted(kill.target for kill in found[first : first + 5]) == sorted(TARGETS)
    gaps = [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(found)]
    assert min(gaps) >= 20
    assert len(found) == 15
    assert len(kills(8 * 3600, seed=17)) == 80
    assert [kill.target for kill in kills(120, seed=17)]


def test_a_day_has_its_events_and_its_busiest_hour() -> None:
    load = Load.of_a_day(100_000, per_minute=20_000)
    times = list(load.times())
    assert times == sorted(times)
    assert len(times) == pytest.approx(100_000, rel=0.001)
    by_hour = [sum(load.slot(at) == hour for at in times) for hour in range(24)]
    assert max(by_hour) == by_hour[DAY.index(1.0)]
    assert max(by_hour) / (load.length_s / 24 / 60) == pytest.approx(20_000, rel=0.01)
    steady = list(Load(600, 10).times())
    assert len(steady) == 100
    assert steady[1] == pytest.approx(0.1)


def write(file: Path, *lines: str) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_what_is_lost_and_what_came_again_is_counted(tmp_path: Path) -> None:
    published = write(
        tmp_path / "p", "10.0 10.1 e1 m1", "11.0 11.2 e2 m2", "11.0 11.5 e2 m2", "12.0 12.1 e3 m3"
    )
    mails = write(tmp_path / "m", "10.5 m1", "10.7 m1", "11.25 m2", "12.0 reminder", "13.0")
    outcome = compare(published, mails, ["e1", "e3", "e1"], lambda at_s: int(at_s > 0.5))
    assert (outcome.events, outcome.mails, outcome.lost_rows, outcome.lost_mails) == (3, 4, 1, 1)
    assert outcome.repeated == 1
    assert outcome.mail_s == {0: [0.5], 1: [0.25]}
    assert [round(one, 1) for one in outcome.publish_s[1]] == [0.2, 0.1]


@pytest.mark.parametrize(
    ("words", "minutes"), [("", 30), ("--minutes 2", 2), ("--hours 8", 480), ("--hours 0.5", 30)]
)
def test_how_long_is_said_in_minutes_or_hours(words: str, minutes: float) -> None:
    assert command._parser().parse_args(words.split()).minutes == minutes


class _Service:
    """Notes what is done with it, and is interrupted where that is wanted."""

    def __init__(self, name: str, noted: list[str], interrupted_at: str) -> None:
        self.address = self.url = ""
        self._name = name
        self._noted = noted
        self._interrupted_at = interrupted_at

    def start(self) -> None:
        self._noted.append(f"start {self._name}")
        if self._name == self._interrupted_at:
            raise KeyboardInterrupt

    def stop(self) -> None:
        self._noted.append(f"stop {self._name}")


def test_what_is_interrupted_while_it_starts_is_stopped_as_all_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noted: list[str] = []
    for name in ("Kafka", "PostgreSql"):
        monkeypatch.setattr(run, name, lambda _folder, name=name: _Service(name, noted, "PostgreSql"))
    with pytest.raises(KeyboardInterrupt), run._services(tmp_path, is_short_lived=True):
        pass
    assert noted == ["start Kafka", "start PostgreSql", "stop PostgreSql", "stop Kafka"]


def test_a_program_can_be_stopped_before_it_has_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(services, "_START_S", 0.0)
    program = services.Program(["http.server", "0"], tmp_path / "log", {}, ready="never said")
    program.stop()
    with pytest.raises(NotMeasured, match="did not start"):
        program.start()
    program.stop()
    assert program.has_ended()


def test_a_database_whose_start_was_interrupted_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(services, "import_module", lambda _name: Mock())
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "data").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as postmaster:
        (tmp_path / "data" / "postmaster.pid").write_text(f"{postmaster.pid}\n{tmp_path}\n")
        services.PostgreSql(tmp_path).stop()
        assert not psutil.pid_exists(postmaster.pid)


def a_result(*, repeated: int, lost_rows: int = 0) -> Result:
    samples = Samples(0.0)
    samples.series["memory, MB: worker-1"] = points(0.0)
    samples.series["memory, MB: <leaky>"] = points(0.05)
    outcome = Outcome(events=9, mails=9, repeated=repeated, lost_rows=lost_rows)
    result = Result(Load(10_000, HALF_AN_HOUR_S), samples, outcome=outcome)
    result.kills = [Done(Kill(100.0, "worker-1", 2.0), 5.0), Done(Kill(200.0, "mail", 2.0), 5.0)]
    result.cpu_s = {"worker-1": 0.009}
    return result


def test_what_is_wrong_is_said_in_the_report_and_kills_explain_repeats() -> None:
    result = a_result(repeated=12)
    found = verdicts(result)
    (grows,) = failures(result, found)
    assert grows.startswith("memory, MB between kills: <leaky> grows by 8")
    html = page(result, found, [grows])
    assert "&lt;leaky&gt; grows" in html
    assert "worker-1 is killed" in html
    assert html.count("<svg") == 1
    assert "processor time: worker-1 1.00 ms an event" in summary(result, [])
    assert summary(result, [])[-1] == "passed"
    result = a_result(repeated=13, lost_rows=1)
    assert failures(result, []) == [
        "1 audit rows and 0 mails are missing",
        "13 mails came again, the kills explain 12",
    ]


def test_a_new_process_begins_a_new_line() -> None:
    assert chart("memory", {"memory: a": points(0.0, lives_s=600)}, []).count("<polyline") == 3
