"""The lines of `todo-workers status` about paused queues, switches and the worker processes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from ...broker.kafka_broker import KafkaBroker
from ...controls.state import State
from ...controls.watch import Watch
from ...display.lists import few
from ...errors import NotAuthorized
from ...fleet.process import Process
from .confirming import NAMED
from .queues import as_values


@dataclass(frozen=True, slots=True)
class Found:
    """What is decided and who runs; ``refused`` says why that cannot be read."""

    state: State = field(default_factory=State)
    workers: tuple[Process, ...] = ()
    silent: tuple[Process, ...] = ()
    end: int = 0
    refused: str = ""

    def lines(self, now_ms: float) -> Iterator[str]:
        """Sentences for people."""
        if self.refused:
            yield f"controls and workers cannot be read: {self.refused}"
            return
        for queue, pause in sorted(self.state.paused(now_ms).items()):
            yield f"queue {queue}: paused {pause.note.told(now_ms)}"
        for switch in self.state.switches.values():
            verb = "holds" if switch.then == "hold" else "discards"
            yield f"switch {switch.id} {verb} jobs, set {switch.note.told(now_ms)}"
        yield from map(str, self.state.problems)
        yield self._workers()
        if self.silent:
            silent = few([one.worker for one in self.silent], most=NAMED)
            yield f"workers not heard of, dead or standing still: {silent}"

    def _workers(self) -> str:
        if not self.workers:
            return "workers: none"
        versions = Counter(one.version for one in self.workers)
        told_versions = ", ".join(f"{count} of version {version}" for version, count in versions.items())
        behind = [one.worker for one in self.workers if self.end and not one.has_applied(self.end - 1)]
        rest = f"; not yet in step with the controls: {few(behind, most=NAMED)}" if behind else ""
        running = sum(one.running for one in self.workers)
        return f"workers: {told_versions}; {running} jobs run{rest}"

    def as_json(self, now_ms: float) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "paused": [as_values(queue, pause) for queue, pause in self.state.paused(now_ms).items()],
            "workers": [asdict(one) | {"confirmed": self._is_in_step(one)} for one in self.workers],
            "silent_workers": [one.worker for one in self.silent],
        }

    def _is_in_step(self, process: Process) -> bool:
        return not self.end or process.has_applied(self.end - 1)


class Looks:
    """Reads both again and again; a context manager, for one thread."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self._stack = ExitStack()
        self._watch: Watch | None = None

    def __enter__(self) -> Looks:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self) -> Found:
        """Raises KafkaUnreachable; a missing right is part of what is found."""
        try:
            if self._watch is None:
                self._watch = self._stack.enter_context(self._broker.controls.watch())
            else:
                self._watch.refresh()
        except NotAuthorized as exc:
            return Found(refused=str(exc))
        watch = self._watch
        return Found(watch.state, tuple(watch.processes()), tuple(watch.silent()), watch.end)


def now_ms() -> float:
    """The time, in ms."""
    return time.time() * 1000
