"""`todo-workers mover`: a process that only moves delayed jobs."""

from __future__ import annotations

from ..application import load_broker
from ..delays.mover_thread import MoverThread
from ..runtime import logs
from ..runtime.stop_signals import StopSignals


def run_mover(app: str | None) -> None:
    """Move delayed jobs until SIGINT or SIGTERM."""
    broker = load_broker(app)
    logs.set_up()
    broker.prepare()  # reports at once if Kafka is away or topics are missing
    stop_signals = StopSignals()
    stop_signals.listen()
    thread = MoverThread(broker.make_mover, broker.memberships)
    thread.start()
    print(f"moving the delayed jobs of {broker.topics.namespace} at {broker.cluster.address}", flush=True)
    stop_signals.wait()
    thread.stop()
    thread.join()
    broker.close()
