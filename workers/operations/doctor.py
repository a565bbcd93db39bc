"""Examines the settings, Kafka, and whatever else the application needs.

An application adds its own checks: its module may have ``doctor_checks``, a mapping of names to functions.
Each returns a sentence that says what is well, or raises an error that says what is wrong and what to do.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import ModuleType

from ..application import DOCTOR_GROUP, additions, is_chatbot, load_application
from ..broker.kafka_broker import KafkaBroker
from ..display.lists import few
from ..errors import LogUnreadable, WorkersError, settings_problems
from ..kafka import Cluster, cluster_rights, missing_codecs
from ..kafka.abilities import Lack, lacks
from ..kafka.patches.supported import REQUIREMENT
from ..kafka.security.tls import days_left
from ..kafka.topic_reader import TopicReader
from ..rights import Role, needed_rights
from ..runtime.interrupts import was_interrupted
from ..topics import actions_spec
from .queue_status import StatusReader
from .right_check import check_rights
from .topic_check import Checked, check

#: How long the look for damage in one topic may take.
_LOOK_S = 5.0
#: A certificate that is valid for fewer days is a finding.
_DAYS_NEEDED = 14
#: The attribute of a module that holds its own checks.
_OWN_CHECKS = "doctor_checks"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; ``ok`` is None if an earlier finding must be mended first."""

    check: str
    ok: bool | None
    text: str


def examine(app: str | None, role: Role | None = None) -> Iterator[Finding]:
    """Examine everything, one thing after the other; what it finds never makes it raise.

    The user needs the rights of the role, or without one those to send, to work and to trim.
    """
    try:
        is_ours = is_chatbot(app)
        if is_ours:
            from settings import load_settings  # noqa: PLC0415 - an application may have its own `settings`

            load_settings()
        module, broker = load_application(app)
    except Exception as exc:  # noqa: BLE001 - the application's own code may raise anything
        if problems := settings_problems(exc):
            yield from (Finding("settings", False, problem) for problem in problems)
            yield Finding("application", None, "not looked at: mend the settings first")
        else:
            yield Finding("application", False, _words(exc))
        return
    if is_ours:
        yield Finding("settings", True, "every one is known and has a value that it may have")
    queues = f"queues {', '.join(sorted(broker.queues))}" if broker.queues else "it declares no queue"
    yield Finding("application", bool(broker.queues), f"{module.__name__}: {queues}")
    yield from _kafka(broker, role)
    if app is None:
        yield from (_found(name, call) for name, call in additions(DOCTOR_GROUP).items())
    yield from _own(module)


def _own(module: ModuleType) -> Iterator[Finding]:
    checks: Mapping[str, Callable[[], str]] = getattr(module, _OWN_CHECKS, {})
    for name, call in checks.items():
        yield _found(name, call)


def _kafka(broker: KafkaBroker, role: Role | None) -> Iterator[Finding]:
    cluster = broker.cluster
    yield from _missing_codecs()
    reached = [
        _found("reachable", partial(_reach, server, cluster.connect_timeout_s))
        for server in cluster.bootstrap_servers
    ]
    yield from reached
    if not any(finding.ok for finding in reached):
        yield Finding("login", None, "not looked at: no server can be reached")
        return
    login = _found("login", partial(_log_in, cluster))
    yield login
    if cluster.is_encrypted:
        yield _found("certificates", partial(_certificates, cluster))
    if not login.ok:
        yield Finding("topics", None, "not looked at: no login")
        return
    try:
        specs = broker.topic_specs()
        checked = check(cluster, specs)
    except WorkersError as exc:
        yield Finding("topics", False, _words(exc))
        return
    rights = needed_rights(role, broker.topics, specs)
    needed = {operation for right in rights for operation in right.operations}
    try:
        lacking = lacks(cluster, specs, deletes="Delete" in needed, writes="Write" in needed)
    except WorkersError as exc:
        lacking = [Lack(f"not tried: {_words(exc)}", is_made_up_for=False)]
    refused = [lack.setting for lack in lacking if lack.setting is not None]
    yield _found("topics", partial(_topics, cluster, [topic.without(refused) for topic in checked]))
    yield _found("rights", partial(check_rights, broker, checked, role))
    yield from (Finding("abilities", lack.is_made_up_for, lack.text) for lack in lacking)
    if not lacking:
        text = "deletes records, stamps them, compacts topics, gives producer ids"
        note = "" if role is None else f", as far as the role {role} can try"
        yield Finding("abilities", True, text + note)
    yield _found("actions", partial(_actions, broker))
    yield from _damage(broker)


