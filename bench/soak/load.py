"""Publishes events at their times, whatever happens.

``python -m bench.soak.load FILE LOAD``, a `Load` as JSON.

For each event that Kafka has confirmed it adds a line to FILE: when the event was due and when it was
confirmed, by the machine's monotonic clock, its id, and the Message-ID of its mail. What is not confirmed is
sent again, so an event may be in the log more than once. It ends when all are confirmed.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

from tasks import broker
from tasks.app import event_log
from workers.errors import WorkersError

from ..systems.pipeline.events import Planned, endless
from .plan import Load

#: How many events may be on their way: while Kafka is away, the others wait for their turn.
_MOST = 5_000
_PAUSE_S = 0.05
#: A reminder of an event is due so soon that its alarm comes while the load goes on.
_DUE_IN = timedelta(minutes=4)


class Sender:
    """Sends events until they are confirmed, and notes them."""

    def __init__(self, notes: IO[str]) -> None:
        self._notes = notes
        self._open: deque[tuple[Planned, float, Any]] = deque()
        self._confirmed: dict[str, float] = {}

    def send(self, event: Planned, due: float) -> None:
        """Hand an event over; waits while too many are on their way."""
        while len(self._open) >= _MOST:
            self._settle(wait=True)
        self._open.append((event, due, self._handed_over(event)))
        self._settle(wait=False)

    def finish(self) -> None:
        """Wait until all are confirmed."""
        while self._open:
            self._settle(wait=True)

    def _settle(self, *, wait: bool) -> None:
        """Note the oldest ones that are confirmed, and send again those that failed."""
        while self._open and (wait or self._open[0][2].is_done):
            event, due, future = self._open.popleft()
            try:
                future.get(60)
            except Exception as exc:  # noqa: BLE001 - whatever it was, the event is not confirmed
                # Without a pause: thousands fail together, and each has waited for its own deadline.
                print(f"sent again: {type(exc).__name__}", flush=True)  # noqa: T201
                self._open.append((event, due, self._handed_over(event)))
            else:
                at = self._confirmed.pop(
                    event.event_id, time.monotonic()
                )  # its callback may come a moment later
                self._notes.write(f"{due} {at} {event.event_id} {event.message_id}\n")
            wait = False

    def _handed_over(self, event: Planned) -> Any:
        while True:
            try:
                future = broker.producer.send(event_log, event.record)
            except WorkersError as exc:
                print(f"not sent: {exc}", flush=True)  # noqa: T201
                time.sleep(_PAUSE_S)
            else:
                return future.add_callback(partial(self._confirm, event.event_id))

    def _confirm(self, event_id: str, _: object) -> None:
        self._confirmed[event_id] = time.monotonic()


def run(file: Path, load: Load) -> None:
    """Publish all events of the load."""
    events = endless(_DUE_IN)
    with file.open("a", buffering=1 << 16) as notes:
        sender = Sender(notes)
        began = time.monotonic()
        for at_s in load.times():
            # Not for each event: a sleep costs more than a send.
            while time.monotonic() < began + at_s - 0.005:
                time.sleep(max(0.005, began + at_s - time.monotonic()))
            sender.send(next(events), began + at_s)
        sender.finish()
    broker.close()


if __name__ == "__main__":
    run(Path(sys.argv[1]), Load(**json.loads(sys.argv[2])))
