"""A heartbeat that costs as much as any request."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

from kafka.errors import RequestTimedOutError
from kafka.net.selector import TaskState
from kafka.protocol.consumer import HeartbeatRequest

#: The version of the request, and of its answer, whose fields all have a fixed length.
_VERSION = 3
#: Where the number of a request is in its bytes: behind their length, the kind of request and its version.
_NUMBER_AT = 8
_NUMBER = struct.Struct(">i")
#: The answer behind its number: how long to hold back, in ms, and the error.
_ANSWER = struct.Struct(">ih")
#: How long all the answers may take.
_TIMEOUT_S = 10.0
#: Kafka answers each by itself: what has come is read together, so many seconds after the answer before.
_READ_AGAIN_S = 0.05
#: kafka-python cancels the timer of each request; these have one together.
_NO_TIMER = SimpleNamespace(state=TaskState.DONE)


class Answer(NamedTuple):
    """The answer to a heartbeat, with the names of kafka-python's."""

    throttle_time_ms: int
    error_code: int


class Beat:
    """The heartbeat of one membership, encoded once; to kafka-python it is a request and its future in one.

    kafka-python 3.0.12 makes, encodes and decodes some ten objects, sets a timer and writes to the socket for
    each: a process with fifty groups sends a hundred in a second.
    """

    def __init__(self, coordinator: Any, generation: Any) -> None:
        self.generation = generation
        self.is_under_way = False
        #: Called with each answer.
        self.on_answer: Callable[[], None] = lambda: None
        self._coordinator = coordinator
        request = HeartbeatRequest(
            group_id=coordinator.group_id,
            generation_id=generation.generation_id,
            member_id=generation.member_id,
            group_instance_id=coordinator.group_instance_id,
        )
        request.API_VERSION = _VERSION
        request.with_header(client_id="todo-workers")
        self._encoded = bytes(request.encode(framed=True, header=True))

    @property
    def address(self) -> Any:
        """The broker that coordinates the group."""
        return self._coordinator._cluster.broker_metadata(self._coordinator.coordinator_id)

    def encoded(self, number: int) -> bytes:
        """The bytes of the request with this number."""
        return self._encoded[:_NUMBER_AT] + _NUMBER.pack(number) + self._encoded[_NUMBER_AT + 4 :]

    @property
    def is_done(self) -> bool:
        return not self.is_under_way

    def success(self, answer: Answer) -> None:
        """Take an answer, unless it is about an earlier membership. Raises nothing if the consumer closes."""
        self.is_under_way = False
        self.on_answer()
        if self._coordinator._generation is self.generation:
            if answer.error_code:
                with suppress(Exception):  # of its loop, which has ended
                    self._coordinator.take_heartbeat_error(self.generation, answer)
            else:
                self._coordinator.note_heartbeat()

    def failure(self, _error: BaseException) -> None:
        """Let the consumer send a heartbeat itself, unless that was of an earlier membership.

        Raises nothing if the consumer closes: kafka-python would not tell the beats behind this one.
        """
        self.is_under_way = False
        if self._coordinator._generation is self.generation:
            with suppress(Exception):  # of its loop, which has ended
                self._coordinator.use_own_heartbeat()


class _Header:
    """To kafka-python, the header of a request that was sent, and the class that decodes its answer."""

    __slots__ = ("correlation_id",)

    def __init__(self, number: int) -> None:
        self.correlation_id = number

    def get_response_class(self) -> Any:
        return type(self)

    @classmethod
    def parse_header(cls, answer: Any) -> _Header:
        return cls(*_NUMBER.unpack(answer.read(_NUMBER.size)))

    @staticmethod
    def decode(answer: Any) -> Answer:
        return Answer(*_ANSWER.unpack(answer.read(_ANSWER.size)))


def send_together(connection: Any, beats: Sequence[Beat]) -> None:
    """Send heartbeats by one write, and read the answers by few reads.

    The connection closes if they do not come in time. Sends none while it is made, or
    logs in anew: the broker would take them for a part of that.
    """
    if not connection.connected or connection._reauth.is_reauthenticating:
        return
    now, parser, transport = time.monotonic(), connection.parser, connection.transport

    def read_later() -> None:
        if connection.in_flight_requests and transport.is_reading():
            transport.pause_reading()
            connection.net.call_later(_READ_AGAIN_S, transport.resume_reading)

    requests = []
    for beat in beats:
        beat.is_under_way, beat.on_answer = True, read_later
        number = parser._next_correlation_id()
        requests.append(beat.encoded(number))
        parser.in_flight_requests.append(_Header(number))
        connection.in_flight_requests.append((number, beat, now, now + _TIMEOUT_S, _NO_TIMER))
    transport.write(b"".join(requests))

    def close_if_late() -> None:
        if connection.in_flight_requests and connection.in_flight_requests[0][2] <= now:
            connection.close(RequestTimedOutError(f"no answer to heartbeats in {_TIMEOUT_S:g} s"))

    connection.net.call_later(_TIMEOUT_S, close_if_late)
