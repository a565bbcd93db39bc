"""What operators have done, read and written on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from workers.broker.kafka_broker import KafkaBroker
from workers.errors import WorkersError
from workers.operations.action_log import Chain, Listener
from workers.operations.logged import log_of

from .on_demand import OnDemand, Problem

_STEP_MS = 250
#: How long an action waits to be written down before it is not done.
_WRITE_S = 30.0
#: How long is waited for what others have written.
_READ_S = 5.0


class Actions:
    """The log of actions as pages show it, and its writer. For any thread."""

    def __init__(self, broker: KafkaBroker, listen: Callable[[], Listener]) -> None:
        """``listen`` makes what hears of each action, see `workers.operations.action_log.ActionLog`."""
        self._log = log_of(broker, listen=listen)
        self._reading = OnDemand("dashboard.actions", self._follow)
        #: All that was written until then was read, in seconds since 1970.
        self.read_at = 0.0

    @property
    def chain(self) -> Chain:
        """What was read."""
        return self._log.chain

    @property
    def problem(self) -> Problem | None:
        return self._reading.problem

    def now_ms(self) -> float:
        """The time by the clock of Kafka, as far as it was read."""
        return self._log.now_ms()

    def want(self) -> None:
        """Keep reading for a while."""
        self._reading.want()

    def write(self, who: str, did: str, about: Mapping[str, Any]) -> int:
        """Write an action down; returns the number of its record. Blocks.

        Raises KafkaUnreachable or NotAuthorized: then do not do it.
        """
        written = self._reading.call(lambda: self._log.write(who, did, about))
        try:
            return written.result(_WRITE_S)
        except TimeoutError as exc:
            written.cancel()
            raise WorkersError(f"this could not be written into the log in {_WRITE_S:g} s") from exc

    def catch_up(self) -> None:
        """Read all that is written by now. Blocks. Raises KafkaUnreachable."""
        read = self._reading.call(self._log.catch_up)
        try:
            read.result(_READ_S)
        except TimeoutError as exc:
            raise WorkersError(f"the log of actions could not be read in {_READ_S:g} s") from exc

    def close(self) -> None:
        self._reading.close()

    @contextmanager
    def _follow(self) -> Iterator[Callable[[], float]]:
        with self._log as log:

            def step() -> float:
                known, now = log.chain.count, time.time()
                log.follow(_STEP_MS)
                if log.chain.count == known:
                    self.read_at = now
                return 0.5

            yield step
