"""One measured process: `python -m bench.child ROLE PARAMETERS`, started by `bench.processes`.

It reports events as lines of JSON on what was its standard output; whatever libraries print goes to standard
error, its log. It ends when its standard input closes, so that none outlives the parent.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import threading
import traceback
from typing import Any

#: After its standard input has closed a role may take so long to end by itself.
_END_TIMEOUT_S = 30.0


class Channel:
    """What a role has to do with its parent: it tells events, and is told to stop."""

    def __init__(self) -> None:
        #: Set once the parent wants the role to end.
        self.stop = threading.Event()
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        threading.Thread(target=self._watch, daemon=True).start()

    def tell(self, event: str, **values: Any) -> None:
        """Report an event to the parent."""
        self._out.write(json.dumps({"event": event} | values) + "\n")
        self._out.flush()

    def _watch(self) -> None:
        # The bare descriptor: a buffered reader's lock would hang the interpreter's shutdown.
        while os.read(0, 1024):
            pass
        self.stop.set()
        threading.Event().wait(_END_TIMEOUT_S)
        os._exit(1)


def main(role: str, parameters: dict[str, Any]) -> int:
    """Run a role: the function ``run`` of the module of that name in `bench.roles`."""
    logging.basicConfig(level=logging.WARNING)
    channel = Channel()
    try:
        importlib.import_module(f"bench.roles.{role}").run(channel, **parameters)
    except Exception as exc:  # noqa: BLE001 - whatever a library raises is the parent's to show
        traceback.print_exc()
        channel.tell("failed", error=_innermost(exc))
        return 1
    return 0


def _innermost(exc: BaseException) -> str:
    """The cause that started it: what wraps it says less."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    lines = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {lines[0]}" if lines else type(exc).__name__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
