"""The log of what operators have done, in a topic, chained so that it shows whether somebody changed it.

A record is one JSON object: ``at`` (ms since 1970), ``who``, ``did``, ``about`` (an object), ``seen`` and
``head``. The head of a log is a SHA-256: of no record it is 64 zeros, and with each record it becomes the
hash of the head before and the record's bytes. ``head`` is that of the first ``seen`` records, those that the
writer had read. So several processes can write at once, and a record that somebody changes, removes or
exchanges does not fit what a later one says. The end of the log is not protected by that: keep its head in
another place.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from ..errors import KafkaUnreachable
from ..fleet.cluster_clock import ClusterClock
from ..kafka import Cluster, create_missing_topics
from ..kafka.producing.producer import DurableProducer
from ..kafka.topic_reader import TopicReader
from ..records.consumed import ConsumedRecord
from ..records.envelope import Record
from ..records.numbers import whole
from ..topics import Topics, actions_spec

#: Writes who did what, and the facts about it, before it is done; what it raises keeps it from being done.
WriteAction = Callable[[str, str, Mapping[str, Any]], object]

_GENESIS = bytes(32)
#: The header by which a writer knows its record again among those that others write meanwhile.
_MARK = "mark"
#: How many of the last actions are kept to be shown.
_KEPT = 500
#: After how long a topic that does not exist is looked for again.
_MISSING_S = 2.0
#: How long is waited between two looks for one that was just made.
_LOOK_S = 0.05
#: Longest text of an action's facts.
_MAX_CHARS = 500


@dataclass(frozen=True, slots=True)
class Action:
    """Something that an operator did, or that ended. ``number`` counts the records of the log from 1.

    ``at_ms`` is by the clock of who wrote it, ``logged_ms`` by that of Kafka.
    """

    number: int
    at_ms: int
    who: str
    did: str
    about: Mapping[str, Any]
    logged_ms: int


class Listener(Protocol):
    """Hears of each action that a chain takes in, in their order."""

    def take(self, action: Action) -> None: ...


class Chain:
    """The records of a log, taken in one after another. Pure; ``flaw`` says where it first does not fit."""

    def __init__(self, *, keep: int | None = _KEPT, listener: Listener | None = None) -> None:
        """``keep``: how many of the last actions stay in :attr:`last`; None for all."""
        self._heads = [_GENESIS]
        self.listener = listener
        self.last: deque[Action] = deque(maxlen=keep)
        self.flaw: str | None = None

    @property
    def count(self) -> int:
        return len(self._heads) - 1

    @property
    def head(self) -> str:
        """The head of all records."""
        return self._heads[-1].hex()

    def head_of(self, count: int) -> str | None:
        """The head of the first so many records; None if there are fewer."""
        return self._heads[count].hex() if 0 <= count < len(self._heads) else None

    def value(self, who: str, did: str, about: Mapping[str, Any], at_ms: int) -> bytes:
        """The record that tells of an action, to be written behind what was taken in."""
        facts = {name: _short(value) for name, value in about.items()}
        found = {
            "at": at_ms,
            "who": _short(who),
            "did": did,
            "about": facts,
            "seen": self.count,
            "head": self.head,
        }
        return json.dumps(found).encode()

    def take(self, value: bytes | None, logged_ms: int | None = None) -> None:
        """Take in the next record; ``logged_ms`` is its time by Kafka's clock, else it is its writer's."""
        number = self.count + 1
        try:
            found = json.loads(value or b"")
            at_ms = whole(found["at"])
            action = Action(
                number,
                at_ms,
                str(found["who"]),
                str(found["did"]),
                dict(found["about"]),
                at_ms if logged_ms is None else logged_ms,
            )
            seen, head = whole(found["seen"]), bytes.fromhex(found["head"])
        except (ValueError, KeyError, TypeError, RecursionError):
            self._note(f"record {number} is no action")
        else:
            self.last.append(action)
            if self.listener is not None:
                self.listener.take(action)
            if not 0 <= seen < number or self._heads[seen] != head:
                self._note(
                    f"record {number} does not fit the {seen:,} before it: one of those was changed, removed "
                    "or added since"
                )
        self._heads.append(hashlib.sha256(self._heads[-1] + (value or b"")).digest())

    def _note(self, flaw: str) -> None:
        self.flaw = self.flaw or flaw


class ActionLog:
    """Reads the log, and writes into it; a context manager that can be entered again, for one thread."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        producer: DurableProducer,
        *,
        keep: int | None = _KEPT,
        listen: Callable[[], Listener] | None = None,
    ) -> None:
        """``keep``: how many of the last actions are kept, None for all. Does no I/O.

        ``listen`` makes what hears of each action; it is made anew with the chain, whose ``listener`` it is.
        """
        self._keep = keep
        self._listen = listen
        self._cluster = cluster
        self._topics = topics
        self._producer = producer
        self._reader: TopicReader | None = None
        self._has_topic = False
        self._looked_at = 0.0
        self._clock = ClusterClock()
        self.chain = self._new_chain()

    def __enter__(self) -> Self:
        """Connect and read all of it. Raises KafkaUnreachable or NotAuthorized."""
        self._reader = TopicReader(self._cluster, self._topics.actions)
        try:
            self._reader.open()
            self._has_topic = bool(self._reader.sizes())
            self._looked_at = time.monotonic()
            # The chain that is known stays until the new one is complete: nobody sees a part of the log.
            chain = self._new_chain()
            self._take(chain, self._to_end(), are_new=False)
            self.chain = chain
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def follow(self, timeout_ms: int) -> None:
        """Take in what comes within this time; a topic that others make is found after some seconds.

        Raises KafkaUnreachable or NotAuthorized.
        """
        assert self._reader is not None, "not entered"
        if not self._has_topic and time.monotonic() - self._looked_at >= _MISSING_S:
            self._open_anew()
        self._take(self.chain, self._reader.read(timeout_ms) if self._has_topic else ())

    def catch_up(self) -> None:
        """Take in all that is written by now. Raises KafkaUnreachable or NotAuthorized."""
        self.follow(0)  # that finds the topic
        self._read()

    def write(self, who: str, did: str, about: Mapping[str, Any]) -> int:
        """Write what somebody does, and wait until Kafka has it; returns the number of that record.

        All before it is read then. The number is 0 if the topic was made anew meanwhile. Raises
        KafkaUnreachable or NotAuthorized.
        """
        assert self._reader is not None, "not entered"
        if not self._has_topic:
            create_missing_topics(self._cluster, [actions_spec(self._topics)])
            self._open_when_seen()
        self._read()
        value = self.chain.value(who, did, about, int(time.time() * 1000))
        mark = secrets.token_bytes(8)
        self._producer.deliver(self._topics.actions, Record(b"actions", value, [(_MARK, mark)]))
        return self._read(mark)

    def now_ms(self) -> float:
        """The time by the clock of Kafka, as its records tell it. For any thread."""
        return self._clock.now_ms()

    def _new_chain(self) -> Chain:
        return Chain(keep=self._keep, listener=self._listen() if self._listen else None)

    def _open_anew(self) -> None:
        self.__exit__(None, None, None)
        self.__enter__()

    def _open_when_seen(self) -> None:
        """Open the topic that was just made: the broker that is asked may hear of it later than another."""
        until = time.monotonic() + self._cluster.send_timeout_s
        self._open_anew()
        while not self._has_topic:
            if time.monotonic() >= until:
                raise KafkaUnreachable(
                    f"Kafka at {self._cluster.address} made topic {self._topics.actions} and does not show it"
                )
            time.sleep(_LOOK_S)
            self._open_anew()

    def _read(self, mark: bytes | None = None) -> int:
        return self._take(self.chain, self._to_end(), mark)

    def _to_end(self) -> Iterable[ConsumedRecord]:
        assert self._reader is not None
        return self._reader.read_to_end() if self._has_topic else ()

    def _take(
        self,
        chain: Chain,
        records: Iterable[ConsumedRecord],
        mark: bytes | None = None,
        *,
        are_new: bool = True,
    ) -> int:
        """Take records in; returns the number of the one with that mark, 0 if there is none."""
        number = 0
        for record in records:
            self._clock.note(record.timestamp, is_new=are_new)
            chain.take(record.value, record.timestamp)
            if mark is not None and (_MARK, mark) in record.headers:
                number = chain.count
        return number


def _short(value: Any) -> Any:
    return value[:_MAX_CHARS] if isinstance(value, str) else value
