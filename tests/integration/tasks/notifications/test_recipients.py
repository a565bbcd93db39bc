"""The wishes of recipients, kept in SQLite and in PostgreSQL, set from Python and from the command line."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from tasks.cli import recipients as recipients_cli
from tasks.notifications.delivery_store import DeliveryStore
from tasks.notifications.notice import Notice
from tasks.notifications.quiet_hours import parse_quiet_hours
from tasks.notifications.recipients import EVERY_KIND, Preferences, RecipientStore
from tasks.notifications.rendering import kinds, sample_values
from tasks.storage.database import Database
from tests.helpers.samples import NOON, an_owner
from workers.errors import WrongUsage

ADDRESS = "ana@example.com"


@pytest.fixture
def store(database: Database) -> RecipientStore:
    return RecipientStore(database)


def test_who_has_said_nothing_wants_everything_at_once(store: RecipientStore) -> None:
    assert store.preferences(ADDRESS) == Preferences()
    assert not any(store.preferences(ADDRESS).refuses(kind) for kind in kinds())


def test_an_address_is_the_same_in_any_case(store: RecipientStore) -> None:
    store.opt_out("ANA@Example.COM", ["todo_created"])
    assert store.preferences(ADDRESS).refuses("todo_created")
    assert not store.preferences("anna@example.com").refuses("todo_created")


def test_opting_out_and_in_again(store: RecipientStore) -> None:
    store.opt_out(ADDRESS, ["todo_created", "todo_deleted"])
    wanted = store.opt_in(ADDRESS, ["todo_deleted"])
    assert wanted == store.preferences(ADDRESS) == Preferences(frozenset(["todo_created"]))


def test_who_opted_out_of_everything_can_opt_in_to_one_kind(store: RecipientStore) -> None:
    everything = store.opt_out(ADDRESS, [EVERY_KIND])
    assert everything.refuses("a_kind_that_comes_later")
    assert store.opt_in(ADDRESS, ["todo_reminder"]).opted_out == set(kinds()) - {"todo_reminder"}
    assert store.opt_in(ADDRESS, [EVERY_KIND]) == Preferences()


def test_quiet_hours_and_opt_outs_do_not_touch_each_other(store: RecipientStore) -> None:
    hours = parse_quiet_hours("22:00-07:00")
    store.set_quiet_hours(ADDRESS, hours)
    store.opt_out(ADDRESS, ["todo_created"])
    assert store.preferences(ADDRESS) == Preferences(frozenset(["todo_created"]), hours)
    assert store.set_quiet_hours(ADDRESS, None) == Preferences(frozenset(["todo_created"]))


def test_changes_at_the_same_moment_are_all_kept(store: RecipientStore) -> None:
    start = threading.Barrier(len(kinds()))

    def opt_out(kind: str) -> None:
        start.wait(30)
        store.opt_out(ADDRESS, [kind])

    with ThreadPoolExecutor(len(kinds())) as threads:
        list(threads.map(opt_out, kinds()))
    assert store.preferences(ADDRESS).opted_out == set(kinds())


def test_a_notice_is_enough_to_unsubscribe(store: RecipientStore, database: Database) -> None:
    kind = "todo_completed"
    notice = Notice(id=uuid4(), kind=kind, recipient=an_owner(), values=sample_values(kind))
    DeliveryStore(database).claim(notice, now=NOON, lease=timedelta(seconds=60))
    wanted = store.unsubscribe(notice.id)
    assert wanted == store.preferences(ADDRESS) == Preferences(frozenset([kind]))
    assert store.unsubscribe(uuid4()) is None


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("ana", "todo_created", "'ana' is not an e-mail address like ana@example.com"),
        (ADDRESS, "todo_craeted", "did you mean todo_created"),
    ],
)
def test_what_is_no_address_or_no_kind_is_refused(
    store: RecipientStore, address: str, kind: str, words: str
) -> None:
    with pytest.raises(WrongUsage, match=words):
        store.opt_out(address, [kind])


@pytest.fixture
def run(store: RecipientStore, database: Database, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setattr(recipients_cli, "recipient_store", lambda: store)
    monkeypatch.setattr(recipients_cli, "delivery_store", lambda: DeliveryStore(database))
    return CliRunner()


def command(run: CliRunner, *words: str) -> Result:
    return run.invoke(recipients_cli.app, words)


def test_an_operator_sets_what_a_recipient_wants(run: CliRunner) -> None:
    out = command(run, "opt-out", ADDRESS, "todo_created", "todo_deleted").stdout
    assert out == f"{ADDRESS}: opted out of todo_created, todo_deleted, quiet hours none\n"
    out = command(run, "quiet-hours", ADDRESS, "22:00-7:00").stdout
    assert out == f"{ADDRESS}: opted out of todo_created, todo_deleted, quiet hours 22:00-07:00\n"
    assert "opted out of nothing" in command(run, "opt-in", ADDRESS, "--all").stdout
    assert "opted out of everything" in command(run, "opt-out", ADDRESS, "--all").stdout
    assert "quiet hours none" in command(run, "quiet-hours", ADDRESS, "off").stdout


def test_an_operator_sees_what_became_of_the_notices(run: CliRunner, database: Database) -> None:
    notice = Notice(
        id=uuid4(), kind="todo_created", recipient=an_owner(), values=sample_values("todo_created")
    )
    DeliveryStore(database).postpone(notice, NOON + timedelta(hours=8), now=NOON)
    shown = command(run, "show", "Ana@example.com").stdout
    for word in ("todo_created", "postponed", "2026-06-01 20:00 UTC", str(notice.id)):
        assert word in shown
    found = json.loads(command(run, "show", ADDRESS, "--json").stdout)
    assert found["opted_out"] == []
    assert found["quiet_hours"] is None
    (row,) = found["notices"]
    assert (row["state"], row["until"]) == ("postponed", "2026-06-01T20:00:00+00:00")


def test_an_address_may_be_written_as_people_do(run: CliRunner, database: Database) -> None:
    address = "ana@bücher.example"
    values = sample_values("todo_created")
    notice = Notice(id=uuid4(), kind="todo_created", recipient=an_owner(email=address), values=values)
    DeliveryStore(database).opt_out(notice, now=NOON)
    assert str(notice.id) in command(run, "show", address).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("opt-out", ADDRESS),
        ("opt-out", ADDRESS, "todo_created", "--all"),
        ("opt-in", ADDRESS, "todo_x"),
        ("quiet-hours", ADDRESS, "22"),
        ("show", "ana"),
    ],
)
def test_wrong_usage_is_told(run: CliRunner, words: tuple[str, ...]) -> None:
    assert isinstance(command(run, *words).exception, WrongUsage)
