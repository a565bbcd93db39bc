"""Samples the processes, the database and the topics of a soak."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from sqlalchemy import Engine, text

from workers import Cluster
from workers.kafka import OffsetSpec, TopicPartition, connect_admin

from .flatness import Point
from .services import Service

#: Tables that must not grow; the audit trail has a row for each event, and ``reminded_todos`` one for each
#: todo that had reminders and was completed.
TABLES = ("deliveries", "reminder_firings", "reminders", "outbox", "shared_work")
#: Topics that Kafka compacts: their offsets do not count their records.
COMPACTED = ("dead-letters", "control", "fleet", "stats")


class Samples:
    """The series of a run, by name; a name is ``group: what of whom``."""

    def __init__(self, began: float) -> None:
        self._began = began
        self.series: dict[str, list[Point]] = defaultdict(list)
        #: Processor seconds of each process, as last seen.
        self.cpu_s: dict[tuple[str, int], float] = {}
        self.misses = 0

    def take_processes(self, services: Mapping[str, Service]) -> None:
        """Sample memory, open files, connections and threads; of services with several processes, the sum."""
        for name, service in services.items():
            processes = service.processes()
            found: dict[str, float] = defaultdict(float)
            for process in processes:
                with contextlib.suppress(psutil.Error), process.oneshot():
                    # Without what is shared: else each of PostgreSQL's processes counts its buffers anew.
                    found["memory, MB"] += process.memory_full_info().uss / 1e6
                    found["open files"] += process.num_fds()
                    found["connections"] += len(process.net_connections("tcp"))
                    found["threads"] += process.num_threads()
                    self.cpu_s[name, process.pid] = sum(process.cpu_times()[:2])
            if processes:
                self._add({f"{what}: {name}": value for what, value in found.items()}, processes[0].pid)

    def take_tables(self, engine: Engine) -> None:
        """Sample how many rows each table has, and how large it is."""
        found: dict[str, float] = {}
        with engine.connect() as connection:
            for table in TABLES:
                count = text(f"SELECT count(*), pg_total_relation_size('{table}') FROM {table}")  # noqa: S608
                rows, size = connection.execute(count).one()
                found |= {f"rows: {table}": rows, f"table, MB: {table}": size / 1e6}
        self._add(found, 0)

    def take_topics(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        """Sample how many records each topic has, and how large its files are."""
        files = list(folder.glob(f"log/{namespace}.*-*"))
        found: dict[str, float] = defaultdict(float)
        partitions = []
        for directory in files:
            topic, _, partition = directory.name.rpartition("-")
            name = topic.removeprefix(f"{namespace}.")
            with contextlib.suppress(OSError):
                found[f"topic, MB: {name}"] += (
                    sum(one.stat().st_blocks for one in directory.iterdir()) / 2_000
                )
            if name not in COMPACTED:
                partitions.append(TopicPartition(topic, int(partition)))
        with connect_admin(cluster) as admin:
            first, last = (
                admin.list_partition_offsets(dict.fromkeys(partitions, spec))
                for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
            )
        for partition in partitions:
            name = partition.topic.removeprefix(f"{namespace}.")
            found[f"records: {name}"] += last[partition].offset - first[partition].offset
        self._add(found, 0)

    def _add(self, found: Mapping[str, float], process: int) -> None:
        at_s = time.monotonic() - self._began
        for name, value in found.items():
            self.series[name].append(Point(at_s, process, float(value)))

    def groups(self) -> Mapping[str, Sequence[str]]:
        """The names of the series, by their groups."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.series:
            found[name.partition(":")[0]].append(name)
        return found
