"""The hub: the sessions of one process, and what each of them is sent. Pure: no I/O, no clock.

It belongs to the thread of the event loop. The follower's batches come by :meth:`Hub.advance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from . import protocol
from .cursor import Cursor, InvalidCursor, unpack
from .protocol import Close, Resync
from .returning import Returning
from .ring import Entry, Ring
from .send_buffer import Waiting
from .session import Session

#: How long a client whose cursor is ahead of this process waits for it: another bridge may be faster.
AHEAD_S = 5.0
#: How many clients one scan of the log serves: what they missed is in memory until its end.
MAX_IN_SCAN = 1_000


@dataclass(slots=True)
class Counts:
    """What the hub has done since it was made."""

    events: int = 0  #: that somebody may see
    skipped: int = 0  #: whose view failed
    sent: int = 0  #: frames for sessions
    resumed: int = 0  #: clients that came back and got what they missed
    scanned: int = 0  #: of these, from the log
    resynced: int = 0  #: clients that had to load anew
    too_slow: int = 0  #: clients that were sent away for it


class Hub:
    """Sends each session the events that its user may see, from its cursor on."""

    def __init__(self, *, ring_bytes: int, ahead_s: float = AHEAD_S) -> None:
        self.counts = Counts()
        self.epoch: bytes | None = None
        self.cursor = ""
        #: Since when the log is not followed, in seconds since 1970; None while it is.
        self.stale_since: float | None = None
        self.ring = Ring(ring_bytes, ())
        self._ring_bytes = ring_bytes
        self._ahead_s = ahead_s
        self._offsets: tuple[int, ...] = ()
        self._sessions: dict[str, Session] = {}
        self._connections: dict[str, int] = {}
        #: The sessions that are up to date, by user: these get what comes.
        self._live: dict[str, dict[str, Session]] = {}
        #: Sessions that wait until this process has read as far as they have.
        self._ahead: dict[str, Returning] = {}
        #: Sessions that wait for a scan of the log.
        self._behind: dict[str, Returning] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def sessions(self) -> list[Session]:
        """Every session, also those that are not up to date yet."""
        return list(self._sessions.values())

    def connections_of(self, user: str) -> int:
        """How many sessions a user has."""
        return self._connections.get(user, 0)

    def join(self, session: Session, cursor: str | None, now: float) -> None:
        """Add a session; it gets `welcome` once it is known what it missed. The log must be known."""
        assert self.epoch is not None, "the log is not known yet"
        self._sessions[session.id] = session
        self._connections[session.user] = self.connections_of(session.user) + 1
        if cursor is None:
            self._welcome(session, cursor=self.cursor)
            self._go_live(session)
            return
        try:
            seen = unpack(cursor)
        except InvalidCursor:
            self._resync(session, Resync.CURSOR)
            return
        if seen.epoch != self.epoch or len(seen.offsets) != len(self._offsets):
            self._resync(session, Resync.EPOCH)
            return
        self._come_back(Returning(session, seen.epoch, seen.offsets, cursor, now))

    def leave(self, session: Session) -> None:
        """Remove a session; does nothing if it is gone already."""
        if self._sessions.pop(session.id, None) is None:
            return
        session.has_left = True
        if session.ending is not None and session.ending.code is Close.TOO_SLOW:
            self.counts.too_slow += 1
        left = self._connections[session.user] - 1
        self._connections[session.user] = left
        if not left:
            del self._connections[session.user]
        self._ahead.pop(session.id, None)
        self._behind.pop(session.id, None)
        live = self._live.get(session.user, {})
        live.pop(session.id, None)
        if not live:
            self._live.pop(session.user, None)

    def _go_live(self, session: Session) -> None:
        self._live.setdefault(session.user, {})[session.id] = session

    def _welcome(self, session: Session, *, cursor: str | None, resumed: bool = False) -> None:
        assert self.epoch is not None
        session.send(
            Waiting(
                protocol.welcome(
                    session=session.id,
                    cursor=cursor,
                    epoch=self.epoch.hex(),
                    resumed=resumed,
                    stale_since=_as_time(self.stale_since),
                ),
                cursor,
            )
        )

    def _resync(self, session: Session, why: Resync, *, is_new: bool = True) -> None:
        """Tell a session to load anew, and let it go on from here."""
        assert self.epoch is not None
        self.counts.resynced += 1
        if is_new:
            self._welcome(session, cursor=None)
        frame = protocol.resync(why, cursor=self.cursor, epoch=self.epoch.hex())
        session.send(Waiting(frame, self.cursor))
        self._go_live(session)

    # What comes from the log

    def begin(self, epoch: bytes, offsets: Sequence[int]) -> None:
        """Follow these topics from these offsets on; whoever is connected and knew others loads anew."""
        was_known = self.epoch is not None
        self.epoch = epoch
        self._offsets = tuple(offsets)
        self.cursor = Cursor(epoch, self._offsets).pack()
        self.ring = Ring(self._ring_bytes, offsets)
        if not was_known:
            return
        known = [session for sessions in self._live.values() for session in sessions.values()]
        fresh = [returning.session for returning in (*self._ahead.values(), *self._behind.values())]
        self._ahead, self._behind = {}, {}
        for session in fresh:
            self._resync(session, Resync.EPOCH)
        for session in known:
            self._resync(session, Resync.EPOCH, is_new=False)

    def set_stale(self, since: float | None) -> None:
        """Note since when the log is not followed; None if it is. Who is up to date is told at once."""
        has_changed = (since is None) != (self.stale_since is None)
        self.stale_since = since
        if not has_changed:
            return
        ping = self._ping(self.cursor)
        for sessions in self._live.values():
            for session in sessions.values():
                session.send(ping)

    def _ping(self, cursor: str | None) -> Waiting:
        return Waiting(protocol.ping(cursor, stale_since=_as_time(self.stale_since)), cursor)

    def advance(self, entries: Iterable[Entry], offsets: Sequence[int], skipped: int = 0) -> None:
        """Send what was read of the log, up to ``offsets``."""
        self.counts.skipped += skipped
        for entry in entries:
            self.counts.events += 1
            self.ring.add(entry)
            self._send(entry)
        if tuple(offsets) != self._offsets:
            assert self.epoch is not None
            self._offsets = tuple(offsets)
            self.cursor = Cursor(self.epoch, self._offsets).pack()
            ahead, self._ahead = self._ahead, {}
            for returning in ahead.values():
                self._come_back(returning)

    def _send(self, entry: Entry) -> None:
        if entry.users is None:
            groups = list(self._live.values())
        else:
            groups = [self._live[user] for user in entry.users if user in self._live]
        if not groups:
            return
        frame = Waiting(protocol.events((entry.body,), entry.cursor), entry.cursor, entry)
        for sessions in groups:
            self.counts.sent += len(sessions)
            for session in sessions.values():
                session.send(frame)

    # Clients that come back

    def _come_back(self, returning: Returning) -> None:
        """Send what a client missed if it is at hand; else let it wait for that."""
        if returning.session.id not in self._sessions:
            return
        if any(seen > read for seen, read in zip(returning.offsets, self._offsets, strict=True)):
            self._ahead[returning.session.id] = returning
        elif self.ring.covers(returning.offsets):
            returning.add(self.ring.since(returning.session.user, returning.offsets))
            self._catch_up(returning)
        else:
            self._behind[returning.session.id] = returning

    def _catch_up(self, returning: Returning) -> None:
        session = returning.session
        if returning.is_too_much:
            self._resync(session, Resync.TOO_MUCH)
            return
        self.counts.resumed += 1
        # Until it has all of it, the client keeps the cursor that it came with.
        self._welcome(session, cursor=returning.cursor if returning.found else self.cursor, resumed=True)
        for bodies, is_last in _in_portions(returning.found):
            cursor = self.cursor if is_last else None
            session.send(Waiting(protocol.events(bodies, cursor), cursor))
        self._go_live(session)

    @property
    def has_behind(self) -> bool:
        """Whether a client waits for a scan."""
        return bool(self._behind)

    def take_behind(self) -> list[Returning]:
        """Remove and return clients that need a scan, at most as many as one may serve; the others wait on.

        `caught_up`, `refused` or `failed` gives them back.
        """
        return [self._behind.pop(one) for one in list(islice(self._behind, MAX_IN_SCAN))]

    def caught_up(self, found: Iterable[Returning], epoch: bytes) -> None:
        """Take clients back whose missed events were found in the log, up to their ``offsets``."""
        for returning in found:
            if returning.session.id not in self._sessions:
                continue
            # The topics may have been made anew since they were taken, also before the scan has looked.
            if not returning.epoch == epoch == self.epoch:
                self._resync(returning.session, Resync.EPOCH)
                continue
            self.counts.scanned += 1
            self._come_back(returning)

    def refused(self, returning: Returning, why: Resync) -> None:
        """Take a client back for which the log has not everything any more."""
        if returning.session.id in self._sessions:
            self._resync(returning.session, why)

    def failed(self, found: Iterable[Returning]) -> None:
        """Send clients away for a while: the log could not be read."""
        for returning in found:
            returning.session.end(Close.NOT_READY, protocol.NOT_READY_MS, "the log cannot be read now")

    # Time

    def tick(self, now: float) -> None:
        """Do what is due for each session."""
        for returning in list(self._ahead.values()):
            if self.stale_since is not None:
                returning.since = now  # the wait begins when the log is followed again
            elif now - returning.since >= self._ahead_s:
                del self._ahead[returning.session.id]
                self._resync(returning.session, Resync.FUTURE)
        for_live, for_others = self._ping(self.cursor), self._ping(None)
        for session in list(self._sessions.values()):
            if now >= session.due_at:
                is_live = session.id in self._live.get(session.user, ())
                session.tick(now, for_live if is_live else for_others)


def _in_portions(entries: Sequence[Entry]) -> Iterator[tuple[list[str], bool]]:
    """The bodies of entries in portions for one frame each, and whether it is the last portion."""
    bodies: list[str] = []
    size = 0
    for entry in entries:
        if size > protocol.JOINED_BYTES:
            yield bodies, False
            bodies, size = [], 0
        bodies.append(entry.body)
        size += len(entry.body)
    if bodies:
        yield bodies, True


def _as_time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
