"""Replays or discards the dead letters of a selection: the two actions, and how they are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dramatiq.errors import ActorNotFound

from ..application import require_queue
from ..broker.kafka_broker import KafkaBroker
from ..dead_letters.edits import Edit, check_arguments
from ..dead_letters.letter import DeadLetter
from ..dead_letters.log_again import read_again
from ..dead_letters.reader import Entry
from ..dead_letters.replay import message_of, queue_of, revived, revived_batch
from ..dead_letters.resolving import Resolution, Revive, resolve
from ..dead_letters.selection import Search, Selection
from ..errors import KafkaUnreachable, WrongUsage
from ..records import envelope
from ..records.envelope import Record


@dataclass(frozen=True, slots=True)
class LetterAction:
    """Something that is done with dead letters, and the words for it.

    ``name`` and ``facts`` are for the log of actions. ``problem_of`` says why it is impossible for one dead
    letter: then it must be done to none.
    """

    verb: str
    done: str
    revive: Revive
    problem_of: Callable[[Entry], str | None] = lambda _: None
    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def discarding() -> LetterAction:
    """End dead letters; their jobs are lost for good."""
    return LetterAction("discard", "discarded", lambda _: (), name="discard")


def replaying(broker: KafkaBroker, *, to: str | None = None, edits: Sequence[Edit] = ()) -> LetterAction:
    """Enqueue the jobs of dead letters again, into the queue ``to`` if it is given, with edited arguments.

    Creates the topics that are missing. Raises WrongUsage for a queue that is not declared.
    """
    if to is not None:
        require_queue(broker, to)

    in_log = partial(read_again, broker.cluster)

    def revive(entry: Entry) -> Sequence[tuple[str, Record]]:
        letter = entry.letter
        batch = None if to or edits else revived_batch(letter, broker.topics, in_log)
        if batch is not None:
            return batch
        if to is None:
            broker.require_queue(queue_of(letter))
        return [revived(letter, broker.topics, now_ms=int(time.time() * 1000), to=to, edits=edits)]

    def problem_of(entry: Entry) -> str | None:
        if to is None and not edits:
            return None
        try:
            _, record = revived(entry.letter, broker.topics, now_ms=0, to=to, edits=edits)
            message = envelope.decode(record.value, entry.letter.queue or "")
            if edits:
                check_arguments(_function(broker, message.actor_name), message)
        except WrongUsage as exc:
            return str(exc)
        return None

    broker.prepare()
    facts = {"into": to} if to else {}
    if edits:
        facts["places"] = ", ".join(edit.place for edit in edits)
    name = "mend and replay" if edits else "replay"
    return LetterAction("replay", "replayed", revive, problem_of, name, facts)


def misfit_of(broker: KafkaBroker, letter: DeadLetter) -> str | None:
    """Why the actor of a letter's job does not take its arguments, so that it would fail again; else None.

    Bytes that are no message, and jobs of an actor that is not known here, are not judged.
    """
    message = message_of(letter)
    if message is None or message.actor_name not in broker.actors:
        return None
    try:
        check_arguments(broker.get_actor(message.actor_name).fn, message)
    except WrongUsage as exc:
        return str(exc)
    return None


def act(
    broker: KafkaBroker,
    search: Search,
    selection: Selection,
    action: LetterAction,
    resolution: Resolution,
    *,
    rate_per_s: float | None = None,
    progress: Callable[[int], object] = lambda _: None,
    wait: Callable[[float], object] = time.sleep,
    order: Callable[[Entry], Any] | None = None,
) -> None:
    """Do it to exactly those of the selection; ``resolution`` is right even if this is interrupted.

    ``wait`` is as in :func:`.resolve`; while letters are read, it is called with 0. With ``order``, a key to
    sort by, all of them are in memory at once.
    """
    topic = broker.topics.dead_letters
    # Reading may take minutes before the first letter, in which others must hear of this too.
    entries = search.chosen(selection, lambda *_: wait(0.0))
    try:
        resolve(
            broker.producer,
            topic,
            entries if order is None else sorted(entries, key=order),
            action.revive,
            resolution,
            rate_per_s=rate_per_s,
            progress=progress,
            wait=wait,
        )
    except KafkaUnreachable as exc:
        resolution.away = exc


def _function(broker: KafkaBroker, actor: str) -> Callable[..., Any]:
    try:
        return broker.get_actor(actor).fn
    except ActorNotFound as exc:
        raise WrongUsage(f"there is no actor {actor}, so its arguments cannot be checked") from exc
