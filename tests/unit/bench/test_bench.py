"""The benchmarks' pure parts: figures, goals, table, JSON, command line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import command, report
from bench.benchmarks import BENCHMARKS
from bench.errors import NotMeasured
from bench.isolation import isolated
from bench.kit import Kit
from bench.model import (
    Benchmark,
    Contestant,
    Figure,
    Readings,
    Results,
    at_least,
    at_most,
    figures,
    ratio,
    reading,
)
from bench.rounds import run


class NoServices(Kit):
    def delete_topics(self) -> None:
        """There is no Kafka."""


KIT = NoServices("nowhere:1", (None, "not installed: redis-server"), quick=True, prefix="bench")


def silently(text: str) -> None:
    """Say nothing."""


def measures(*rates: float) -> Callable[[Kit], Readings]:
    """A contestant's readings, one for each round."""
    left = iter(rates)
    return lambda _: {"rate": next(left)}


def fails(kit: Kit) -> Readings:
    raise NotMeasured("not installed: celery")


def needs_redis(kit: Kit) -> Readings:
    return {"rate": len(kit.redis)}


def benchmark(**contestants: Callable[[Kit], Readings]) -> Benchmark:
    return Benchmark(
        name="speed",
        title="Speed [of all]",
        contestants=[Contestant(name, measure) for name, measure in contestants.items()],
        units={"rate": "jobs/s"},
        derived=[ratio("ours-to-theirs", "ours.rate", "theirs.rate", at_least(2))],
    )


def by_name(found: list[Figure]) -> Mapping[str, Figure]:
    return {figure.name: figure for figure in found}


class TestFigures:
    def test_a_ratio_is_the_median_of_the_ratios_of_each_round(self) -> None:
        # The machine was slow in the second round: the ratio of the medians would be 1000 / 400.
        slow = benchmark(ours=measures(1000, 100, 3000), theirs=measures(400, 40, 1000))
        found = by_name(run(slow, KIT, 3, silently))
        assert found["speed.ours-to-theirs"].values == [2.5, 2.5, 3.0]
        assert found["speed.ours-to-theirs"].value == 2.5
        assert found["speed.ours.rate"].value == 1000
        assert found["speed.ours.rate"].unit == "jobs/s"

    @pytest.mark.parametrize(
        ("goal", "value", "met"),
        [
            (at_least(2), 2.0, True),
            (at_least(2), 1.99, False),
            (at_most(1.3), 1.3, True),
            (at_most(1.3), 1.31, False),
        ],
    )
    def test_a_goal_is_met_at_its_bound(self, goal: Any, value: float, met: bool) -> None:
        assert Figure("f", "x", [value], goal).ok is met

    def test_without_a_goal_or_a_value_nothing_is_ok_or_not(self) -> None:
        assert Figure("f", "x", [1.0]).ok is None
        assert Figure("f", "x", [], at_least(1)).ok is None

    def test_a_reading_can_have_a_goal(self) -> None:
        limited = Benchmark(
            "memory", "Memory", [Contestant("ours", measures(150))], {"rate": "MB"},
            [reading("peak", "MB", "ours.rate", at_most(200))],
        )  # fmt: skip
        assert by_name(run(limited, KIT, 1, silently))["memory.peak"].ok is True

    def test_a_peer_that_fails_is_named_and_the_rest_goes_on(self) -> None:
        found = by_name(run(benchmark(theirs=fails, ours=measures(7)), KIT, 1, silently))
        assert found["speed.theirs"].error == "not installed: celery"
        assert found["speed.ours.rate"].value == 7
        assert found["speed.ours-to-theirs"].value is None
        assert found["speed.ours-to-theirs"].error == "not measured: theirs.rate"

    def test_a_peer_without_its_service_is_named(self) -> None:
        found = by_name(run(benchmark(ours=measures(7), theirs=needs_redis), KIT, 1, silently))
        assert found["speed.theirs"].error == "not installed: redis-server"

    def test_what_takes_minutes_has_fewer_rounds(self) -> None:
        said: list[str] = []
        long = Benchmark("long", "Long", [Contestant("ours", measures(1))], {"rate": "x"}, max_rounds=1)
        run(long, KIT, 5, said.append)
        assert said == ["long: round 1 of 1"]

    def test_a_reading_of_only_some_rounds_counts_these(self) -> None:
        results = Results([{"ours.rate": 1.0}, {"ours.rate": 3.0, "theirs.rate": 1.0}])
        found = by_name(figures(benchmark(ours=measures(), theirs=measures()), results))
        assert found["speed.ours-to-theirs"].values == [3.0]


