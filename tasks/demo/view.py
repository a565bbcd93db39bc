"""Shows a line for each action and each effect as they happen, then the summary."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .expectations import Expectation, Timing
from .progress import Effect, Progress
from .scenario import Kind, Operate, Publish, Remind, Replay, Step

_STYLES = {Kind.ROW: "green", Kind.MAIL: "cyan", Kind.LETTER: "yellow", Kind.DEFERRAL: "yellow"}


class View:
    """Writes for people: to stdout, or to stderr if stdout is for the JSON summary."""

    def __init__(self, *, json_only: bool) -> None:
        self._console = Console(stderr=json_only, highlight=False)

    def say(self, text: str) -> None:
        self._console.print(f"[dim]{escape(text)}[/dim]")

    def begin(self, step: Step) -> None:
        self._console.print(f"\n[bold]{escape(step.title)}[/bold]")

    def published(self, step: Step, took_ms: float) -> None:
        if isinstance(step.action, Replay | Operate):
            self._line("command", "from start to end", took_ms, "bold")
        else:
            what = step.action.event.type if isinstance(step.action, Publish) else "raw bytes"
            self._line("publish", what, took_ms, "bold")

    def typed(self, command: str) -> None:
        """Show a command that an operator types."""
        self._console.print(f"  $ [bold]{escape(command)}[/bold]", soft_wrap=True)

    def answered(self, text: str) -> None:
        """Show the answer of a command."""
        for line in text.splitlines():
            self._console.print(f"    {escape(line)}", soft_wrap=True)

    def effect(self, effect: Effect, progress: Progress) -> None:
        step = next((step for step in progress.steps if effect in progress.effects(step)), None)
        elapsed = progress.elapsed_ms(step, effect) if step and progress.is_begun(step) else 0.0
        if step and isinstance(step.action, Remind):
            text = f"to {effect.detail}: {effect.says}, so long after its due time"
        elif effect.kind is Kind.ROW:
            text = f"{effect.detail} {effect.says}"
        elif effect.kind in {Kind.MAIL, Kind.DEFERRAL}:
            text = f"to {effect.detail}: {effect.says}"
        else:
            text = f"{effect.says}: {effect.detail}"
        self._line(effect.kind, text, elapsed, _STYLES[effect.kind])

    def summary(self, expectations: Sequence[Expectation], measured: Mapping[str, Timing]) -> None:
        table = Table(title="\nExpected and seen", title_justify="left", expand=False)
        table.add_column("")
        table.add_column("what", overflow="fold")
        table.add_column("expected", overflow="fold")
        table.add_column("seen", overflow="fold")
        for e in expectations:
            mark = "[green]ok[/green]" if e.ok else "[bold red]NO[/bold red]"
            seen = "as expected" if e.seen == e.expected else escape(e.seen)
            table.add_row(mark, escape(e.name), escape(e.expected), seen)
        self._console.print(table)
        labels = {"publish_ms": "publish", "effect_ms": "publish to effect", "late_ms": "reminder late by"}
        for name, label in labels.items():
            timing = measured[name]
            seen = f"median {timing.median:g} ms, worst {timing.worst:g} ms"
            self._console.print(f"{label}: {seen} (goal: under {timing.goal:g} ms)")
        wrong = sum(not expectation.ok for expectation in expectations)
        verdict = (
            "[green]All as expected.[/green]"
            if not wrong
            else f"[bold red]{wrong} not as expected.[/bold red]"
        )
        self._console.print(verdict)

    def kept(self, addresses: Mapping[str, str]) -> None:
        self._console.print("\nEverything is left running; Ctrl-C ends it.")
        for name, value in addresses.items():
            self._console.print(f"  {escape(name)}={escape(value)}", soft_wrap=True)

    def serving(self, addresses: Mapping[str, str]) -> None:
        """Show what is served where."""
        self._console.print("\nAll is served; Ctrl-C ends it.")
        for name, address in addresses.items():
            self._console.print(f"  {name:<11}  [bold]{escape(address)}[/bold]", soft_wrap=True)

    def json_line(self, line: str) -> None:
        """Write the summary for programs, always to stdout."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def _line(self, what: str, text: str, elapsed_ms: float, style: str) -> None:
        line = f"  [{style}]{what:<11}[/{style}] {elapsed_ms:>6.0f} ms  {escape(text)}"
        self._console.print(line, soft_wrap=True)
