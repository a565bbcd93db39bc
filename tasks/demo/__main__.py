"""The demo itself; `todo-workers demo` starts it with its settings in the environment."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from workers.errors import WorkersError

from .programs import DemoFailed
from .run import run


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    folder, *options = sys.argv[1:]
    try:
        if "--web" in options:
            from .web import run_with_web  # noqa: PLC0415 - needs the extra web

            return run_with_web(Path(folder), as_json="--json" in options)
        return run(Path(folder), as_json="--json" in options, keep="--keep" in options)
    except KeyboardInterrupt:
        return 130
    except WorkersError as exc:
        print(f"todo-workers: {exc}", file=sys.stderr)  # noqa: T201
        if isinstance(exc, DemoFailed):
            print(exc.log_tail(), file=sys.stderr)  # noqa: T201
        return 1


sys.exit(main())
