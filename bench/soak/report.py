"""Writes the report of a soak: a page with its figures and pictures. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from .chart import chart
from .flatness import Verdict
from .judging import repeats_allowed
from .run import Result

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .15rem .8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } tr:nth-child(even) { background: #f4f4f4; }
.bad { color: #b00020; font-weight: 600; } svg { width: 100%; height: auto; }
@media (prefers-color-scheme: dark) {
  body { background: #111; color: #ddd; } tr:nth-child(even) { background: #222; }
}
"""


def summary(result: Result, failed: Sequence[str]) -> list[str]:
    """The outcome in a few lines."""
    outcome = result.outcome
    allowed = f"{repeats_allowed(result)} explained by {len(result.kills)} kills"
    lost = f"{outcome.lost_rows} rows and {outcome.lost_mails} mails lost"
    lines = [
        f"{outcome.events:,} events, {outcome.mails:,} mails: {lost}",
        f"{outcome.repeated} mails came again ({allowed})",
        *(f"from due to {what}: {_quantiles(by_slot.values())}" for what, by_slot in _delays(result)),
        "processor time: " + ", ".join(f"{name} {ms:.2f}" for name, ms in _cpu_ms(result)) + " ms an event",
    ]
    return [*lines, *(f"FAILED: {text}" for text in failed), "FAILED" if failed else "passed"]


def page(result: Result, found: Sequence[Verdict], failed: Sequence[str]) -> str:
    """The report as HTML, with pictures in it."""
    kills = [(done.kill.at_s, done.kill.target) for done in result.kills]
    charts = (
        chart(group, {name: result.samples.series[name] for name in names}, kills)
        for group, names in result.samples.groups().items()
    )
    lines = (
        f"<p{' class=bad' if text.startswith('FAILED') else ''}>{escape(text)}</p>"
        for text in summary(result, failed)
    )
    return "".join(
        [
            f"<!doctype html><meta charset=utf-8><title>Soak</title><style>{_STYLE}</style><h1>Soak</h1>",
            f"<p>{result.load.length_s / 60:.1f} minutes, {result.load.per_minute:,.0f} events a minute",
            "." if result.load.is_steady else " at the busiest.",
            f" {result.samples.misses} samples missed, as a service was away.</p>",
            *lines,
            _table("kills", ("service", "at, s", "away, s", "back after, s"), _kill_rows(result)),
            _table(
                "delays",
                ("hour", "mail, p50 ms", "p99 ms", "worst ms", "publish, p99 ms"),
                _slot_rows(result),
            )
            if not result.load.is_steady
            else "",
            _table("growth", ("figure", "median", "highest", "grows by", "allowed", ""), map(_row, found)),
            *charts,
        ]
    )


def _kill_rows(result: Result) -> Iterator[Sequence[str]]:
    for done in result.kills:
        kill = done.kill
        yield kill.target, f"{kill.at_s:.0f}", f"{kill.away_s:.1f}", f"{done.back_s:.1f}"


def _slot_rows(result: Result) -> Iterator[Sequence[str]]:
    for slot, delays in sorted(result.outcome.mail_s.items()):
        published = result.outcome.publish_s.get(slot, [0.0])
        values = (*(_quantile(delays, q) for q in (0.5, 0.99, 1.0)), _quantile(published, 0.99))
        yield str(slot), *(f"{1000 * value:,.0f}" for value in values)


def _row(one: Verdict) -> Sequence[str]:
    if one.growth is None:
        return one.name, f"{one.median:,.1f}", f"{one.worst:,.1f}", "", "", "too short to judge"
    grows = f"{one.growth:+,.1f}"
    return (
        one.name,
        f"{one.median:,.1f}",
        f"{one.worst:,.1f}",
        grows,
        f"{one.allowed:,.1f}",
        "" if one.is_flat else "GROWS",
    )


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<h2>{escape(title)}</h2><table><tr>{names}</tr>{cells}</table>"


def _delays(result: Result) -> Sequence[tuple[str, dict[int, list[float]]]]:
    return ("Kafka's confirmation", result.outcome.publish_s), (
        "the mail at the server",
        result.outcome.mail_s,
    )


def _quantiles(groups: Iterable[Sequence[float]]) -> str:
    values = [value for group in groups for value in group]
    if not values:
        return "none"
    found = (("p50", 0.5), ("p99", 0.99), ("worst", 1.0))
    return ", ".join(f"{name} {1000 * _quantile(values, q):,.0f} ms" for name, q in found)


def _quantile(values: Sequence[float], q: float) -> float:
    if q == 1.0:
        return max(values)
    return statistics.median(values) if q == 0.5 else sorted(values)[int(q * (len(values) - 1))]


def _cpu_ms(result: Result) -> Iterator[tuple[str, float]]:
    for name, seconds in sorted(result.cpu_s.items()):
        yield name, 1000 * seconds / max(1, result.outcome.events)
