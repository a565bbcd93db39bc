"""Actions on dead letters that take their time, each on a thread of its own.

First it looks: it selects the letters and counts them. Then somebody confirms, and it acts on exactly those.
It can be stopped, and resumed with what is left. One acts at a time, so that two operators who mean the same
letters do not run their jobs twice.

The log of actions has who began which run and what became of it. So a run is known, and can be stopped and
resumed, in all processes that have the dashboard, also after a restart: see
`workers.operations.logged_runs`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from workers.broker.kafka_broker import KafkaBroker
from workers.dead_letters.reader import Advance, Entry
from workers.dead_letters.resolving import Resolution
from workers.dead_letters.selection import Search, Selection
from workers.errors import WorkersError
from workers.operations.dead_letters import LetterAction, act, discarding, misfit_of, replaying
from workers.operations.logged import Stopped, Unheard, written_down
from workers.operations.logged_runs import BEGINNINGS, KEPT, LoggedRun, LoggedRuns, Phase, bounds_as_json
from workers.operations.turn import Turn

from ..reading.actions import Actions
from ..reading.letters import LetterIndex
from .run import Run
from .told import as_run, is_others

logger = logging.getLogger(__name__)

#: How many letters of a replay are checked against their actor: that takes a millisecond each.
_CHECKED = 1_000
#: How long the runs have to stop when the application does.
_CLOSE_S = 10.0
#: The most letters that a limit can be: to find the oldest ones takes some 500 bytes for each.
MAX_LIMIT = 100_000


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
        """Another text after each change that a viewer would see; what others do changes the log's."""
        with self._lock:
            return "".join(f"{run.phase[:9]}{run.done}.{run.read};" for run in self._runs.values())

    def newest(self) -> list[Run]:
        """Those of this process and of others, the newest first; of many those that act, before others."""
        told, now_ms = self._told(), self._log.now_ms()
        with self._lock:
            own = {one.id: one for one in self._runs.values() if _counts(one, told)}
        others = {run_id: as_run(one, now_ms) for run_id, one in told.items() if run_id not in own}
        found = sorted((own | others).values(), key=lambda run: (run.is_active, run.began_at))[-KEPT:]
        return sorted(found, key=lambda run: run.began_at, reverse=True)

    def get(self, run_id: str) -> Run | None:
        """A run of this process, else as the log tells of it; it may have to be read. Blocks for that."""
        if run_id not in self._runs and run_id not in self._told():
            with suppress(WorkersError):
                self._log.catch_up()
        own, told = self._runs.get(run_id), self._told()
        if own is not None and _counts(own, told):
            return own
        return as_run(told[run_id], self._log.now_ms()) if run_id in told else None

    def _told(self) -> dict[str, LoggedRun]:
        told = self._log.chain.listener
        assert isinstance(told, LoggedRuns)
        return told.by_id

    def look(self, run: Run) -> None:
        """Begin to look which letters a run is about; one that is to act at once then does."""
        with self._lock:
            self._runs[run.id] = run
            for old in list(self._runs.values())[:-KEPT]:
                if not old.is_active:
                    del self._runs[old.id]
        self._start(run, self._look)

    def begin(self, run: Run, who: str, rate_per_s: float | None) -> bool:
        """Act, or go on with what is left; False if it acts already or cannot, in whichever process."""
        with suppress(WorkersError):  # what cannot be read cannot be written either, and then it fails
            self._log.catch_up()
        told = self._told()
        with self._lock:
            known = self._runs.get(run.id, run)
            acts = run.is_elsewhere or is_others(run, told) or (known is not run and known.is_active)
            if acts or not run.can_begin:
                return False
            run.who, run.rate_per_s, run.phase, run.problem = who, rate_per_s, Phase.WAITING, None
            self._runs[run.id] = run
        run.stopping.clear()
        self._start(run, self._act)
        return True

    def stop(self, run: Run, who: str = "") -> None:
        """Have it stop after the letters that are in hand; another process is told so by the log.

        Raises KafkaUnreachable or NotAuthorized if that cannot be told.
        """
        if run.is_elsewhere:
            self._log.write(who, f"{run.verb}: stop", {"run": run.id})
        run.stopping.set()

    def close(self) -> None:
        """Stop all, and wait for that; not for ever, as Kafka may be away."""
        with self._lock:
            own = list(self._runs.values())
        for run in own:
            run.stopping.set()
        deadline = time.monotonic() + _CLOSE_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.warning("dashboard.run_goes_on thread=%s after %g s", thread.name, _CLOSE_S)

    def _start(self, run: Run, work: Callable[[Run], None]) -> None:
        thread = threading.Thread(
            target=self._run, args=(run, work), name=f"dashboard.{run.verb}", daemon=True
        )
        self._threads.add(thread)
        thread.start()

    def _run(self, run: Run, work: Callable[[Run], None]) -> None:
        try:
            work(run)
        except Stopped as exc:
            run.phase, run.problem = Phase.STOPPED, str(exc) if isinstance(exc, Unheard) else None
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
        run.selection, run.bounds, run.total = selection, selection.bounds, selection.total
        if run.at_once and selection.total:
            run.phase = Phase.WAITING
            self._act(run)
        else:
            run.phase = Phase.READY if selection.total else Phase.DONE

    def _weigh(self, run: Run, action: LetterAction, entry: Entry) -> str | None:
        run.queues[entry.letter.queue or ""] += 1
        if run.verb == "replay" and not run.edits and run.checked < _CHECKED:
            run.checked += 1
            if misfit := misfit_of(self._broker, entry.letter):
                run.misfit_count += 1
                run.misfits = [*run.misfits, misfit][:5]
        return action.problem_of(entry)

    def _act(self, run: Run) -> None:
        with self._turn(run):
            run.done_before, run.resolution = run.done, Resolution()
            action = self._action(run)
            about = {} if run.bounds is None else {"bounds": bounds_as_json(run.bounds, run.wanted)}
            with written_down(
                partial(self._write, run),
                run.who,
                replace(action, facts={**action.facts, **about}),
                run.wanted,
                run.resolution,
                letters=run.left,
                run=run.id,
            ):
                turn = self._turn_of(run)
                turn.wait_for_others()
                run.phase = Phase.ACTING
                self._letters.catch_up()  # with what the action before has done
                self._do(run, self._selection(run, action, turn), action, turn)
            away = run.resolution.away
            run.problem = str(away) if away else None
            if not away and run.selection:
                run.selection.forget_places()
            run.phase = Phase.FAILED if away else Phase.DONE

    def _write(self, run: Run, who: str, did: str, about: Mapping[str, Any]) -> None:
        """Write that a run begins; raises Stopped if another process was first. Or how it ended, if here."""
        told = self._told().get(run.id)
        if did not in BEGINNINGS:
            if told is None or told.turn <= run.turn:
                self._log.write(who, did, {**about, "turn": run.turn})
            return
        if told and told.turn == run.turn and told.phase is Phase.ACTING:  # its end could not be written
            done = run.done - told.done_before
            self._log.write(who, f"{run.verb}: stopped", {"run": run.id, "done": done, "turn": told.turn})
        number = self._log.write(who, did, about)
        if (told := self._told().get(run.id)) is None or told.turn != number:
            raise Stopped
        run.turn = number

    def _selection(self, run: Run, action: LetterAction, turn: Turn) -> Selection:
        """What is left of a run: of one that another process began, its letters are selected again."""
        if run.selection is None:
            search = self._search(run, turn)
            run.selection = search.select(run.wanted, None, action.problem_of, within=run.bounds)
            run.total = run.done + run.selection.total
        return run.selection

    def _turn_of(self, run: Run) -> Turn:
        def told() -> Mapping[str, LoggedRun]:
            self._log.want()
            return self._told()

        def rest(seconds: float) -> None:
            if run.stopping.wait(seconds):
                raise Stopped

        return Turn(
            run.id, run.turn, run.resolution, told, self._log.write, now_ms=self._log.now_ms, rest=rest
        )

    def _do(self, run: Run, selection: Selection, action: LetterAction, turn: Turn) -> None:
        def progress(_count: int) -> None:
            self._letters.want()  # what others resolve meanwhile must be known
            turn.pause(0.0)

        act(
            self._broker,
            self._search(run, turn),
            selection,
            action,
            run.resolution,
            rate_per_s=run.rate_per_s,
            progress=progress,
            wait=turn.pause,
        )

    @contextmanager
    def _turn(self, run: Run) -> Iterator[None]:
        """Wait until no other run acts."""
        while not self._acting.acquire(timeout=0.2):
            if run.stopping.is_set():
                raise Stopped
        try:
            yield
        finally:
            self._acting.release()

    def _action(self, run: Run) -> LetterAction:
        return discarding() if run.verb == "discard" else replaying(self._broker, edits=run.edits)

    def _search(self, run: Run, turn: Turn | None = None) -> Search:
        """A search that ends where the run is to stop; with its turn, others hear of it meanwhile."""

        @contextmanager
        def watch(_doing: str) -> Iterator[Advance]:
            def advance(read: int, total: int) -> None:
                run.read, run.to_read = read, total
                if run.stopping.is_set():
                    raise Stopped
                if turn is not None:
                    turn.pause(0.0)

            yield advance

        return self._letters.search(watch)


def _counts(own: Run, told: Mapping[str, LoggedRun]) -> bool:
    """Whether what this process knows of a run is right; else another one has gone on with it."""
    return own.is_active or not is_others(own, told)
