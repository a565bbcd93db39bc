"""Archived months on SQLite and PostgreSQL: the chain stays whole, and a file that was changed is named."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from alembic.util import CommandError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sqlalchemy import func, select, text

from tasks.audit.archive import archiver
from tasks.audit.archive.archiver import Month, archive, plan
from tasks.audit.archive.folder import ArchiveError, ArchiveFolder
from tasks.audit.archive.keys import ArchiveKeyError, Keys
from tasks.audit.archive.known_events import ArchivedEvents
from tasks.audit.archive.listing import month_of_archive
from tasks.audit.archive.registry import archived
from tasks.audit.reading import AuditFilter, newest
from tasks.audit.trail import AuditStore, Recording, audit_trail
from tasks.audit.verify import verify
from tasks.cli import archive_output
from tasks.cli.audit_output import check, show_table
from tasks.events.models import Event
from tasks.storage import schema
from tasks.storage.database import Database
from tasks.storage.engine import DatabaseError
from tests.helpers.samples import KINDS, a_todo, an_event

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 29, tzinfo=UTC)
#: When the rows of the trail are recorded; the last of them shows that March is over.
RECORDED = [
    *(datetime(2026, 1, day, tzinfo=UTC) for day in (1, 15, 31)),
    datetime(2026, 2, 1, tzinfo=UTC),
    # By a slow clock.
    datetime(2026, 1, 31, 23, 59, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
    datetime(2026, 4, 2, tzinfo=UTC),
]
JANUARY, FEBRUARY = Month("2026-01", 1, 3), Month("2026-02", 4, 6)


def a_key(file: Path) -> Path:
    key = Ed25519PrivateKey.generate()
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    file.with_suffix(".pub").write_bytes(public)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> ArchiveFolder:
    path = tmp_path / "archive"
    path.mkdir()
    return ArchiveFolder(path, Keys(a_key(tmp_path / "key.pem"), None))


@pytest.fixture
def events() -> list[Event]:
    return [
        an_event(KINDS[number % 4], todo=a_todo(id=f"todo-{number % 2}", title="Käse\u2028"))
        for number in range(len(RECORDED))
    ]


@pytest.fixture
def trail(database: Database, events: list[Event]) -> Database:
    store = AuditStore(database)
    for event, recorded_at in zip(events, RECORDED, strict=True):
        store.record(event, recorded_at=recorded_at)
    return database


def move(database: Database, folder: ArchiveFolder, until: datetime = NOW) -> list[Month]:
    moved: list[Month] = []
    archive(database, folder, until=until, now=NOW, tell=moved.append)
    return moved


def count(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(audit_trail)).scalar_one()


def test_whole_months_are_moved_and_the_chain_goes_on_through_them(
    trail: Database, folder: ArchiveFolder, events: list[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    head = verify(trail).head
    rows = list(newest(trail, AuditFilter()))
    assert list(plan(trail, MARCH)) == [JANUARY, FEBRUARY]
    assert archive_output.show_plan(trail, until=MARCH, now=NOW) == 0
    assert "2026-02: 3 rows, 4 to 6\nnothing was moved" in capsys.readouterr().out
    assert (count(trail), list(folder.path.iterdir())) == (7, [])
    assert move(trail, folder, datetime(2026, 2, 15, tzinfo=UTC)) == [JANUARY]
    assert move(trail, folder) == [FEBRUARY]
    assert move(trail, folder) == []
    assert count(trail) == 1
    verdict = verify(trail, head, folder=folder)
    assert (verdict.told, verdict.rows, verdict.archived, verdict.head) == ([], 7, 6, head)
    assert AuditStore(trail).record(an_event(), recorded_at=NOW) is Recording.RECORDED
    assert verify(trail, head, folder=folder).is_whole
    months = [month_of_archive(folder, month) for month in ("2026-01", "2026-02")]
    read = [row for source in months for row in source(trail, AuditFilter(), None)]
    assert read == [{name: row[name] for name in read[0]} for row in reversed(rows[1:])]
    (second,) = months[0](trail, AuditFilter(todo_id="todo-1"), 5)
    assert second["sequence"] == 2
    show_table(trail, AuditFilter(), limit=2, zone=ZoneInfo("UTC"), source=months[0])
    assert "the first 2; --limit" in capsys.readouterr().out
    archive_output.say_what_is_archived(trail, "so")
    assert capsys.readouterr().err == "rows 1 to 6 (2026-01 to 2026-02) are archived: so\n"
    assert check(trail, head, as_json=False, folder=folder) == 0
    assert "8 audit rows (6 of them archived), whole" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("walked", "deleted", "from_files"), [(1, 6, 5), (2, 6, 4), (3, 6, 3), (5, 6, 1), (2, 4, 4), (4, 4, 0)]
)
def test_months_that_are_archived_during_a_walk_are_not_missing(
    trail: Database,
    folder: ArchiveFolder,
    monkeypatch: pytest.MonkeyPatch,
    *,
    walked: int,
    deleted: int,
    from_files: int,
) -> None:
    head = verify(trail).head
    delete = archiver._delete
    monkeypatch.setattr(archiver, "_delete", lambda database, last: delete(database, min(last, deleted)))
    seen: list[int] = []

    def archive_meanwhile(rows: int) -> None:
        seen.append(rows)
        if len(seen) == walked:
            assert move(trail, folder) == [JANUARY, FEBRUARY]

    verdict = verify(trail, head, archive_meanwhile, page_size=1, folder=folder)
    assert (verdict.told, verdict.rows, verdict.archived) == ([], 7, from_files)
    assert (verdict.head, len(seen)) == (head, 7)


def test_a_month_that_is_archived_while_earlier_ones_are_read_is_not_missing(
    trail: Database, folder: ArchiveFolder
) -> None:
    head = verify(trail).head
    move(trail, folder, datetime(2026, 2, 15, tzinfo=UTC))
    moved: list[Month] = []
    verdict = verify(trail, head, lambda _: moved.extend(move(trail, folder)), folder=folder)
    assert (verdict.told, verdict.rows, verdict.archived, verdict.head) == ([], 7, 6, head)
    assert moved == [FEBRUARY]


def test_rows_that_go_missing_while_others_are_archived_are_told(
    trail: Database, folder: ArchiveFolder
) -> None:
    for _ in range(4):
        AuditStore(trail).record(an_event(), recorded_at=NOW)

    def archive_and_take_away(_rows: int) -> None:
        if move(trail, folder):
            with trail.writing() as connection:
                if trail.is_sqlite:
                    connection.execute(text("DROP TRIGGER audit_trail_no_delete"))
                else:
                    connection.execute(text("ALTER TABLE audit_trail DISABLE TRIGGER USER"))
                connection.execute(text("DELETE FROM audit_trail WHERE sequence IN (8, 10)"))

    verdict = verify(trail, None, archive_and_take_away, page_size=2, folder=folder)
    assert verdict.told == ["row 8 is missing", "row 10 is missing"]
    assert (verdict.rows, verdict.head.sequence) == (9, 11)


def test_events_of_archived_months_are_known_to_a_rebuild(
    trail: Database, folder: ArchiveFolder, events: list[Event]
) -> None:
    move(trail, folder)
    known = ArchivedEvents(archived(trail), folder)
    written = [int(at.timestamp() * 1000) for at in RECORDED]
    found = [known.has(str(event.event_id), ms) for event, ms in zip(events, written, strict=True)]
    known.close()
    assert found == [True] * 6 + [False]
    # What came after the archived months makes nobody read them.
    assert not ArchivedEvents(archived(trail), None).has("x", written[-1])
    with pytest.raises(ArchiveError, match="events of 2026-02 are archived: set AUDIT_ARCHIVE_DIR"):
        ArchivedEvents(archived(trail), None).has("x", written[0])


def damaged(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return damage


def without_a_row(content: bytes) -> bytes:
    return gzip.compress(b"".join(gzip.decompress(content).splitlines(keepends=True)[:-1]))


def in_another_order(content: bytes) -> bytes:
    return gzip.compress(b"".join(reversed(gzip.decompress(content).splitlines(keepends=True))))


def exchange(folder: Path) -> None:
    for ending in ("jsonl.gz", "json", "json.sig"):
        one, other = (folder / f"audit-{month}.{ending}" for month in ("2026-01", "2026-02"))
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)


DAMAGES: list[tuple[Callable[[Path], object], list[str]]] = [
    (damaged("audit-2026-01.jsonl.gz", without_a_row), ["audit-2026-01.jsonl.gz was changed"]),
    (damaged("audit-2026-02.jsonl.gz", in_another_order), ["audit-2026-02.jsonl.gz was changed"]),
    (damaged("audit-2026-01.json", lambda c: c.replace(b": 3", b": 2")), ["audit-2026-01.json or its"]),
    (damaged("audit-2026-01.json.sig", lambda _content: bytes(64)), ["audit-2026-01.json or its"]),
    (lambda folder: (folder / "audit-2026-02.json").unlink(), ["audit-2026-02.json is missing in"]),
    (lambda folder: (folder / "audit-2026-02.jsonl.gz").unlink(), ["audit-2026-02.jsonl.gz is missing"]),
    (exchange, ["audit-2026-01.json is not the one", "audit-2026-02.json is not the one"]),
]


def test_what_happens_to_a_file_is_named_with_it(
    tmp_path: Path, folder: ArchiveFolder, events: list[Event]
) -> None:
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    for event, recorded_at in zip(events, RECORDED, strict=True):
        AuditStore(database).record(event, recorded_at=recorded_at)
    head = verify(database).head
    move(database, folder)
    for number, (damage, told) in enumerate(DAMAGES):
        path = tmp_path / str(number)
        shutil.copytree(folder.path, path)
        damage(path)
        verdict = verify(database, head, folder=ArchiveFolder(path, folder.keys))
        assert len(verdict.told) == len(told), verdict.told
        assert all(text.startswith(beginning) for text, beginning in zip(verdict.told, told, strict=True))
        assert verdict.head == head
    database.dispose()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("place", ["require_whole", "register", "_delete"])
def test_one_that_is_killed_is_completed_by_the_next(
    trail: Database, folder: ArchiveFolder, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    head = verify(trail).head

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ArchiveFolder if place == "require_whole" else archiver, place, die)
        with pytest.raises(Killed):
            move(trail, folder)
    assert verify(trail, head, folder=folder).told == []
    assert count(trail) == 7
    assert move(trail, folder) == ([FEBRUARY] if place == "_delete" else [JANUARY, FEBRUARY])
    assert count(trail) == 1
    verdict = verify(trail, head, folder=folder)
    assert (verdict.told, verdict.rows) == ([], 7)


def test_rows_whose_file_is_gone_by_then_are_not_deleted(
    trail: Database, folder: ArchiveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiver, "_delete", lambda *_: None)
    move(trail, folder)
    monkeypatch.undo()
    (folder.path / "audit-2026-01.jsonl.gz").unlink()
    with pytest.raises(ArchiveError, match=r"is missing in .*; the rows of 2026-01 stay in the database"):
        move(trail, folder)
    assert count(trail) == 7


def test_the_database_lets_only_archived_rows_be_deleted(trail: Database, folder: ArchiveFolder) -> None:
    move(trail, folder)
    for statement in (
        "DELETE FROM audit_trail",
        "UPDATE audit_trail SET actor = 'x'",
        "DELETE FROM audit_archives",
        "UPDATE audit_archives SET last_sequence = 99",
    ):
        with pytest.raises(DatabaseError, match="append-only"), trail.writing() as connection:
            connection.execute(text(statement))
    assert count(trail) == 1


def test_what_is_known_of_archived_months_is_not_taken_away(trail: Database, folder: ArchiveFolder) -> None:
    with trail.writing() as connection:
        command.downgrade(schema.config(connection), "0006")
    assert trail.upgrade() == "0006"
    move(trail, folder)
    with pytest.raises(CommandError, match="are archived"), trail.writing() as connection:
        command.downgrade(schema.config(connection), "0006")
    assert trail.revision() == schema.needed()
    assert verify(trail, folder=folder).told == []


def test_a_broken_chain_and_a_folder_of_another_trail_are_left_alone(
    trail: Database, folder: ArchiveFolder, tmp_path: Path
) -> None:
    other = Database(f"sqlite:///{tmp_path}/other.db")
    for recorded_at in RECORDED:
        AuditStore(other).record(an_event(), recorded_at=recorded_at)
    move(other, folder)
    with pytest.raises(ArchiveError, match="has a 2026-01 of another trail"):
        move(trail, folder)
    with other.writing() as connection:
        connection.execute(text("DROP TRIGGER audit_trail_no_update"))
        connection.execute(text("UPDATE audit_trail SET actor = 'x' WHERE sequence = 7"))
    AuditStore(other).record(an_event(), recorded_at=NOW)
    with pytest.raises(ArchiveError, match=r"row 7 was changed: .* Nothing of 2026-04 is moved"):
        move(other, folder)
    assert (count(trail), count(other)) == (7, 2)
    other.dispose()


@pytest.mark.parametrize(("year", "before"), [(2031, "2032-01-01"), (9999, "9999-12-31")])
def test_a_row_that_a_wrong_clock_recorded_in_the_future_is_named(
    trail: Database, folder: ArchiveFolder, capsys: pytest.CaptureFixture[str], year: int, before: str
) -> None:
    store = AuditStore(trail)
    for recorded_at in (datetime(year, 12, 5, tzinfo=UTC), NOW):
        store.record(an_event(), recorded_at=recorded_at)
    told = (
        f"row 8 was recorded in the future, on {year}-12-05, by a wrong clock: "
        f"neither it nor a later row can be archived before {before}\n"
    )
    assert archive_output.show_plan(trail, until=MARCH, now=NOW) == 0
    assert told not in capsys.readouterr().err  # it holds up nothing yet
    assert archive_output.show_plan(trail, until=NOW, now=NOW) == 0
    assert capsys.readouterr().err == told
    for out in ("2026-04: 1 rows, 7 to 7 moved", "nothing to archive"):
        assert archive_output.move(trail, folder, until=NOW, now=NOW) == 0
        captured = capsys.readouterr()
        assert (out in captured.out, told in captured.err) == (True, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("recorded_at = 'soon'", "a row cannot be read: .*soon.*; todo-workers audit verify says which"),
        ("after = '{broken'", "a row cannot be read: .*; todo-workers audit verify says which"),
        (
            "details = 'NaN'",
            r"row 2 was changed: it cannot be read \(ValueError: .*Nothing of 2026-01",
        ),
        (
            "recorded_at = '0999-01-01 00:00:00.000000'",
            "row 2 was changed: what it says does not",
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_said_and_stays(
    tmp_path: Path, folder: ArchiveFolder, change: str, told: str
) -> None:
    # PostgreSQL keeps out what is not of a column's type.
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    for recorded_at in RECORDED:
        AuditStore(database).record(an_event(), recorded_at=recorded_at)
    with database.writing() as connection:
        connection.execute(text("DROP TRIGGER audit_trail_no_update"))
        connection.execute(text(f"UPDATE audit_trail SET {change} WHERE sequence = 2"))
    with pytest.raises(ArchiveError, match=told):
        move(database, folder)
    assert (count(database), archived(database)) == (7, [])
    database.dispose()


def test_keys_of_earlier_years_check_what_they_signed_and_wrong_ones_are_named(
    trail: Database, folder: ArchiveFolder, tmp_path: Path
) -> None:
    move(trail, folder)
    old, new = tmp_path / "key.pub", a_key(tmp_path / "new.pem")
    both = tmp_path / "both.pub"
    both.write_bytes(new.with_suffix(".pub").read_bytes() + old.read_bytes())
    assert verify(trail, folder=ArchiveFolder(folder.path, Keys(new, both))).is_whole
    (told, _) = verify(trail, folder=ArchiveFolder(folder.path, Keys(new, None))).told
    assert "no known key has signed it so" in told
    (told, _) = verify(trail, folder=ArchiveFolder(folder.path, Keys(None, None))).told
    assert told == "audit-2026-01.json cannot be checked: set AUDIT_PUBLIC_KEYS_FILE"
    assert "nothing says where: set AUDIT_ARCHIVE_DIR" in verify(trail).told[0]
    with pytest.raises(ArchiveKeyError, match=r"AUDIT_KEY_FILE: .*key\.pub has no Ed25519 key"):
        Keys(old, None)
    with pytest.raises(ArchiveKeyError, match=r"AUDIT_PUBLIC_KEYS_FILE: .*no cannot be read: No such file"):
        Keys(None, tmp_path / "no")


def test_the_files_are_what_other_programs_can_check(trail: Database, folder: ArchiveFolder) -> None:
    move(trail, folder)
    lines = gzip.decompress((folder.path / "audit-2026-01.jsonl.gz").read_bytes()).splitlines()
    manifest = json.loads((folder.path / "audit-2026-01.json").read_bytes())
    rows = [json.loads(line) for line in lines]
    assert (len(rows), rows[-1]["hash"]) == (manifest["rows"], manifest["last_hash"])
    assert (rows[0]["previous_hash"], rows[0]["sequence"]) == ("0" * 64, manifest["first_sequence"])
    assert sorted(path.name for path in folder.path.glob("audit-2026-01.*")) == [
        "audit-2026-01.json",
        "audit-2026-01.json.sig",
        "audit-2026-01.jsonl.gz",
    ]


def test_only_the_user_who_archives_can_read_the_files(trail: Database, folder: ArchiveFolder) -> None:
    # As a call of an earlier release leaves it that was killed.
    (folder.path / "audit-2026-01.jsonl.gz.part").touch(0o644)
    before = os.umask(0o022)
    try:
        assert move(trail, folder) == [JANUARY, FEBRUARY]
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.path.glob("audit-*")}
    assert (modes, len(list(folder.path.glob("audit-*")))) == ({0o600}, 6)


def test_what_may_come_again_is_not_archived(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.archive import archived_until  # noqa: PLC0415 - it reads the settings

    assert archived_until(NOW, 12) == datetime(2025, 11, 1, tzinfo=UTC)
    assert archived_until(NOW, 1) == NOW - timedelta(days=90)
