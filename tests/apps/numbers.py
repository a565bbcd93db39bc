"""Workers for the tests that kill them: each job appends its number to a file.

Run by dramatiq's own command, in a process of its own; the environment says where Kafka and the file are.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path

import dramatiq

from workers import Cluster, KafkaBroker

broker = KafkaBroker(
    Cluster(tuple(os.environ["NUMBERS_BOOTSTRAP_SERVERS"].split(","))),
    namespace=os.environ["NUMBERS_NAMESPACE"],
    partitions=4,
    commit_interval_ms=100,
    session_timeout_ms=int(os.environ.get("NUMBERS_SESSION_TIMEOUT_MS", "45000")),
)
dramatiq.set_broker(broker)
if http := os.environ.get("NUMBERS_HTTP"):
    from workers.serving import ServesHttp

    broker.add_middleware(ServesHttp("127.0.0.1", int(http), dramatiq_names=True))

#: Appends shorter than a page are atomic, so processes do not mix their lines.
_out = os.open(os.environ["NUMBERS_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@dramatiq.actor(max_retries=0)
def note(number: int, pause_ms: int = 0) -> None:
    """Append ``number`` and this process's and thread's ids, after a pause that stands for work."""
    if pause_ms:
        time.sleep(pause_ms / 1000)
    os.write(_out, f"{number} {os.getpid()} {threading.get_ident()}\n".encode())


@dramatiq.actor(max_retries=0)
def stall(number: int, seconds: float) -> None:
    """Hold Python's lock, as a bad regular expression or a C extension does: no other thread runs."""
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
    os.write(_out, f"{number} {os.getpid()} {threading.get_ident()}\n".encode())


@dramatiq.actor(max_retries=0)
def exit_at_once(number: int) -> None:
    """End the process, as a crash of native code does; a file next to the numbers' counts that."""
    with Path(os.environ["NUMBERS_FILE"] + ".deaths").open("a") as deaths:
        deaths.write(f"{number}\n")
    os._exit(number % 256 or 1)
