"""Draws series over time as SVG. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from .flatness import Point

_WIDTH, _HEIGHT, _LEFT, _TOP = 900, 220, 70, 26
_COLOURS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"),
    *("#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22"),
)
#: At most so many points of a series are drawn.
_MOST = 400


def chart(title: str, series: Mapping[str, Sequence[Point]], kills: Sequence[tuple[float, str]]) -> str:
    """All series of a group on one scale, with a line for each kill. A new process begins a new line."""
    points = [point for own in series.values() for point in own]
    last_s = max((point.at_s for point in points), default=1.0) or 1.0
    highest = max((point.value for point in points), default=1.0) or 1.0

    def place(point: Point) -> str:
        x = _LEFT + (_WIDTH - _LEFT) * point.at_s / last_s
        return f"{x:.1f},{_TOP + _HEIGHT * (1 - point.value / highest):.1f}"

    parts = [f'<text x="0" y="14" font-weight="600">{escape(title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = _TOP + _HEIGHT * (1 - share)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y}" y2="{y}" stroke="#9994"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share * highest:,.4g}</text>')
    bottom = _TOP + _HEIGHT
    for at_s, target in kills:
        x = _LEFT + (_WIDTH - _LEFT) * at_s / last_s
        line = (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#9998" stroke-dasharray="3"/>'
        )
        parts.append(f"<g>{line}<title>{escape(target)} is killed</title></g>")
    y = bottom + 36
    for number, (name, own) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += (
            f'<polyline fill="none" stroke="{colour}" points="{" ".join(map(place, line))}"/>'
            for line in _lines(own[:: len(own) // _MOST + 1])
        )
        x = _LEFT + (number % 4) * 205
        label = escape(name.partition(": ")[2])
        parts.append(f'<text x="{x}" y="{y + number // 4 * 18}" fill="{colour}">{label}</text>')
    parts.append(f'<text x="{_WIDTH}" y="{bottom + 16}" text-anchor="end">{last_s / 60:.1f} min</text>')
    height = y + (len(series) + 3) // 4 * 18
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" font-size="12" fill="currentColor">{inner}</svg>'


def _lines(points: Sequence[Point]) -> list[list[Point]]:
    found: list[list[Point]] = []
    for point in points:
        if not found or found[-1][-1].process != point.process:
            found.append([])
        found[-1].append(point)
    return found
