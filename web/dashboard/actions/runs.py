"""Actions on dead letters that take their time, each on a thread of its own.

First it looks: it selects the letters and counts them. Then somebody confirms, and it acts on exactly those.
It can be stopped, and resumed with what is left. One acts at a time, so that two operators who mean the same
letters do not run their jobs twice.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from workers.broker.kafka_broker import KafkaBroker
from workers.dead_letters.edits import Edit
from workers.dead_letters.filter import Filter
from workers.dead_letters.reader import Advance, Entry
from workers.dead_letters.resolving import Resolution
from workers.dead_letters.selection import Search, Selection
from workers.errors import WorkersError
from workers.operations.dead_letters import Action, act, discarding, misfit_of, replaying
from workers.operations.logged import written_down

from ..reading.actions import Actions
from ..reading.letters import LetterIndex

logger = logging.getLogger(__name__)

#: How many letters a second an unlimited action is thought to do, for what is said of its length.
FULL_RATE = 5_000
#: How many letters of a replay are checked against their actor: that takes a millisecond each.
_CHECKED = 1_000
_KEPT = 50
#: How long the runs have to stop when the application does.
_CLOSE_S = 10.0
#: The most letters that a limit can be: to find the oldest ones takes some 500 bytes for each.
MAX_LIMIT = 100_000


class Phase(StrEnum):
    """Where a run is; the text completes `the run …`."""

    LOOKING = "looks which letters it is about"
    READY = "waits for the confirmation"
    WAITING = "waits until another run has ended"
    ACTING = "acts"
    STOPPED = "was stopped"
    DONE = "is done"
    FAILED = "has failed"


class _Stopped(Exception):
    """Somebody has stopped the run."""


@dataclass
class Run:
    """An action on the letters that a filter matches. ``asked`` is the filter as it was typed."""

    verb: str
    who: str
    wanted: Filter
    asked: Mapping[str, str]
    limit: int | None = None
    edits: Sequence[Edit] = ()
    at_once: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    began_at: float = field(default_factory=time.time)
    phase: Phase = Phase.LOOKING
    read: int = 0
    to_read: int = 0
    selection: Selection | None = None
    queues: Counter[str] = field(default_factory=Counter)
    paused: Mapping[str, int] = field(default_factory=dict)
    checked: int = 0
    misfits: list[str] = field(default_factory=list)
    misfit_count: int = 0
    rate_per_s: float | None = None
    done_before: int = 0
    resolution: Resolution = field(default_factory=Resolution)
    problem: str | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def total(self) -> int:
        return self.selection.total if self.selection else 0

    @property
    def done(self) -> int:
        return self.done_before + self.resolution.done

    @property
    def left(self) -> int:
        return max(0, self.total - self.done)

    @property
    def is_active(self) -> bool:
        return self.phase in {Phase.LOOKING, Phase.WAITING, Phase.ACTING}

    @property
    def can_begin(self) -> bool:
        return self.phase in {Phase.READY, Phase.STOPPED, Phase.FAILED} and self.left > 0

    def seconds(self, rate_per_s: float | None) -> float:
        """How long it takes at that rate."""
        return self.left / (rate_per_s or FULL_RATE)


class Runs:
    """The runs of this process, the last ones. For any thread."""

    def __init__(self, broker: KafkaBroker, letters: LetterIndex, log: Actions) -> None:
        self._broker = broker
        self._letters = letters
        self._log = log
        self._lock = threading.Lock()
        self._acting = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._threads: set[threading.Thread] = set()

    @property
    def version(self) -> str:
        """Another text after each change that a viewer would see."""
        return "".join(f"{run.phase[:9]}{run.done}.{run.read};" for run in self.newest())

    def newest(self) -> list[Run]:
        with self._lock:
            return list(reversed(self._runs.values()))

    def get(self, run_id: str) -> Run | None:
        with self._lock:
            return self._runs.get(run_id)

    def look(self, run: Run) -> None:
        """Begin to look which letters a run is about; one that is to act at once then does."""
        with self._lock:
            self._runs[run.id] = run
            for old in list(self._runs.values())[:-_KEPT]:
                if not old.is_active:
                    del self._runs[old.id]
        self._start(run, self._look)

    def begin(self, run: Run, who: str, rate_per_s: float | None) -> bool:
        """Act, or go on with what is left; False if it acts already or cannot."""
        with self._lock:
            if not run.can_begin:
                return False
            run.who, run.rate_per_s, run.phase = who, rate_per_s, Phase.WAITING
        run.stopping.clear()
        self._start(run, self._act)
        return True

    def stop(self, run: Run) -> None:
        """Stop after the letters that are in hand. Does not block."""
        run.stopping.set()

    def close(self) -> None:
        """Stop all, and wait for that; not for ever, as Kafka may be away."""
        for run in self.newest():
            self.stop(run)
        deadline = time.monotonic() + _CLOSE_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.warning("dashboard.run_goes_on thread=%s after %g s", thread.name, _CLOSE_S)

    def _start(self, run: Run, work: object) -> None:
        thread = threading.Thread(
            target=self._run, args=(run, work), name=f"dashboard.{run.verb}", daemon=True
        )
        self._threads.add(thread)
        thread.start()

    def _run(self, run: Run, work: object) -> None:
        assert callable(work)
        try:
            work(run)
        except _Stopped:
            run.phase = Phase.STOPPED
        except WorkersError as exc:
            run.phase, run.problem = Phase.FAILED, str(exc)
        except Exception as exc:
            logger.exception("dashboard.run_failed id=%s", run.id)
            run.phase, run.problem = Phase.FAILED, f"{type(exc).__name__}: {exc}"
        finally:
            self._threads.discard(threading.current_thread())

    def _look(self, run: Run) -> None:
        self._letters.catch_up()
        action = self._action(run)
        selection = self._search(run).select(
            run.wanted, run.limit, lambda entry: self._weigh(run, action, entry)
        )
        asked = run.asked.get("id")
        if asked is not None and any(one.id != asked for one in selection.named):
            # The letter itself is gone: its id must not hit another one, which begins like that.
            raise WorkersError(f"no dead letter has the id {asked}: it was replayed or discarded meanwhile")
        now_ms = time.time() * 1000
        pauses = self._broker.controls.state().paused(now_ms) if run.verb == "replay" else {}
        run.paused = {queue: run.queues[queue] for queue in pauses if run.queues[queue]}
        run.selection = selection
        if run.at_once and selection.total:
            run.phase = Phase.WAITING
            self._act(run)
        else:
            run.phase = Phase.READY if selection.total else Phase.DONE

    def _weigh(self, run: Run, action: Action, entry: Entry) -> str | None:
        run.queues[entry.letter.queue or ""] += 1
        if run.verb == "replay" and not run.edits and run.checked < _CHECKED:
            run.checked += 1
            if misfit := misfit_of(self._broker, entry.letter):
                run.misfit_count += 1
                run.misfits = [*run.misfits, misfit][:5]
        return action.problem_of(entry)

    def _act(self, run: Run) -> None:
        assert run.selection is not None
        with self._turn(run):
            run.phase = Phase.ACTING
            self._letters.catch_up()  # with what the action before has done
            run.done_before, run.resolution = run.done, Resolution()
            action = self._action(run)
            with written_down(
                self._log.write, run.who, action, run.wanted, run.resolution, letters=run.left, run=run.id
            ):
                self._do(run, run.selection, action)
            away = run.resolution.away
            run.problem = str(away) if away else None
            if not away:
                run.selection.forget_places()
            run.phase = Phase.FAILED if away else Phase.DONE

    def _do(self, run: Run, selection: Selection, action: Action) -> None:
        def progress(_count: int) -> None:
            self._letters.want()  # what others resolve meanwhile must be known
            wait(0)

        def wait(seconds: float) -> None:
            if run.stopping.wait(seconds):
                raise _Stopped

        act(
            self._broker,
            self._search(run),
            selection,
            action,
            run.resolution,
            rate_per_s=run.rate_per_s,
            progress=progress,
            wait=wait,
        )

    @contextmanager
    def _turn(self, run: Run) -> Iterator[None]:
        """Wait until no other run acts."""
        while not self._acting.acquire(timeout=0.2):
            if run.stopping.is_set():
                raise _Stopped
        try:
            yield
        finally:
            self._acting.release()

    def _action(self, run: Run) -> Action:
        return discarding() if run.verb == "discard" else replaying(self._broker, edits=run.edits)

    def _search(self, run: Run) -> Search:
        @contextmanager
        def watch(_doing: str) -> Iterator[Advance]:
            def advance(read: int, total: int) -> None:
                run.read, run.to_read = read, total
                if run.stopping.is_set():
                    raise _Stopped

            yield advance

        return self._letters.search(watch)
