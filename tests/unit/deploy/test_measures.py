"""The dashboard for Grafana and the alert rules: whether they are sound, and name only what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.repository import REPOSITORY
from tests.helpers.shipped_metrics import shipped_names
from web.measures import bridge_families
from workers.measures import metrics
from workers.operations.queue_status import DelayedStatus
from workers.serving.queue_gauges import gauges

ALERTS = REPOSITORY / "tests" / "unit" / "deploy" / "alerts.yaml"
RULES = REPOSITORY / "deploy" / "prometheus" / "rules.yaml"
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "todo-workers.json"


def rules() -> list[Mapping[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> Iterator[Mapping[str, Any]]:
    return (panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row")


@pytest.mark.parametrize(("task", "file"), [("check", RULES), ("test", ALERTS)])
def test_the_rules_are_sound_and_fire_when_they_should_by_promtool(task: str, file: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    checked = subprocess.run([promtool, task, "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_says_what_to_do() -> None:
    for rule in rules():
        assert rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "do"}


def test_each_panel_has_a_place_of_its_own_and_asks_for_something() -> None:
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in panels()]
    assert len(set(places)) == len(places) > 15
    assert all(target["expr"] for panel in panels() for target in panel["targets"])
    ids = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(set(ids)) == len(ids)


def test_labels_name_no_job_and_no_person() -> None:
    status = dict.fromkeys(
        (
            "clients",
            "following",
            "ring_bytes",
            "events",
            "skipped",
            "sent",
            "resumed",
            "scanned",
            "resynced",
            "too_slow",
        ),
        0,
    )
    families = [*metrics.families(), *bridge_families(status), *gauges([], DelayedStatus(0, 0), {}, ())]
    ours = [family for family in families if not family.name.startswith("test_")]
    assert {label for family in ours for label in family.labels} <= {"queue", "actor", "outcome", "reason"}
    for family in ours:
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert re.fullmatch(r"[a-z_]+", family.name)


def test_what_is_shipped_names_metrics_of_all_parts() -> None:
    starts = {name.partition("_")[0] for name in shipped_names()}
    assert starts == {"workers", "mail", "reminders", "audit", "bridge"}
