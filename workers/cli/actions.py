"""`todo-workers actions`: who did what, and whether somebody changed the log that says so."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table

from ..application import load_broker
from ..display.times import timestamp
from ..errors import WrongUsage
from ..operations.action_log import Action, Chain
from ..operations.logged import log_of
from .terminal import complain, console, visible
from .who import is_by

FAILED = 1


def show(app: str | None, *, who: str | None, limit: int, as_json: bool) -> int:
    """Print the last actions, the newest first; returns the exit status."""
    chain = _read(app, keep=None if who else limit)
    found = [one for one in reversed(chain.last) if who is None or is_by(one.who, who)][:limit]
    if as_json:
        for one in found:
            print(json.dumps(_values(one)))
    elif found:
        table = Table("when", "who", "did", "about", box=None)
        for one in found:
            shown = {name: value for name, value in one.about.items() if name != "bounds"}
            about = ", ".join(f"{name} {value}" for name, value in shown.items() if value or value == 0)
            table.add_row(timestamp(one.at_ms), visible(one.who), visible(one.did), visible(about))
        console().print(table)
    else:
        print("no actions" if who is None else f"no actions of {visible(who)}")
    return _flawed(chain)


def verify(app: str | None, *, expect: str | None, as_json: bool) -> int:
    """Check that each record fits those before it, and an earlier head; returns the exit status."""
    expected = None if expect is None else _head(expect)
    chain = _read(app, keep=1)
    flaw = chain.flaw
    if flaw is None and expected is not None and chain.head_of(expected[0]) != expected[1]:
        flaw = f"the first {expected[0]:,} records have another head: some were changed or removed since"
    if as_json:
        print(json.dumps({"ok": flaw is None, "records": chain.count, "head": chain.head, "flaw": flaw}))
    elif flaw is None:
        print(f"{chain.count:,} records, each fits those before it; head {chain.count}:{chain.head}")
    else:
        complain(f"the log of actions was changed: {flaw}")
    return 0 if flaw is None else FAILED


def _read(app: str | None, *, keep: int | None) -> Chain:
    broker = load_broker(app)
    with log_of(broker, keep=keep) as log:
        return log.chain


def _flawed(chain: Chain) -> int:
    if chain.flaw is None:
        return 0
    complain(f"the log of actions was changed: {chain.flaw}")
    return FAILED


def _head(text: str) -> tuple[int, str]:
    count, _, head = text.partition(":")
    if not (count.isascii() and count.isdecimal() and len(count) < 16 and len(head) == 64):
        raise WrongUsage(f"--expect {text[:80]!r} should be a head that was printed earlier: COUNT:HASH")
    return int(count), head.lower()


def _values(action: Action) -> dict[str, Any]:
    return {
        "number": action.number,
        "time": timestamp(action.at_ms),
        "who": action.who,
        "did": action.did,
        "about": action.about,
    }
