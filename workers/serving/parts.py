"""The figures of several processes of one machine, each in a file of its own, and how one of them reads all.

::

    process A ── each second ──► A.json, as long as it holds the lock of A.lock ──┐
    process B ── each second ──► B.json                                           ├──► read(): A + B + ended
    process C is dead: C.lock is free ──► its counts are added to ended.json ─────┘

So counters of a process that is gone do not fall back, and what it said of the present, as how many jobs run,
is left out. A worker that starts where no process is alive begins anew.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..measures.families import Family, from_json, merged, to_json
from ..runtime.file_locks import is_locked

logger = logging.getLogger(__name__)

_ENDED = "ended.json"
#: Guards the folder: `read` and `enter` change what is in it.
_GUARD = "guard"
#: The other files here. One with another name is not ours, and stays.
_OURS = re.compile(r"ended\.json|[0-9a-f]{32}\.(lock|json|\w+\.new)")


@dataclass(frozen=True, slots=True)
class Part:
    """What one living process said of itself ``age_s`` seconds ago."""

    pid: int
    age_s: float
    ready: bool
    families: Sequence[Family]
    #: Whether it has the port.
    serves: bool = False


class Parts:
    """The files of the processes that share a folder. For one thread of each process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = uuid4().hex
        self._lock: int | None = None

    def enter(self) -> None:
        """Take part; does nothing for who does already.

        Raises OSError if the folder cannot be written, or is not this user's own.
        """
        if self._lock is not None:
            return
        with suppress(FileExistsError):
            self._folder.mkdir(mode=0o700, parents=True)
        _require_own(self._folder)
        with self._guarded():
            if not any(is_locked(path) for path in self._files("*.lock")):
                for path in self._files("*"):
                    path.unlink(missing_ok=True)
            self._lock = os.open(
                self._folder / f"{self._name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def write(self, families: Sequence[Family], *, ready: bool, serves: bool = False) -> None:
        """Replace this process's part. Raises OSError."""
        part = {
            "pid": os.getpid(),
            "at": time.time(),
            "ready": ready,
            "serves": serves,
            "families": to_json(families),
        }
        self._replace(f"{self._name}.json", part)

    def leave(self) -> None:
        """End as a process that dies: what was written last is counted on."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self) -> tuple[list[Part], list[Family]]:
        """The parts of the living processes, and the counts of those that have ended. Raises OSError."""
        with self._guarded():
            ended = self._settle()
            locks = sorted(self._files("*.lock"))  # those that are left are held
            parts = [_part(path.with_suffix(".json")) for path in locks]
            return [part for part in parts if part is not None], ended

    def _settle(self) -> list[Family]:
        """Add the counts of processes that are dead to those that have ended, and remove their files.

        The names of those that are in are written with the sum: a death in between counts nobody twice.
        """
        saved = _load(self._folder / _ENDED) or {"names": [], "families": []}
        ended, names = from_json(saved["families"]), set(saved["names"])
        dead = [path for path in self._files("*.lock") if not is_locked(path)]
        fresh = [path for path in dead if path.stem not in names]
        if fresh:
            parts = [_part(path.with_suffix(".json")) for path in fresh]
            counts = [_counts(part.families) for part in parts if part is not None]
            ended = merged([ended, *counts])
            present = {path.stem for path in dead}
            self._replace(_ENDED, {"names": sorted(present), "families": to_json(ended)})
        for path in dead:
            for left in self._files(f"{path.stem}.*"):
                if left != path:
                    left.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        return ended

    def _files(self, pattern: str) -> list[Path]:
        return [path for path in self._folder.glob(pattern) if _OURS.fullmatch(path.name)]

    def _replace(self, name: str, content: Any) -> None:
        file, temporary = tempfile.mkstemp(dir=self._folder, prefix=f"{self._name}.", suffix=".new")
        try:
            with os.fdopen(file, "w") as opened:
                json.dump(content, opened)
            Path(temporary).replace(self._folder / name)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        guard = os.open(self._folder / _GUARD, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield
        finally:
            os.close(guard)


def folder_for(name: str) -> Path:
    """The folder for processes that share ``name``, of this user on this machine."""
    # Right in the temporary directory, where nobody can remove or rename a folder of somebody else. One level
    # down, whoever made the folder between could put another one in place of this after it was checked.
    return Path(tempfile.gettempdir()) / f"todo-workers-measures-{os.getuid()}-{name}"


def _require_own(folder: Path) -> None:
    """Raise PermissionError unless only this user can have put something there.

    Everybody knows the path, and another user may have made it first: such as a link to a folder of ours,
    whose files would be taken for those of processes that are dead.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        problem = "is no folder"
    elif found.st_uid != os.getuid():
        problem = "belongs to another user"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem = "may be written by other users"
    else:
        return
    raise PermissionError(f"{folder} {problem}: remove it, or set TMPDIR to a folder that is yours alone")


def _counts(families: Sequence[Family]) -> list[Family]:
    return [family for family in families if family.kind != "gauge"]


def _part(path: Path) -> Part | None:
    """A process's part; None if there is none, or another version wrote it."""
    found = _load(path)
    if found is None:
        return None
    try:
        age_s = max(0.0, time.time() - found["at"])
        return Part(found["pid"], age_s, found["ready"], from_json(found["families"]), found["serves"])
    except (KeyError, TypeError, ValueError) as exc:
        logger.warning("measures of another version left out path=%s: %s", path, exc)
        return None


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as exc:  # a disk that was full; the rest is worth more than this part
        logger.warning("measures cannot be read path=%s: %s", path, exc)
        return None
