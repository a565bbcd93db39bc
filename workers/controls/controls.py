"""Decides for a fleet: pauses queues, sets switches, and waits until the workers have confirmed that."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..dead_letters.filter import Filter
from ..errors import WrongUsage
from ..fleet.process import Process
from ..kafka.producing.producer import DurableProducer
from ..kafka.topic_reader import TopicReader
from ..records.envelope import Record
from ..topics import Topics
from .decision import Note, Pause, Switch, as_json, encode, ending, filter_from
from .gate import Gate
from .state import State
from .then import Then
from .watch import Watch

#: How long a wait for the confirmation lasts if nobody says how long.
WAIT_S = 10.0
_LOOK_S = 0.1
#: The longest pause with an end: a thousand years.
_MAX_PAUSE_S = 1_000 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that is written: the offset of its record, and when that was, by the cluster's clock."""

    subject: str
    offset: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How many of the workers that run have applied a change; ``missing`` are those that have not.

    ``silent`` have not either, nor reported for a while: they were killed, or stand still and may go on as
    they were. So they count as well, unless somebody knows that they are dead and ``ignores_silent``.
    """

    confirmed: int
    total: int
    missing: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    ignores_silent: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all have."""
        return not self.missing and (self.ignores_silent or not self.silent)

    def __str__(self) -> str:
        if not self.total:
            return "no worker runs; one that starts reads this before its first job"
        workers = "worker has" if self.total == 1 else "workers have"
        return f"{self.confirmed} of {self.total} {workers} confirmed"


class Controls:
    """The controls of one namespace; see `KafkaBroker.controls`. Safe for any thread.

    ``who`` and ``why`` are for people. Everything that is decided is durable, and also holds for workers that
    start later. A method that writes waits until Kafka has it, and raises KafkaUnreachable or NotAuthorized.
    """

    def __init__(self, producer: DurableProducer, topics: Topics, prepare: Callable[[], object]) -> None:
        """``prepare`` creates the topics that are missing. Does no I/O."""
        self._producer = producer
        self._topics = topics
        self._prepare = prepare
        #: What this process applies, if it is a worker.
        self.gate = Gate()

    def pause(self, queue: str, *, who: str, why: str = "", for_s: float | None = None) -> Change:
        """Let no job of a queue start, for a while or until :meth:`resume`; jobs that run finish.

        Once all workers have confirmed, none starts. Nothing is rewritten and no attempt is used. Raises
        InvalidName for a name that no queue can have, WrongUsage for a length of time that is none.
        """
        self.check_pause(queue, for_s)
        return self._write(encode(Pause(queue, _note(who, why, for_s))))

    def check_pause(self, queue: str, for_s: float | None) -> None:
        """Raise what :meth:`pause` would raise for these. No I/O."""
        self._topics.jobs(queue)
        if for_s is not None and not 0 < for_s <= _MAX_PAUSE_S:
            raise WrongUsage(f"a pause of {for_s:g} s is none: leave the length out, or give one above 0")

    def resume(self, queue: str, *, who: str, why: str = "") -> Change:
        """Let the jobs of a queue start again; does nothing for one that is not paused."""
        return self._write(ending(Pause(queue).subject, _note(who, why)))

    def switch(self, where: Filter, then: Then | str, *, who: str, why: str = "") -> tuple[Switch, Change]:
        """Let no job start that the filter matches.

        Each becomes a dead letter with the reason ``held``, or is dropped. Raises WrongUsage for a filter
        that matches every job, or asks for what only dead letters have.
        """
        kind = self.check_switch(where, then)
        made = Switch(secrets.token_hex(4), where, kind, _note(who, why))
        return made, self._write(encode(made))

    def check_switch(self, where: Filter, then: Then | str) -> Then:
        """What is to happen to the jobs; raises what :meth:`switch` would raise for these. No I/O."""
        try:
            sound = filter_from(as_json(where))
            kind = Then(then)
        except ValueError as exc:
            raise WrongUsage(f"the switch cannot be set: {exc}") from exc
        if sound != where:
            raise WrongUsage(
                "the switch cannot be set: a job that has not run has no reason, error or end yet"
            )
        return kind

    def lift(self, switch_id: str, *, who: str, why: str = "") -> Change:
        """End a switch; what it holds stays dead letters, see `workers.operations.switches`."""
        return self._write(ending(f"switch/{switch_id}", _note(who, why)))

    def state(self) -> State:
        """What is decided now, by the control topic alone. Raises KafkaUnreachable or NotAuthorized."""
        with TopicReader(self._producer.cluster, self._topics.control) as reader:
            return State().after(reader.read_to_end())

    def fleet(self) -> list[Process]:
        """The worker processes that run now. Raises KafkaUnreachable or NotAuthorized."""
        with self.watch() as watch:
            return watch.processes()

    def watch(self) -> Watch:
        """What is decided and who runs, to look at again and again."""
        return Watch(self._producer.cluster, self._topics)

    def wait_confirmed(
        self,
        change: Change,
        timeout_s: float = WAIT_S,
        progress: Callable[[Confirmation], object] = lambda _: None,
        *,
        ignore_silent: bool = False,
    ) -> Confirmation:
        """Wait until all workers that run have applied a change, or the time is over.

        ``progress`` gets each new count. It does not wait for silent workers, which count all the same unless
        ``ignore_silent`` says that they are dead. Raises KafkaUnreachable or NotAuthorized.
        """
        began = time.monotonic()
        last: Confirmation | None = None
        with self.watch() as watch:
            while True:
                passed_s = time.monotonic() - began
                found = confirmation(watch, change, change.time_ms + passed_s * 1000)
                found = replace(found, ignores_silent=ignore_silent)
                if found != last:
                    progress(found)
                last = found
                if not found.missing or passed_s >= timeout_s:
                    return found
                watch.follow(min(_LOOK_S, timeout_s - passed_s))

    def _write(self, record: Record) -> Change:
        self._prepare()
        written = self._producer.deliver(self._topics.control, record)
        return Change((record.key or b"").decode(), written.offset, written.timestamp)


def confirmation(watch: Watch, change: Change, now_ms: float) -> Confirmation:
    """Who has applied a change; ``now_ms`` is by the cluster's clock."""
    running = watch.processes(now_ms)
    missing = tuple(one.worker for one in running if not one.has_applied(change.offset))
    silent = tuple(one.worker for one in watch.silent(now_ms) if not one.has_applied(change.offset))
    return Confirmation(len(running) - len(missing), len(running), missing, silent)


def _note(who: str, why: str, for_s: float | None = None) -> Note:
    now_ms = int(time.time() * 1000)
    return Note(who, now_ms, why, None if for_s is None else now_ms + int(for_s * 1000))
