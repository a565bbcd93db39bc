"""`todo-workers mover`: a process that only moves delayed jobs."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from ..application import load_broker
from ..delays.mover_thread import MoverThread
from ..middleware.leaves_for_the_dead import DeathWatch


def run_mover(app: str | None) -> None:
    """Move delayed jobs until SIGINT or SIGTERM."""
    broker = load_broker(app)
    broker.prepare()  # reports at once if Kafka is away or topics are missing
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # A mover that died holds its partitions until its session has run out, unless somebody leaves for it.
    threads = (MoverThread(broker.make_mover), DeathWatch(broker))
    for thread in threads:
        thread.start()
    print(f"moving the delayed jobs of {broker.topics.namespace} at {broker.cluster.address}", flush=True)
    stopping.wait()
    for thread in threads:
        thread.stop()
    for thread in threads:
        thread.join()
    broker.close()
