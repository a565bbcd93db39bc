"""Stand for serving processes that hang; each is a new process, which imports only this module."""

from __future__ import annotations

import os
import threading
from multiprocessing.connection import Connection


def hang(_kind: str, _secrets: object, _pipe: Connection) -> None:
    """Hang from the start."""
    threading.Event().wait()


def report_and_hang(_kind: str, _secrets: object, pipe: Connection) -> None:
    """Hang after the first report."""
    pipe.send({"pid": os.getpid()})
    threading.Event().wait()
