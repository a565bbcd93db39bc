"""Decides what of its counts a process writes, and when. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping

from ..measures.families import Labels
from .figures import Counts, since
from .record import HOUR_S, MINUTE_S, Part

#: How often the part of the minute is written while it goes on, and that of the hour.
_MINUTE_AGAIN_S = 10.0
_HOUR_AGAIN_S = 300.0


class Recorder:
    """Makes the parts of one process from what it has counted since it started."""

    def __init__(self, process: str, now_s: float) -> None:
        self._slots = [
            _Slot(process, MINUTE_S, _MINUTE_AGAIN_S, now_s),
            _Slot(process, HOUR_S, _HOUR_AGAIN_S, now_s),
        ]

    def parts(self, totals: Mapping[Labels, Counts], now_s: float, *, all_of_it: bool = False) -> list[Part]:
        """The parts to write now; ``all_of_it``, also those that could wait, as the process ends.

        What was counted since the last call belongs to the time of that call. Nothing new, nothing written.
        """
        return [part for slot in self._slots for part in slot.parts(totals, now_s, at_once=all_of_it)]

    def wait_s(self, now_s: float) -> float:
        """Seconds until :meth:`parts` should be called again: at the end of a minute at the latest."""
        return min(_MINUTE_AGAIN_S, MINUTE_S - now_s % MINUTE_S)


class _Slot:
    """A minute, or an hour, that goes on."""

    def __init__(self, process: str, length_s: int, again_s: float, now_s: float) -> None:
        self._process = process
        self._length_s = length_s
        self._again_s = again_s
        self._start_s = self._start_of(now_s)
        self._before: Mapping[Labels, Counts] = {}
        self._written: Mapping[Labels, Counts] = {}
        self._write_at_s = now_s

    def parts(self, totals: Mapping[Labels, Counts], now_s: float, *, at_once: bool) -> list[Part]:
        found = []
        has_ended = self._start_of(now_s) != self._start_s
        if (has_ended or at_once or now_s >= self._write_at_s) and totals != self._written:
            counts = since(totals, self._before)
            if counts:
                found.append(Part(self._process, self._start_s, self._length_s, counts))
            self._written, self._write_at_s = totals, now_s + self._again_s
        if has_ended:
            self._start_s, self._before = self._start_of(now_s), totals
        return found

    def _start_of(self, now_s: float) -> int:
        return int(now_s // self._length_s) * self._length_s
