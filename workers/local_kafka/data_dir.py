"""The directory that a local Kafka runs in: its topics, its users, its log."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from ..errors import LocalKafkaError

#: With less free space than this in the data directory, Kafka hangs or fails with a misleading error.
_NEEDED_BYTES = 64 * 2**20


class DataDir:
    """The directory of one running Kafka, kept or temporary. Its lock keeps other processes out."""

    def __init__(self, kept: Path | None) -> None:
        self._kept = kept
        self._path: Path | None = None
        self._lock: IO[str] | None = None

    @property
    def path(self) -> Path:
        assert self._path is not None, "not started"
        return self._path

    @property
    def log_file(self) -> Path:
        return self.path / "kafka.log"

    @property
    def is_temporary(self) -> bool:
        return self._kept is None

    @property
    def lock_fd(self) -> int:
        """The file descriptor of the lock: the directory is taken as long as any process holds it open."""
        assert self._lock is not None, "not started"
        return self._lock.fileno()

    def open(self) -> None:
        """Make and lock it. Raises LocalKafkaError if another Kafka uses it; OSError if that fails."""
        if self._kept is None:
            self._path = Path(tempfile.mkdtemp(prefix="local-kafka-"))
        else:
            self._path = self._kept.absolute()
            self._path.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._path).free < _NEEDED_BYTES:
            room = f"{os.strerror(errno.ENOSPC)}, less than {_NEEDED_BYTES >> 20} MiB are free"
            raise OSError(errno.ENOSPC, room)
        self._lock = (self._path / "in-use").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise LocalKafkaError(
                f"The data directory {self._path} is used by another running Kafka; stop that one, or choose "
                "another directory"
            ) from exc

    def close(self) -> None:
        """Unlock it, and remove a temporary one. Does nothing if it is not open."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._path is not None and self._kept is None:
            shutil.rmtree(self._path, ignore_errors=True)

    def log_size(self) -> int:
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def log_since(self, start: int) -> str:
        """The text of the log from byte ``start`` on."""
        with self.log_file.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    def kept_log(self) -> Path:
        """The log file, copied out of a directory that is about to be removed."""
        if self._kept is not None or not self.log_file.exists():
            return self.log_file
        handle, name = tempfile.mkstemp(prefix="local-kafka-", suffix=".log")
        os.close(handle)
        shutil.copyfile(self.log_file, name)
        return Path(name)

    def error(self, exc: OSError) -> LocalKafkaError:
        """The error for a directory that cannot be written."""
        return LocalKafkaError(
            f"The data directory {self._kept or tempfile.gettempdir()} cannot be written: "
            f"{exc.strerror or exc}; make room or choose another directory"
        )
