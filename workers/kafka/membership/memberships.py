"""Removes a dead process from its groups, by other processes on the same machine.

Kafka cannot tell a process that died from one that stalls: it keeps the partitions of both until their
session has run out. That must be long, or a job that holds Python's lock for a while is run twice. But on one
machine the difference can be known: a process writes its memberships into a file on which it holds a lock,
and the operating system releases the lock when the process ends, however it ends. ::

    process A   locks its file: "client A-0 in group todo.workers.default" ── works ── is killed
    process B   looks every second: A's file is not locked ──► removes the member with client id A-0
    Kafka       gives A's partitions to others at once

If no process is left on the machine to look, the session has to run out.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import logging
import os
import tempfile
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from kafka.admin import KafkaAdminClient, MemberToRemove

from ...errors import WorkersError
from ...runtime.file_locks import is_locked, open_to_lock, try_lock
from ..administration import described_groups
from ..clients import connect_admin
from ..cluster import Cluster
from ..error_translation import kafka_errors

logger = logging.getLogger(__name__)

#: Ends the name of the file of a process that is dead.
_DEAD = ".dead"


class Memberships:
    """The groups that this process is a member of, in its file. Safe for any thread and over a fork.

    A folder that cannot be written is logged once, and then Kafka alone finds out who is dead.
    """

    def __init__(self, cluster: Cluster, namespace: str, folder: Path | None = None) -> None:
        """All processes of a cluster and a namespace share ``folder``; by default one of the user's own."""
        self._cluster = cluster
        self._folder = folder or _default_folder(cluster, namespace)
        self._lock = threading.Lock()
        self._owner = uuid4().hex[:12]
        #: Groups by client id.
        self._members: dict[str, str] = {}
        self._numbers = itertools.count()
        self._file: int | None = None
        self._warned = False
        _instances.add(self)

    @property
    def owner(self) -> str:
        """The name under which others can ask whether this process is alive."""
        return self._owner

    def note(self, group: str) -> str:
        """Say that a consumer of this process joins a group; returns the client id that it must have.

        Call it before the consumer connects, so that the group can be left for it however early it dies.
        """
        with self._lock:
            client_id = f"todo-workers-{self._owner}-{next(self._numbers)}"
            self._members[client_id] = group
            self._write()
        return client_id

    def forget(self, client_id: str) -> None:
        """Say that the consumer with this client id has left its group."""
        with self._lock:
            if self._members.pop(client_id, None) is not None:
                self._write()

    def leave_now(self, client_id: str) -> bool:
        """Leave a group for a consumer of this process that cannot; False, and logged, if that fails.

        False also for one that was forgotten; that asks nobody.
        """
        group = self._members.get(client_id)
        if group is None:
            return False
        try:
            _, error = self._remove({client_id: group})
        except WorkersError as exc:
            error = exc
        if error is not None:
            logger.warning("group not left, its session has to run out group=%s: %s", group, error)
        return error is None

    def is_alive(self, owner: str) -> bool:
        """Whether the process of this name is known to be alive: this one, or another on this machine."""
        return owner == self._owner or (bool(owner) and is_locked(self._folder / owner))

    def is_dead(self, owner: str) -> bool:
        """Whether the process of this name was on this machine and is known to have died a moment ago."""
        path = self._folder / owner
        return bool(owner) and (
            (self._folder / f"{owner}{_DEAD}").exists() or (path.exists() and not is_locked(path))
        )

    def leave_for_the_dead(self) -> int:
        """Leave the groups of processes of this machine that are dead; returns the number of members.

        Blocks while Kafka is asked, only if there are any. A group that cannot be left delays no other.
        Raises the first WorkersError; then do it again.
        """
        try:
            names = [path.name for path in self._folder.iterdir() if path.name != self._owner]
        except OSError:
            return 0
        left = [self._leave(dead) for dead in map(self._declared_dead, names) if dead is not None]
        for _, error in left:
            if error is not None:
                raise error
        return sum(count for count, _ in left)

    def _declared_dead(self, name: str) -> Path | None:
        """The file of a process if that is dead; under another name, so that nobody takes it for alive."""
        path = self._folder / name
        if path.suffix == _DEAD:
            return path
        if is_locked(path):
            return None
        with suppress(OSError):
            return path.rename(path.with_suffix(_DEAD))
        return None

    def _leave(self, path: Path) -> tuple[int, WorkersError | None]:
        opened = open_to_lock(path)
        if opened is None:
            return 0, None
        try:
            if not try_lock(opened, fcntl.LOCK_EX):  # another process is at it
                return 0, None
            count, error = self._remove(_read(opened))
            if count:
                logger.warning("groups left for a process that died members=%d", count)
            elif error is None:  # not before a look has found nothing: a last request may come late
                path.unlink(missing_ok=True)
            return count, error
        finally:
            os.close(opened)

    def _remove(self, members: Mapping[str, str]) -> tuple[int, WorkersError | None]:
        """Remove the members with these client ids from their groups.

        Returns how many there were, and the first error of a group, such as that its coordinator cannot say
        who is in it. Raises a WorkersError if Kafka cannot be asked about any.
        """
        if not members:
            return 0, None
        found, error = 0, None
        with connect_admin(self._cluster) as admin:
            for group in sorted(set(members.values())):
                try:
                    with kafka_errors(self._cluster, "leave a group for another"):
                        found += _remove_from(admin, group, members)
                except WorkersError as exc:
                    error = error or exc
        return found, error

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = self._create()
            text = json.dumps(self._members).encode()
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text, 0)
        except OSError as exc:
            if not self._warned:
                logger.warning("memberships not written folder=%s: %s", self._folder, exc)
            self._warned = True
        if not self._members and self._file is not None:
            with suppress(OSError):
                (self._folder / self._owner).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _create(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Locked before it has the name that others look for: they never see it unlocked.
        file, name = tempfile.mkstemp(dir=self._folder.parent)
        try_lock(file, fcntl.LOCK_EX)
        Path(name).rename(self._folder / self._owner)
        return file

    def _forget_parent(self) -> None:
        """Begin with nothing in a child after a fork: the file and its lock are the parent's."""
        if self._file is not None:
            os.close(self._file)  # otherwise the lock would be held as long as the child lives
        self._lock = threading.Lock()
        self._owner = uuid4().hex[:12]
        self._members = {}
        self._file = None


_instances: weakref.WeakSet[Memberships] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance._forget_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _default_folder(cluster: Cluster, namespace: str) -> Path:
    name = hashlib.sha256(f"{cluster.address} {namespace}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"todo-workers-{os.getuid()}" / name


def _remove_from(admin: KafkaAdminClient, group: str, members: Mapping[str, str]) -> int:
    gone = [
        MemberToRemove(member_id=member["member_id"], reason="its process died, or is closing")
        for member in described_groups(admin, [group])[group]["members"]
        if members.get(member["client_id"]) == group
    ]
    if gone:
        admin.remove_group_members(group, gone)
    return len(gone)


def _read(file: int) -> dict[str, str]:
    """Groups by client id; none if the process died while it wrote them."""
    try:
        found = json.loads(os.pread(file, 1 << 20, 0))
        return {str(client_id): str(group) for client_id, group in found.items()}
    except (ValueError, AttributeError):
        return {}
