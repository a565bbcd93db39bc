"""The processor time that programs need to start: an import, a command, and a worker up to its first mail."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module

from ..errors import NotMeasured
from .dramatiq_common import THREADS
from .pipeline.run import services
from .worker_processes import worker_processes

_MAIL_S = 60.0
_LOOK_EVERY_S = 0.02


def programs(times: int) -> dict[str, float]:
    """Measure imports and a command in processes of their own, in turns; an empty program is taken off."""
    python = [sys.executable, "-c"]
    commands = {
        "nothing": [*python, "pass"],
        "import_tasks": [*python, "import tasks"],
        "import_workers": [*python, "import workers"],
        "help": [sys.executable, "-m", "workers", "--help"],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            found[name].append(_cpu_s(command))
    medians = {name: statistics.median(values) for name, values in found.items()}
    nothing_s = medians.pop("nothing")
    return {f"{name}_ms": 1000 * (value - nothing_s) for name, value in medians.items()}


def worker(address: str, namespace: str) -> dict[str, float]:
    """Measure a worker process of the chatbot: until it is ready, and until the first event is handled."""
    with services(address, namespace, "sqlite") as (folder, _):
        load = import_module("bench.systems.pipeline.load")
        load.prepare()
        mails = load.Mails(folder / "mails")
        with worker_processes("tasks", processes=1, threads=THREADS) as workers:
            ready_s = workers.cpu_s()
            load.fill(1)
            deadline = time.monotonic() + _MAIL_S
            while not mails.count:
                if time.monotonic() > deadline:
                    raise NotMeasured(f"no mail within {_MAIL_S:.0f} s")
                time.sleep(_LOOK_EVERY_S)
            return {"ready_ms": 1000 * ready_s, "first_mail_ms": 1000 * workers.cpu_s()}


def _cpu_s(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
