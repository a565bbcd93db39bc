"""What the charts draw of the history."""

from __future__ import annotations

from web.dashboard.charts import charts, line
from workers.stats.history import GRAINS, history


def test_a_line_goes_through_all_values_from_edge_to_edge() -> None:
    assert str(line([0, 2, 1])) == '<path d="M0.0 78.0 L300.0 2.0 L600.0 40.0"/>'
    assert str(line([0])) == '<path d="M0.0 78.0"/>'


def test_without_a_history_the_charts_are_flat_and_say_so() -> None:
    for grain in GRAINS:
        drawn = charts(history([], 1_800_000_000.0), grain)
        assert [chart.title for chart in drawn] == [
            "Jobs a second",
            "Wait (median)",
            "Duration (median)",
            "Tried again",
            "Dead letters",
        ]
        assert {(chart.now, chart.most) for chart in drawn} == {("0", "0"), ("0 ms", "0 ms")}
