"""Reading the audit trail: filters, pages, and a chain that shows whatever somebody did to the table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from tasks.audit.chain import Head
from tasks.audit.reading import AuditFilter, history, newest
from tasks.audit.trail import AuditStore
from tasks.audit.verify import verify
from tasks.cli.audit_output import check, show_csv, show_json, show_table, tell_history
from tasks.events.models import Event
from tasks.storage.database import Database
from tasks.storage.engine import DatabaseError
from tests.helpers.samples import KINDS, NOON, a_todo, an_event

UTC_ZONE = ZoneInfo("UTC")

#: Rows of a page: what is tested here goes over several pages, and their ends.
PAGE_SIZE = 3


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """A database of one kind, for what is the same on all."""
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    database.upgrade()
    yield database
    database.dispose()


@pytest.fixture
def trail(database: Database) -> Database:
    """A trail of 12 rows: 4 of each of three todos, an hour apart."""
    events = [
        an_event(
            KINDS[number // 3],
            todo=a_todo(id=f"todo-{number % 3}"),
            actor=f"user:{number % 2}",
            time=NOON + timedelta(hours=number),
        )
        for number in range(12)
    ]
    AuditStore(database).record_all(events, recorded_at=NOON + timedelta(days=1))
    return database


def numbers(database: Database, wanted: AuditFilter, limit: int | None = None) -> list[int]:
    return [row["sequence"] for row in newest(database, wanted, limit, page_size=PAGE_SIZE)]


@pytest.mark.parametrize(
    ("wanted", "limit", "found"),
    [
        (AuditFilter(), None, list(range(12, 0, -1))),
        (AuditFilter(), 3, [12, 11, 10]),
        (AuditFilter(), 4, [12, 11, 10, 9]),
        (AuditFilter(todo_id="todo-1"), None, [11, 8, 5, 2]),
        (AuditFilter(actor="user:0"), 2, [11, 9]),
        (AuditFilter(type="todo.deleted"), None, [12, 11, 10]),
        (AuditFilter(since=NOON + timedelta(hours=10)), None, [12, 11]),
        (AuditFilter(until=NOON + timedelta(hours=1)), None, [2, 1]),
        (AuditFilter(todo_id="todo-1", type="todo.deleted", since=NOON), None, [11]),
        (AuditFilter(todo_id="todo-9"), None, []),
    ],
)
def test_rows_are_found_by_what_is_asked(
    trail: Database, wanted: AuditFilter, limit: int | None, found: list[int]
) -> None:
    assert numbers(trail, wanted, limit) == found


def test_the_history_of_a_todo_is_told_from_its_beginning(
    trail: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [row["sequence"] for row in history(trail, "todo-1", page_size=PAGE_SIZE)] == [2, 5, 8, 11]
    assert tell_history(trail, "todo-1", zone=ZoneInfo("Asia/Tokyo")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "2026-06-01 22:00:00 JST  user:1 created it",
        "2026-06-02 01:00:00 JST  user:0 changed it",
        "2026-06-02 04:00:00 JST  user:1 completed it",
        "2026-06-02 07:00:00 JST  user:0 deleted it",
    ]
    assert tell_history(trail, "todo-9", zone=UTC_ZONE) == 1
    assert "no todo todo-9" in capsys.readouterr().err


def test_the_history_is_in_order_of_time_then_of_the_log_however_it_was_recorded(database: Database) -> None:
    def placed(offset: int, minute: int) -> Event:
        place = {"partition": 0, "offset": offset, "written_ms": offset}
        return an_event(time=NOON + timedelta(minutes=minute), log_position=place)

    # Handled at once, or the wrong way round: the rows are recorded in any order.
    places = [(7, 2), (3, 1), (4, 1), (2, 1), (1, 0), (9, 2), (8, 2), (5, 1)]
    AuditStore(database).record_all([placed(*place) for place in places], recorded_at=NOON)
    found = [
        row["details"]["log_position"]["offset"] for row in history(database, "todo-1", page_size=PAGE_SIZE)
    ]
    assert found == [1, 2, 3, 4, 5, 7, 8, 9]


@pytest.mark.parametrize("before", ["", "\n", "\t", "  ", "\u3000"], ids=ascii)
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"], ids=ascii)
def test_no_cell_of_the_csv_is_a_formula(
    sqlite_database: Database, capsys: pytest.CaptureFixture[str], before: str, sign: str
) -> None:
    actor = f'{before}{sign}HYPERLINK("http://example.com")'
    AuditStore(sqlite_database).record(an_event("todo.created", actor=actor), recorded_at=NOON)
    show_csv(sqlite_database, AuditFilter(), limit=None)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert row["actor"] == f"'{actor}"
    assert json.loads(row["after"])["id"]


def test_a_text_that_is_no_formula_stays_as_it_is_in_the_csv(
    sqlite_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    AuditStore(sqlite_database).record(an_event("todo.created", actor="user = 42"), recorded_at=NOON)
    show_csv(sqlite_database, AuditFilter(), limit=None)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["actor"] == "user = 42"


def test_csv_for_excel_begins_with_a_byte_order_mark(
    trail: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    show_csv(trail, AuditFilter(), limit=None)
    plain = capsys.readouterr().out
    show_csv(trail, AuditFilter(), limit=None, for_excel=True)
    assert capsys.readouterr().out == f"\ufeff{plain}"


def test_rows_are_shown_as_a_table_as_json_and_as_csv(
    trail: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_table(trail, AuditFilter(), limit=2, zone=ZoneInfo("Europe/Berlin")) == 0
    shown = capsys.readouterr().out
    assert "2026-06-02 01:00:00 CEST  user:1  todo.deleted  todo-2" in shown
    assert "the newest 2; --limit or --all shows more" in shown
    show_table(trail, AuditFilter(todo_id="todo-9"), limit=2, zone=UTC_ZONE)
    assert capsys.readouterr().out == "no audit rows match\n"

    show_json(trail, AuditFilter(), limit=None)
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    show_csv(trail, AuditFilter(), limit=None)
    records = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(objects) == len(records) == 12
    assert (
        objects[0]["before"]
        == json.loads(records[0]["before"])
        == next(newest(trail, AuditFilter()))["before"]
    )
    assert (objects[0]["time"], objects[0]["after"]) == ("2026-06-01T23:00:00+00:00", None)
    assert objects[1]["hash"] == objects[0]["previous_hash"] == records[1]["hash"]


def test_markup_in_a_title_is_not_taken_for_one(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "[red]now[/] or [/later]"
    AuditStore(database).record_all([an_event(todo=a_todo(title=title))], recorded_at=NOON)
    show_table(database, AuditFilter(), limit=2, zone=UTC_ZONE)
    assert title in capsys.readouterr().out


@pytest.mark.parametrize("change", ["UPDATE audit_trail SET actor = 'nobody'", "DELETE FROM audit_trail"])
def test_the_database_refuses_to_change_a_row(trail: Database, change: str) -> None:
    with pytest.raises(DatabaseError, match="the audit trail is append-only"), trail.writing() as connection:
        connection.execute(text(change))
    assert verify(trail).is_whole


def test_postgresql_refuses_to_empty_the_table(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    database.upgrade()
    with (
        pytest.raises(DatabaseError, match="the audit trail is append-only"),
        database.writing() as connection,
    ):
        connection.execute(text("TRUNCATE audit_trail"))
    database.dispose()


def tamper(database: Database, statement: str) -> None:
    """Do what somebody could who owns the database."""
    with database.writing() as connection:
        if database.is_sqlite:
            connection.execute(text("DROP TRIGGER audit_trail_no_update"))
            connection.execute(text("DROP TRIGGER audit_trail_no_delete"))
        else:
            connection.execute(text("ALTER TABLE audit_trail DISABLE TRIGGER USER"))
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit_trail SET actor = 'nobody' WHERE sequence = 7", ["row 7 was changed"]),
        ("UPDATE audit_trail SET todo_id = NULL WHERE sequence = 12", ["row 12 was changed"]),
        ("UPDATE audit_trail SET details = '{\"a\": 1}' WHERE sequence = 1", ["row 1 was changed"]),
        ("DELETE FROM audit_trail WHERE sequence = 3", ["row 3 is missing"]),
        ("DELETE FROM audit_trail WHERE sequence < 6", ["rows 1 to 5 are missing"]),
        (
            "DELETE FROM audit_trail WHERE sequence IN (4, 8, 9)",
            ["row 4 is missing", "rows 8 to 9 are missing"],
        ),
    ],
)
def test_the_walk_says_where_the_chain_is_broken(trail: Database, statement: str, told: list[str]) -> None:
    assert verify(trail, page_size=PAGE_SIZE).is_whole
    tamper(trail, statement)
    verdict = verify(trail, page_size=PAGE_SIZE)
    assert verdict.flaws == len(told)
    assert all(text.startswith(start) for text, start in zip(verdict.told, told, strict=True))


def test_what_cannot_even_be_read_is_a_flaw_of_its_row(tmp_path: Path) -> None:
    # PostgreSQL keeps out what is not of a column's type.
    database = Database(f"sqlite:///{tmp_path}/todo.db")
    AuditStore(database).record_all([an_event() for _ in range(9)], recorded_at=NOON)
    tamper(database, "UPDATE audit_trail SET after = '{broken', time = 'soon' WHERE sequence IN (4, 5)")
    verdict = verify(database, page_size=PAGE_SIZE)
    assert [told.partition(":")[0] for told in verdict.told] == ["row 4 was changed", "row 5 was changed"]
    assert (verdict.rows, verdict.head.sequence) == (9, 9)
    database.dispose()


def test_a_head_that_was_kept_shows_what_was_cut_off(
    trail: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(trail, None, as_json=False) == 0
    words = capsys.readouterr().out.split()
    head = Head.parse(words[-1])
    assert (words[-2], head.sequence) == ("head", 12)
    AuditStore(trail).record_all([an_event()], recorded_at=NOON)
    assert check(trail, head, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["head"]["sequence"] == 13

    tamper(trail, "DELETE FROM audit_trail WHERE sequence > 10")
    assert verify(trail).is_whole
    assert check(trail, head, as_json=False) == 1
    assert "the trail was cut off: it ends at row 10, row 12 is expected" in capsys.readouterr().out
    # The next rows make up for the number, but not for the hash.
    AuditStore(trail).record_all([an_event() for _ in range(3)], recorded_at=NOON)
    assert check(trail, head, as_json=True) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["told"] == ["row 12 has not the hash that is expected: it was written anew"]
    assert (verdict["whole"], verdict["flaws"], verdict["rows"]) == (False, 1, 13)


def test_many_flaws_are_counted_and_some_are_told(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    AuditStore(database).record_all([an_event() for _ in range(30)], recorded_at=NOON)
    tamper(database, "UPDATE audit_trail SET actor = 'nobody'")
    assert check(database, None, as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[20:22] == ["and 10 more", f"{database.name}: 30 audit rows, BROKEN, in 30 places"]


def test_an_empty_trail_is_whole_and_said_to_be_empty(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = verify(database)
    assert (verdict.rows, verdict.head, verdict.is_whole) == (0, Head(), True)
    assert check(database, None, as_json=False) == 0
    assert "no audit rows, nothing to verify; check DATABASE_URL" in capsys.readouterr().out
