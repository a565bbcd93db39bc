"""`todo-workers mover`: a process that only moves delayed jobs."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from ..application import load_broker
from ..delays.mover_thread import MoverThread
from ..runtime import logs


def run_mover(app: str | None) -> None:
    """Move delayed jobs until SIGINT or SIGTERM."""
    broker = load_broker(app)
    logs.set_up()
    broker.prepare()  # reports at once if Kafka is away or topics are missing
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    thread = MoverThread(broker.make_mover, broker.memberships)
    thread.start()
    print(f"moving the delayed jobs of {broker.topics.namespace} at {broker.cluster.address}", flush=True)
    stopping.wait()
    thread.stop()
    thread.join()
    broker.close()
