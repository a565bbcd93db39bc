"""The work of `todo-workers outbox`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from workers.application import load_broker
from workers.cli.progress_line import ProgressLine, Rate, Status
from workers.cli.terminal import console, visible
from workers.display.times import length_of_time, timestamp
from workers.outbox.errors import OutboxUnavailable
from workers.outbox.outbox import Outbox
from workers.outbox.relay import Relay
from workers.outbox.statements import COUNT_LIMIT
from workers.runtime.stop_signals import StopSignals

from ..app import broker
from ..outbox import outbox, outbox_relay

_SHOW_EVERY_S = 1.0


def run(app: str | None, *, as_json: bool) -> None:
    """Relay until SIGINT or SIGTERM, and print each second what is done."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # our errors say what matters of it
    target = load_broker(app) if app else broker
    stop_signals = StopSignals()
    stop_signals.listen()
    relay, rows = outbox_relay(target), outbox()
    line = ProgressLine(_words, as_json=as_json)
    line.say(f"relaying the outbox in {rows.name} to {target.topics.namespace} at {target.cluster.address}")
    relay.start()
    while not stop_signals.wait(_SHOW_EVERY_S):
        line.show(_status(relay, rows))
    relay.stop()
    target.close()


def _status(relay: Relay, rows: Outbox) -> Status:
    try:
        found = rows.status()
        waiting: Status = {
            "waiting": found.waiting,
            "oldest_s": found.oldest_s,
            "waiting_aside": found.set_aside,
        }
    except OutboxUnavailable:  # the relay's log says why
        waiting = {"waiting": None, "oldest_s": None, "waiting_aside": None}
    return {**asdict(relay.counts), **waiting}


def _words(status: Status, rate: Rate) -> str:
    waiting, oldest_s = status["waiting"], status["oldest_s"]
    count = "unknown, the database does not answer" if waiting is None else f"{waiting:,}"
    if waiting == COUNT_LIMIT:
        count += " or more"
    if isinstance(oldest_s, float):
        count += f", the oldest for {length_of_time(oldest_s)}"
    role = "" if status["leads"] else "stands by; "
    return (
        f"{role}published {status['published']:,} ({rate('published'):,}/s), "
        f"tried again {status['failed']:,}, set aside {status['set_aside']:,}, waiting {count}"
    )


def show_list(*, aside: bool, limit: int, as_json: bool) -> None:
    """Print rows, the oldest first."""
    rows = outbox().rows(aside=aside, limit=limit)
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    if not rows:
        print("nothing was set aside" if aside else "nothing waits")
        return
    table = Table("#", "added", "topic", "key", "what", "bytes", box=None)
    for row in rows:
        about = f"{row['about']} {row['name']}"
        cells = [row["id"], timestamp(row["added_ms"]), row["topic"], row["key"], about, row["size"]]
        table.add_row(*(Text(visible(str(cell))) for cell in cells))
        if row["error"]:
            table.add_row("", "", Text(visible(row["error"])))
    console().print(table)
    if len(rows) == limit:
        print(f"the first {limit}; --limit shows more")


def retry(ids: Sequence[int] | None) -> None:
    """Let rows that were set aside wait again."""
    print(f"{outbox().retry(ids)} will be tried again")


def drop(ids: Sequence[int] | None) -> None:
    """Delete rows that were set aside."""
    print(f"{outbox().drop(ids)} dropped")
