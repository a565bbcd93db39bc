"""The bridge: hub, follower and history of one process, and the clock that drives them."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta

from workers.kafka import Cluster

from .follower import Follower, Portion
from .history import Found, Historian, scan
from .hub import AHEAD_S, Hub
from .protocol import HELLO_WITHIN_S, Close
from .returning import Returning
from .session import Session
from .turns import Turns
from .views import Views

logger = logging.getLogger(__name__)

#: How often what is due is done.
_TICK_S = 0.25
#: A client that is sent away comes back after a time in this range, so that not all come at once.
_AGAIN_MS = (200, 2_000)
#: How many portions of what was read may wait for the loop.
_MAX_PORTIONS = 64
#: How long the last frames of clients that are sent away may take.
_LAST_FRAMES_S = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections there may be, and how long and how much is kept for those who come back."""

    connections: int = 20_000
    per_user: int = 50
    per_address: int = 1_000
    ring_bytes: int = 64 * 1024 * 1024
    resume: timedelta = timedelta(hours=24)
    ahead_s: float = AHEAD_S
    hello_within_s: float = HELLO_WITHIN_S
    last_frame_s: float = 10.0


class Bridge:
    """Follows the log and keeps the sessions of one process. For one event loop."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Sequence[str],
        *,
        views: Views | None = None,
        limits: Limits | None = None,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        """``topics`` must be the same, in the same order, for all bridges that share clients.

        ``prepare`` creates them; it is called on a thread that may wait, until it raises no WorkersError.
        """
        self.limits = limits or Limits()
        self.hub = Hub(ring_bytes=self.limits.ring_bytes, ahead_s=self.limits.ahead_s)
        #: The connections that have something to send.
        self.turns = Turns()
        self.is_draining = False
        self._views = views or Views()
        self._cluster = cluster
        self._topics = tuple(topics)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._follower = Follower(cluster, topics, self._views, _OnLoop(self), prepare)
        self._historian = Historian(
            self._scan, take=self._take, done=lambda found: self.post(self._done, found), failed=self._failed
        )

    @property
    def is_ready(self) -> bool:
        """Whether clients can be served: the log is known, and the process does not stop."""
        return self.hub.epoch is not None and not self.is_draining

    def status(self) -> dict[str, object]:
        """What the bridge does, as JSON values; counts are since its start."""
        hub = self.hub
        return {
            "clients": len(hub),
            "following": hub.stale_since is None,
            "ring_bytes": hub.ring.bytes,
            **asdict(hub.counts),
        }

    async def start(self) -> None:
        """Begin to follow the log. Does not wait for Kafka."""
        self._loop = asyncio.get_running_loop()
        self._ticker = asyncio.create_task(self._tick())
        self._follower.start()
        self._historian.start()

    async def stop(self) -> None:
        """End all threads. Sessions that are left are not told; see :meth:`drain`."""
        if self._ticker is not None:
            self._ticker.cancel()
        await asyncio.to_thread(self._follower.stop)
        await asyncio.to_thread(self._historian.stop)

    async def drain(self, over: timedelta) -> None:
        """Send all clients away, evenly spread over that time, and take no new ones."""
        self.is_draining = True
        sessions = self.hub.sessions()
        random.shuffle(sessions)
        began_at = time.monotonic()
        step_s = over.total_seconds() / max(1, len(sessions))
        for number, session in enumerate(sessions):
            wait_s = began_at + number * step_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            session.end(Close.GOING_AWAY, random.randint(*_AGAIN_MS), "the server stops")  # noqa: S311
        deadline = time.monotonic() + _LAST_FRAMES_S
        while len(self.hub) and time.monotonic() < deadline:
            await asyncio.sleep(_TICK_S / 10)

    def join(self, session: Session, cursor: str | None) -> None:
        """Add a session. On the loop's thread."""
        self.hub.join(session, cursor, time.monotonic())
        if self.hub.has_behind:
            self._historian.wake()

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Have the loop's thread call something; for any thread. Does nothing once the loop is closed."""
        assert self._loop is not None, "not started"
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                self.hub.tick(time.monotonic())
                if self.hub.has_behind:
                    self._historian.wake()
            except Exception:  # one turn that fails must not end the pings and the tokens of all
                logger.exception("live.tick_failed, trying again")

    def _scan(self, clients: list[Returning]) -> Found:
        oldest_ms = int((time.time() - self.limits.resume.total_seconds()) * 1000)
        return scan(
            self._cluster,
            self._topics,
            self._views,
            clients,
            oldest_ms=oldest_ms,
            is_stopping=lambda: self._historian.is_stopping,
        )

    def _take(self) -> list[Returning]:
        assert self._loop is not None
        taken = asyncio.run_coroutine_threadsafe(self._take_behind(), self._loop)
        return taken.result()

    async def _take_behind(self) -> list[Returning]:
        return self.hub.take_behind()

    def _done(self, found: Found) -> None:
        for returning, why in found.refused:
            self.hub.refused(returning, why)
        self.hub.caught_up(found.returning, found.epoch)

    def _failed(self, clients: list[Returning]) -> None:
        self.post(self.hub.failed, clients)


class _OnLoop:
    """Hands what the follower finds over to the loop's thread, one portion after the other.

    Between two portions the loop writes to the clients. The follower waits if it is far ahead of that.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._portions: deque[Portion] = deque()
        self._is_going_on = False
        self._room = threading.Semaphore(_MAX_PORTIONS)

    @property
    def is_watched(self) -> bool:
        return len(self._bridge.hub) > 0

    def begin(self, epoch: bytes, offsets: Sequence[int]) -> None:
        self._bridge.post(self._begin, epoch, offsets)

    def advance(self, portion: Portion) -> None:
        self._room.acquire()
        self._bridge.post(self._add, portion)

    def stale(self, since: float | None) -> None:
        self._bridge.post(self._bridge.hub.set_stale, since)

    def _begin(self, epoch: bytes, offsets: Sequence[int]) -> None:
        while self._portions:  # of the topics as they were
            self._send_one()
        self._bridge.hub.begin(epoch, offsets)

    def _add(self, portion: Portion) -> None:
        self._portions.append(portion)
        if not self._is_going_on:
            self._is_going_on = True
            self._go_on()

    def _go_on(self) -> None:
        """Send a portion, and the next one after all connections have had their turn."""
        if self._bridge.turns:
            asyncio.get_running_loop().call_soon(self._go_on)
        elif self._portions:
            asyncio.get_running_loop().call_soon(self._go_on)
            self._send_one()
        else:
            self._is_going_on = False

    def _send_one(self) -> None:
        portion, hub = self._portions.popleft(), self._bridge.hub
        self._room.release()
        try:
            hub.advance(portion.entries, portion.offsets, portion.skipped)
        except Exception:  # one portion that fails must not end the delivery of all that follow
            logger.exception("live.portion_failed: clients load anew")
            if hub.epoch is not None:
                hub.begin(hub.epoch, portion.offsets)
