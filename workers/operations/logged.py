"""What operators do to a fleet, each written into the log of actions before it is done.

The commands and the dashboard act through this alone, so that one log has what either did.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..broker.kafka_broker import KafkaBroker
from ..controls.controls import Change, Controls
from ..controls.decision import Switch, as_json
from ..controls.then import Then
from ..dead_letters.filter import Filter
from ..dead_letters.resolving import Resolution
from ..errors import WorkersError
from ..runtime.interrupts import was_interrupted
from .action_log import ActionLog, WriteAction
from .dead_letters import LetterAction

logger = logging.getLogger(__name__)


def log_of(broker: KafkaBroker, **options: Any) -> ActionLog:
    """The log of actions of a broker's namespace, a context manager; ``options``: see `ActionLog`."""
    return ActionLog(broker.cluster, broker.topics, broker.producer, **options)


class Stopped(Exception):
    """Somebody has stopped what `written_down` is around."""


class Unheard(Stopped):
    """Others have not heard of it for so long that they may act in its place."""


class Busy(Stopped):
    """Another run acts, and this one was not to wait for it any longer."""


class LoggedControls:
    """The controls of a namespace, see `workers.controls.controls.Controls`, which raises the same.

    What would be refused is not written down; what cannot be written down is not done.
    """

    def __init__(self, controls: Controls, write: WriteAction) -> None:
        self._controls = controls
        self._write = write

    def pause(self, queue: str, *, who: str, why: str = "", for_s: float | None = None) -> Change:
        self._controls.check_pause(queue, for_s)
        self._write(who, "pause", {"queue": queue, "for_s": for_s, "why": why})
        return self._controls.pause(queue, who=who, why=why, for_s=for_s)

    def resume(self, queue: str, *, who: str, why: str = "") -> Change:
        self._write(who, "resume", {"queue": queue, "why": why})
        return self._controls.resume(queue, who=who, why=why)

    def switch(self, where: Filter, then: Then | str, *, who: str, why: str = "") -> tuple[Switch, Change]:
        kind = self._controls.check_switch(where, then)
        self._write(who, "switch off", {**as_json(where), "then": kind, "why": why})
        return self._controls.switch(where, kind, who=who, why=why)


@contextmanager
def written_down(
    write: WriteAction,
    who: str,
    action: LetterAction,
    wanted: Filter,
    resolution: Resolution,
    *,
    letters: int,
    run: str | None = None,
) -> Iterator[None]:
    """Write that an action on so many dead letters begins, and after the block how it ended.

    An Exception from the block is a failure, unless it is Stopped; another end, as by Ctrl-C, is a stop.
    ``run`` ties both together; without one, it gets a new one. Raises KafkaUnreachable or NotAuthorized if
    the beginning cannot be written; then no end is written either.
    """
    run = run or secrets.token_hex(6)
    has_begun, ending = False, "stopped"
    try:
        # Within the try: Ctrl-C may come when Kafka has the beginning, and all others would wait for its end.
        write(who, action.name, {**wanted.facts(), **action.facts, "letters": letters, "run": run})
        has_begun = True
        yield
        ending = "failed" if resolution.away else "ended"
    except Exception as exc:
        if not was_interrupted(exc):
            ending = ("stopped" if isinstance(exc, Stopped) else "failed") if has_begun else ""
        raise
    finally:
        if ending:
            found = {"run": run, "done": resolution.done, "failed": resolution.failed}
            write_end(write, who, f"{action.verb}: {ending}", found)


def write_end(write: WriteAction, who: str, did: str, about: Mapping[str, Any]) -> None:
    """Write how an action ended; what is done is done, so an end that cannot be written is only logged."""
    try:
        write(who, did, about)
    except WorkersError as exc:
        logger.warning("the end of an action is not in the log %s %s: %s", did, about, exc)
