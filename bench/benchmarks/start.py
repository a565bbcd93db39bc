"""The processor time until a program is there: `import tasks`, a command's help, a worker's first mail."""

from __future__ import annotations

from ..isolation import isolated
from ..kit import Kit
from ..model import Benchmark, Contestant, Readings, at_most, reading


def _programs(kit: Kit) -> Readings:
    readings: Readings = isolated("bench.systems.start:programs", times=kit.amount(7, 2))
    return readings


def _worker(kit: Kit) -> Readings:
    readings: Readings = isolated("bench.systems.start:worker", address=kit.kafka, namespace=kit.namespace())
    return readings


BENCHMARK = Benchmark(
    name="start",
    title="Processor time to start; an empty Python program is taken off, but not of a worker",
    contestants=(Contestant("programs", _programs), Contestant("worker", _worker)),
    units={
        "import_tasks_ms": "ms",
        "import_workers_ms": "ms",
        "help_ms": "ms",
        "ready_ms": "ms",
        "first_mail_ms": "ms",
    },
    derived=(
        reading("import-tasks", "ms", "programs.import_tasks_ms", at_most(650)),
        reading("first-mail", "ms", "worker.first_mail_ms", at_most(1_100)),
    ),
)