class TestReport:
    def rendered(self, found: list[Figure]) -> str:
        out = io.StringIO()
        Console(file=out, width=120).print(report.table("Speed [of all]", found))
        return out.getvalue()

    def test_the_table_has_medians_spread_goals_and_verdicts(self) -> None:
        text = self.rendered(
            [
                Figure("a", "x", [2.0, 3.0, 4.0], at_least(2.5)),
                Figure("b", "MB", [250.0], at_most(200)),
                Figure("c", "jobs/s", [17_204.4]),
                Figure("d", "x", [], at_least(8), "not measured: r.rate"),
            ]
        )
        rows = [" ".join(line.split()) for line in text.splitlines()]
        assert "Speed [of all]" in rows
        assert "│ a │ 3 │ 2 │ 4 │ x │ >= 2.5 │ yes │" in rows
        assert "│ b │ 250 │ 250 │ 250 │ MB │ <= 200 │ no │" in rows
        assert "│ c │ 17,204 │ 17,204 │ 17,204 │ jobs/s │ │ │" in rows
        assert "│ d │ not measured │ │ │ x │ >= 8 │ │" in rows

    def test_the_notes_say_why_a_peer_is_missing(self) -> None:
        assert report.notes(
            [Figure("speed.celery", "", error="not installed: celery"), Figure("a", "x")]
        ) == ["speed.celery: not installed: celery"]

    @pytest.mark.parametrize(
        ("value", "text"),
        [(1_234_567.8, "1,234,568"), (842.4, "842"), (3.14159, "3.14"), (0.01234, "0.0123"), (0, "0")],
    )
    def test_numbers_have_the_digits_that_matter(self, value: float, text: str) -> None:
        assert report.number(value) == text

    def test_json(self) -> None:
        found = [
            Figure("a", "x", [2.0], at_least(2.5)),
            Figure("b", "jobs/s", [5.0]),
            Figure("c", "", error="not installed: celery"),
        ]
        assert json.loads(json.dumps(report.as_json(found))) == {
            "figures": {
                "a": {"value": 2.0, "unit": "x", "goal": ">= 2.5", "ok": False},
                "b": {"value": 5.0, "unit": "jobs/s", "goal": None, "ok": None},
                "c": {
                    "value": None, "unit": "", "goal": None, "ok": None, "error": "not installed: celery"
                },
            }
        }  # fmt: skip


class TestCommand:
    @pytest.fixture
    def bench(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
        """The command, over one benchmark and no services."""

        def no_services(*, quick: bool, minutes: int | None) -> AbstractContextManager[Kit]:
            return nullcontext(KIT)

        def run_it(ours: float, *arguments: str, theirs: Callable[[Kit], Readings] | None = None) -> int:
            chosen = benchmark(ours=measures(ours, ours, ours), theirs=theirs or measures(1, 1, 1))
            monkeypatch.setattr(command, "BENCHMARKS", (chosen,))
            return command.main(arguments)

        monkeypatch.setattr(command, "kit", no_services)
        return run_it

    def test_ends_with_0_where_the_goals_are_met(
        self, bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench(2) == 0
        out = capsys.readouterr().out
        assert "round 3 of 3" in out
        assert "Goals met: 1" in out

    def test_ends_with_1_and_names_the_goals_that_were_missed(
        self, bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench(1.5, "--quick") == command.GOAL_MISSED
        assert "Goals missed: speed.ours-to-theirs" in capsys.readouterr().out

    def test_names_the_goals_that_could_not_be_measured(
        self, bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench(1.5, "--quick", theirs=fails) == 0
        out = capsys.readouterr().out
        assert "Goals not measured: speed.ours-to-theirs" in out
        assert "speed.theirs: not installed: celery" in out

    def test_writes_json(self, bench: Callable[..., int], tmp_path: Path) -> None:
        bench(2, "--json", str(tmp_path / "figures.json"), "--rounds", "1")
        written = json.loads((tmp_path / "figures.json").read_text())
        assert written["figures"]["speed.ours-to-theirs"]["ok"] is True

    def test_an_unknown_benchmark_suggests_the_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["--only", "enqeue"]) == command.USAGE
        assert capsys.readouterr().err == "There is no benchmark 'enqeue'; did you mean 'enqueue'?\n"

    def test_an_unknown_benchmark_lists_all_where_none_is_near(self) -> None:
        text = command.unknown("zzz")
        assert all(each.name in text for each in BENCHMARKS)

    @pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--rounds", "many"], ["--fast"]])
    def test_a_wrong_command_line_ends_with_2(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            command.main(arguments)
        assert ended.value.code == command.USAGE


class TestIsolation:
    def test_gives_what_the_function_returns(self) -> None:
        assert isolated("bench.report:number", value=1234.5) == "1,234"

    def test_an_error_names_itself(self) -> None:
        with pytest.raises(NotMeasured, match="TypeError: bad operand"):
            isolated("bench.report:number", value="many")

    def test_a_module_that_is_not_there_is_not_installed(self) -> None:
        with pytest.raises(NotMeasured, match="not installed: no_such_peer"):
            isolated("no_such_peer:rate")

    def test_a_process_that_dies_tells_its_status(self) -> None:
        with pytest.raises(NotMeasured, match="ended with status 3"):
            isolated("os:_exit", status=3)


def test_every_benchmark_names_the_readings_that_its_figures_need() -> None:
    for each in BENCHMARKS:
        names = [f"{contestant.name}.{unit}" for contestant in each.contestants for unit in each.units]
        for derived in each.derived:
            derived.of(dict.fromkeys(names, 1.0))  # a KeyError would be a figure that is never measured


def test_benchmarks_have_names_of_their_own() -> None:
    assert len({each.name for each in BENCHMARKS}) == len(BENCHMARKS)