def _missing_codecs() -> Iterator[Finding]:
    missing = missing_codecs()
    if missing:
        text = (
            f"{', '.join(missing)} cannot be read: a batch that is compressed so becomes a dead letter, "
            f"which can be replayed once this is mended: pip install '{REQUIREMENT}'"
        )
        yield Finding("codecs", False, text)


def _reach(server: str, timeout_s: float) -> str:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
    except OSError as exc:
        raise WorkersError(
            f"{server} cannot be reached: {exc.strerror or exc}; check that Kafka runs there, "
            "that no firewall is between, and KAFKA_BOOTSTRAP_SERVERS"
        ) from exc
    return f"{server} answers"


def _log_in(cluster: Cluster) -> str:
    cluster_rights(cluster)
    return f"Kafka at {cluster.address} takes {cluster.user}"


def _certificates(cluster: Cluster) -> str:
    left = list(days_left(cluster, time.time()))
    told = ", ".join(f"{name} {int(days)} days left" for name, days in left) or "none can be looked at"
    if any(days < _DAYS_NEEDED for _, days in left):
        raise WorkersError(f"{told}; have those renewed that end soon")
    return told


def _topics(cluster: Cluster, checked: list[Checked]) -> str:
    visible = [topic for topic in checked if not topic.hidden]
    missing = [topic for topic in visible if topic.found is None]
    problems = []
    if missing:
        rights = cluster_rights(cluster)
        may_create = (
            rights is None or "CREATE" in rights or not any(topic.lacking(["Create"]) for topic in missing)
        )
        how = (
            "run todo-workers topics, or start a worker"
            if may_create
            else f"{cluster.user} lacks Create on the cluster: have them created, with todo-workers topics"
        )
        problems.append(f"{few([topic.spec.name for topic in missing])} missing ({how})")
    problems += [
        f"{topic.spec.name}: {', '.join(topic.differences)} (kafka-configs or kafka-topics changes it)"
        for topic in visible
        if topic.differences
    ]
    if problems:
        raise WorkersError("; ".join(problems))
    if not visible:
        raise WorkersError(f"none can be seen by {cluster.user}")
    unknown = any(topic.found and topic.found.config is None for topic in visible)
    note = "; their settings cannot be seen without the right DescribeConfigs" if unknown else ""
    hints = [topic.hint for topic in visible if topic.hint]
    note += f"; what was made by an earlier version is kept smaller by {' and '.join(hints)}" if hints else ""
    return f"{len(visible)} as they should be{note}"


def _actions(broker: KafkaBroker) -> str:
    """The log of what operators do: whoever does nothing needs neither it nor rights on it."""
    (topic,) = check(broker.cluster, [actions_spec(broker.topics)])
    name, user = topic.spec.name, broker.cluster.user
    if topic.hidden:
        return f"{user} may not see {name}: only who pauses, replays or discards needs Read and Write there"
    if topic.found is None:
        return f"{name} is made by the first action of an operator"
    if topic.differences:
        raise WorkersError(
            f"{name}: {', '.join(topic.differences)} (kafka-configs or kafka-topics changes it)"
        )
    if lacking := topic.lacking(["Read", "Write", "Describe"]):
        return (
            f"{user} lacks {' and '.join(lacking)} on {name}: only who pauses, replays or discards needs it"
        )
    return f"{name} keeps all that operators do"


def _damage(broker: KafkaBroker) -> Iterator[Finding]:
    status = StatusReader(broker.cluster, broker.topics, broker.delay_tiers, broker.topics_of)
    with suppress(WorkersError), status as reader:  # other findings tell why it cannot be read
        for queue in reader.read(sorted(broker.queues)):
            yield from (Finding("logs", False, str(place)) for place in queue.unreadable)
            yield from (Finding("retention", False, str(record)) for record in queue.expiring)
        yield from (Finding("logs", False, str(place)) for place in reader.unreadable_delays())
    topics = broker.topics
    for topic in (topics.dead_letters, topics.control, topics.actions, topics.fleet, topics.stats):
        with suppress(WorkersError):  # as above
            yield from _damage_of(broker.cluster, topic)


def _damage_of(cluster: Cluster, topic: str) -> Iterator[Finding]:
    """Read a topic to its end, or until time is over."""
    deadline = time.monotonic() + _LOOK_S
    try:
        with TopicReader(cluster, topic) as reader:
            for _ in reader.read_to_end():
                if time.monotonic() > deadline:
                    return
    except LogUnreadable as exc:
        yield Finding("logs", False, str(exc))


def _found(name: str, call: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, call())
    except Exception as exc:
        if was_interrupted(exc):
            raise
        return Finding(name, False, _words(exc))


def _words(exc: Exception) -> str:
    text = " ".join(str(exc).split())
    if isinstance(exc, WorkersError):
        return text
    return f"{type(exc).__name__}: {text}"
