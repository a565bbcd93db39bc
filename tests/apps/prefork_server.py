"""A web server that enqueues, loads its application before it forks, and forks in the middle of sending."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from itertools import count

from tests.apps.numbers import broker, note

CHILDREN, JOBS_OF_A_CHILD = map(int, sys.argv[1:])


def serve(numbers: Iterator[int]) -> None:
    """Handle a request: a send that waits, and a batch."""
    note.send(next(numbers))
    with broker.batch():
        for _ in range(JOBS_OF_A_CHILD - 1):
            note.send(next(numbers))


def main() -> None:
    stopping, of_master = threading.Event(), count()

    def keep_sending() -> None:
        while not stopping.is_set():
            with broker.batch():  # at most moments, some are not sent yet
                for _ in range(20):
                    note.send(next(of_master))

    note.send(next(of_master))
    sender = threading.Thread(target=keep_sending)
    sender.start()
    children = []
    for child in range(1, CHILDREN + 1):
        note.send(next(of_master))
        pid = os.fork()
        if pid == 0:
            serve(count(child * 1_000_000))
            sys.exit()  # not os._exit: finalizers and exit handlers run
        children.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    stopping.set()
    sender.join()
    note.send(next(of_master))
    print(next(of_master), *statuses)  # noqa: T201


if __name__ == "__main__":
    main()
