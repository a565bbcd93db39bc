"""`todo-workers topics`: the topics that are needed, compared with those on the cluster."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.table import Table

from ...application import load_broker
from ...display.times import length_of_time
from ...kafka.abilities import refused_settings
from ...operations.topic_check import Checked, check
from ..terminal import console, visible


def show(app: str | None, *, only_check: bool, as_json: bool) -> int:
    """Show the topics, create the missing ones unless ``only_check``; returns the exit status."""
    broker = load_broker(app)
    created = [] if only_check else broker.prepare()
    specs = broker.topic_specs()
    checked = check(broker.cluster, specs)
    if any(topic.differences or topic.hint for topic in checked):
        refused = refused_settings(broker.cluster, specs)
        checked = [topic.without(refused) for topic in checked]
    if as_json:
        print(json.dumps([_as_json(topic, created) for topic in checked]))
    else:
        console().print(_topics_table(checked, created))
    return int(only_check and any(topic.found is None or topic.differences for topic in checked))


def _as_json(topic: Checked, created: Sequence[str]) -> dict[str, object]:
    found = topic.found
    return {
        "topic": topic.spec.name,
        "state": _state(topic, created),
        "partitions": found.partitions if found else None,
        "replication_factor": found.replication_factor if found else None,
        "config": dict(found.config) if found and found.config is not None else None,
        "differences": topic.differences,
        "hint": topic.hint or None,
    }


def _state(topic: Checked, created: Sequence[str]) -> str:
    if topic.found is None:
        return "missing"
    if topic.spec.name in created:
        return "created"
    return "differs" if topic.differences else "ok"


def _topics_table(checked: Sequence[Checked], created: Sequence[str]) -> Table:
    table = Table("topic", "partitions", "replication", "cleanup", "retention", "state", box=None)
    for topic in checked:
        found, state = topic.found, _state(topic, created)
        shown = "; ".join(topic.differences) if state == "differs" else state
        if state == "ok" and topic.hint:
            shown += f"; of an earlier version: {topic.hint}"
        config = (found.config if found else None) or {}
        if found and found.config is None:
            shown += " (its settings are hidden: no right DescribeConfigs)"
        table.add_row(
            topic.spec.name,
            str(found.partitions) if found else "",
            str(found.replication_factor) if found else "",
            visible(config.get("cleanup.policy", "")),
            visible(_retention(config.get("retention.ms", ""))),
            visible(shown),
        )
    return table


def _retention(milliseconds: str) -> str:
    if milliseconds == "-1":
        return "never expires"
    return length_of_time(int(milliseconds) / 1000) if milliseconds.isdecimal() else milliseconds
