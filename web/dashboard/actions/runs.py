"""Actions on dead letters that take their time, each on a thread of its own.

First it looks: it selects the letters and counts them. Then somebody confirms, and it acts on exactly those.
It can be stopped, and resumed with what is left. One acts at a time, so that two operators who mean the same
letters do not run their jobs twice.

The log of actions has who began which run and what became of it. So a run is known, and can be stopped and
resumed, in all processes that have the dashboard, also after a restart: see :mod:`.told`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from workers.broker.kafka_broker import KafkaBroker
from workers.dead_letters.reader import Advance, Entry
from workers.dead_letters.resolving import Resolution
from workers.dead_letters.selection import Search, Selection
from workers.errors import WorkersError
from workers.operations.action_log import Chain
from workers.operations.dead_letters import Action, act, discarding, misfit_of, replaying
from workers.operations.logged import Stopped, written_down

from ..reading.actions import Actions
from ..reading.letters import LetterIndex
from .run import Phase, Run
from .told import SAYS_S, ToldRun, as_run, bounds_as_json, comes_before, told_runs

logger = logging.getLogger(__name__)

#: How many letters of a replay are checked against their actor: that takes a millisecond each.
_CHECKED = 1_000
_KEPT = 50
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
        #: What the log tells, with the chain and the number of its records by which that was found out.
        self._known: tuple[Chain | None, int, dict[str, ToldRun]] = (None, 0, {})

    @property
    def version(self) -> str:
        """Another text after each change that a viewer would see; what others do changes the log's."""
        with self._lock:
            return "".join(f"{run.phase[:9]}{run.done}.{run.read};" for run in self._runs.values())

    def newest(self) -> list[Run]:
        """Those of this process and of others, the newest first."""
        told, now_ms = self._told(), time.time() * 1000
        with self._lock:
            own = {run_id: run for run_id, run in self._runs.items() if not _is_others(run, told)}
        others = {run_id: as_run(one, now_ms) for run_id, one in told.items() if run_id not in own}
        return sorted((own | others).values(), key=lambda run: run.began_at, reverse=True)[:_KEPT]

    def get(self, run_id: str) -> Run | None:
        """A run of this process, else as the log tells of it; it may have to be read. Blocks for that."""
        if run_id not in self._runs and run_id not in self._told():
            with suppress(WorkersError):
                self._log.catch_up()
        return next((run for run in self.newest() if run.id == run_id), None)

    def _told(self) -> dict[str, ToldRun]:
        chain = self._log.chain
        known = self._known
        if known[0] is not chain or known[1] != chain.count:
            known = self._known = (chain, chain.count, told_runs(list(chain.last)))
        return known[2]

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
            known = self._runs.get(run.id, run)
            if not run.can_begin or run.is_elsewhere or (known is not run and known.is_active):
                return False
            run.who, run.rate_per_s, run.phase = who, rate_per_s, Phase.WAITING
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
        except Stopped:
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
        run.selection, run.bounds, run.total = selection, selection.bounds, selection.total
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
        with self._turn(run), self._noted(run):
            run.done_before, run.resolution = run.done, Resolution()
            action = self._action(run)
            about = {} if run.bounds is None else {"bounds": bounds_as_json(run.bounds, run.wanted)}
            with written_down(
                self._log.write,
                run.who,
                replace(action, facts={**action.facts, **about}),
                run.wanted,
                run.resolution,
                letters=run.left,
                run=run.id,
            ):
                self._wait_for_others(run)
                run.phase = Phase.ACTING
                self._letters.catch_up()  # with what the action before has done
                self._do(run, self._selection(run, action), action)
            away = run.resolution.away
            run.problem = str(away) if away else None
            if not away and run.selection:
                run.selection.forget_places()
            run.phase = Phase.FAILED if away else Phase.DONE

    def _selection(self, run: Run, action: Action) -> Selection:
        """What is left of a run: of one that another process began, its letters are selected again."""
        if run.selection is None:
            run.selection = self._search(run).select(run.wanted, None, action.problem_of, within=run.bounds)
            run.total = run.done + run.selection.total
        return run.selection

    def _wait_for_others(self, run: Run) -> None:
        """Wait until none acts that began before this one, in whichever process."""
        while comes_before(self._told(), run.id, time.time() * 1000) is not None:
            self._pause(run, 0.5)

    def _pause(self, run: Run, seconds: float) -> None:
        """Wait; say now and then that the run goes on, and look whether somebody wants it to stop."""
        until = time.monotonic() + seconds
        while True:
            self._log.want()
            told = self._told().get(run.id)
            left_s = max(0.0, until - time.monotonic())
            if (told and told.stop_wished_by) or run.stopping.wait(min(1.0, left_s)):
                raise Stopped
            if told and time.time() - told.heard_ms / 1000 >= SAYS_S:
                self._log.write(run.who, f"{run.verb}: goes on", {"run": run.id, "done": run.resolution.done})
            if left_s <= 1.0:
                return

    def _do(self, run: Run, selection: Selection, action: Action) -> None:
        def progress(_count: int) -> None:
            self._letters.want()  # what others resolve meanwhile must be known
            self._pause(run, 0.0)

        act(
            self._broker,
            self._search(run),
            selection,
            action,
            run.resolution,
            rate_per_s=run.rate_per_s,
            progress=progress,
            wait=lambda seconds: self._pause(run, seconds),
        )

    @contextmanager
    def _noted(self, run: Run) -> Iterator[None]:
        """Note up to where the log tells of this process' part of a run."""
        try:
            yield
        finally:
            run.turn = self._log.chain.count

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

    def _action(self, run: Run) -> Action:
        return discarding() if run.verb == "discard" else replaying(self._broker, edits=run.edits)

    def _search(self, run: Run) -> Search:
        @contextmanager
        def watch(_doing: str) -> Iterator[Advance]:
            def advance(read: int, total: int) -> None:
                run.read, run.to_read = read, total
                if run.stopping.is_set():
                    raise Stopped

            yield advance

        return self._letters.search(watch)


def _is_others(run: Run, told: Mapping[str, ToldRun]) -> bool:
    """Whether another process has gone on with a run of this one since that ended here."""
    one = told.get(run.id)
    return one is not None and not run.is_active and 0 < run.turn < one.turn
