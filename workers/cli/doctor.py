"""`todo-workers doctor`: prints the findings of the diagnosis."""

from __future__ import annotations

import json
from dataclasses import asdict

from ..operations.doctor import examine
from ..rights import Role
from .terminal import visible

_MARKS = {True: "ok", False: "WRONG", None: "-"}


def show(app: str | None, role: Role | None, *, as_json: bool) -> int:
    """Print a line for each finding as it comes; returns the exit status, 1 if something is wrong."""
    findings = []
    for finding in examine(app, role):
        findings.append(finding)
        if not as_json:
            print(visible(f"{_MARKS[finding.ok]:5}  {finding.check:11}  {finding.text}"), flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return int(any(finding.ok is False for finding in findings))
