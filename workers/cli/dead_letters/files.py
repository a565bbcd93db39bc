"""`todo-workers dead-letters export` and `import`; each function returns the exit status."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...broker.kafka_broker import KafkaBroker
from ...dead_letters.archive import from_line, to_line
from ...dead_letters.filter import Filter
from ...dead_letters.keys import id_of
from ...dead_letters.selection import Search
from ...display.progress import progress
from ...errors import WorkersError, WrongUsage
from ...kafka import awaited
from ...records.envelope import Record
from ...runtime.interrupts import INTERRUPTED, was_interrupted
from ..terminal import complain

#: The most records that are on their way to Kafka at a time.
_UNDER_WAY = 200


def export(broker: KafkaBroker, wanted: Filter, file: Path) -> int:
    """Write the dead letters that match into a file, a line each.

    The file has its name only when it is complete and on the disk; nobody else may read it. One that has the
    name already stays as it is.
    """
    search = Search(broker.producer, broker.topics.dead_letters, progress)
    count = 0
    with _file_errors(file):
        if file.exists():
            raise WrongUsage(_exists(file))
        opened, part = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.", suffix=".part")
        try:
            with os.fdopen(opened, "w") as out:
                for count, entry in enumerate(search.matching(wanted, "exporting"), 1):  # noqa: B007
                    out.write(to_line(entry) + "\n")
                out.flush()
                os.fsync(out.fileno())
            _name_it(Path(part), file)
        except BaseException as exc:
            if was_interrupted(exc):
                complain(f"interrupted; {file} was not written")
                return INTERRUPTED
            raise
        finally:
            Path(part).unlink(missing_ok=True)
    print(f"{count} dead letters written to {file}")
    return 0


def _name_it(part: Path, file: Path) -> None:
    """Give a complete file its name. Raises WrongUsage if another has got that meanwhile."""
    try:
        try:
            os.link(part, file)
        except OSError:  # the file system has no links, or the name is taken, which fails here as well
            file.touch(exist_ok=False)
            part.replace(file)
    except FileExistsError as exc:
        raise WrongUsage(_exists(file)) from exc


def _exists(file: Path) -> str:
    return f"{file} exists already; name another file"


def import_file(broker: KafkaBroker, file: Path) -> int:
    """Write the dead letters of a file into the topic; those that are there already stay one entry."""
    with _file_errors(file):
        if file.exists() and not file.is_file():  # a pipe has nothing for the second time
            raise WrongUsage(f"{file} is no regular file; it is read twice, so save it as one")
        try:  # all of it is read before the first is written
            total = sum(1 for _ in _records(file, "checking"))
        except WrongUsage as exc:
            raise WrongUsage(f"{exc}; nothing was imported") from exc
        broker.prepare()
        count = 0
        try:
            for count, _ in enumerate(_written(broker, _records(file, "importing")), 1):  # noqa: B007
                pass
        except (KeyboardInterrupt, RuntimeError, WorkersError) as exc:
            complain(f"{count} of {total} dead letters read from {file}")
            if not was_interrupted(exc):
                raise
            complain("interrupted; import it again, those that are there stay one entry")
            return INTERRUPTED
    print(f"{count} dead letters read from {file}")
    return 0


def _written(broker: KafkaBroker, records: Iterable[Record]) -> Iterator[None]:
    """Write the records, and yield each time that Kafka has another one."""
    topic = broker.topics.dead_letters
    under_way: deque[Any] = deque()
    for record in records:
        assert record.key is not None
        under_way.append(broker.producer.send(topic, record, beside=id_of(record.key)))
        if len(under_way) > _UNDER_WAY:
            awaited(under_way.popleft(), broker.cluster, f"write to topic {topic}")
            yield
    for sent in under_way:
        awaited(sent, broker.cluster, f"write to topic {topic}")
        yield


def _records(file: Path, doing: str) -> Iterator[Record]:
    size = file.stat().st_size
    read = 0
    with file.open("rb") as lines, progress(doing) as advance:
        for number, line in enumerate(lines, 1):
            read += len(line)
            advance(read, size)
            if not line.strip():
                continue
            try:
                yield from_line(line)
            except WrongUsage as exc:
                raise WrongUsage(f"{file}, line {number}: {exc}") from exc


@contextmanager
def _file_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise WorkersError(f"{file} cannot be read or written: {exc.strerror or exc}") from exc
