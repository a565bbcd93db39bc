"""The metrics that the shipped dashboard and alert rules name."""

from __future__ import annotations

import json
import re

import yaml

from tests.helpers.repository import REPOSITORY

_DEPLOY = REPOSITORY / "deploy"
_NAME = re.compile(r"\b(?:workers|mail|reminders|audit|bridge)_[a-z_]+")


def shipped_names() -> set[str]:
    """Each metric, by the name of its family as a scrape has it."""
    groups = yaml.safe_load((_DEPLOY / "prometheus" / "rules.yaml").read_text())["groups"]
    panels = json.loads((_DEPLOY / "grafana" / "todo-workers.json").read_text())["panels"]
    texts = [rule["expr"] for group in groups for rule in group["rules"]]
    texts += [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return {name.removesuffix("_bucket") for text in texts for name in _NAME.findall(text)}
