"""`todo-workers dead-letters` in detail, in this process, on a real Kafka."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from typer.testing import CliRunner

from tests.helpers.interrupts import interrupted_wait
from tests.helpers.kafka_reading import letters_of, read_topic
from workers import KafkaBroker, application
from workers.cli.dead_letters import commands as dead_letter_cli
from workers.cli.dead_letters import files as dead_letter_files
from workers.cli.dead_letters import replay_and_discard as dead_letter_actions
from workers.dead_letters.keys import id_of
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.selection import Picked, Search, Selection
from workers.dead_letters.topic.letter_record import encode
from workers.errors import WorkersError, WrongUsage
from workers.operations.dead_letters import discarding

Write = Callable[..., None]


class Command:
    """Runs `dead-letters` with words as from a shell."""

    def __init__(self) -> None:
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        """Give the exit status; an error of ours is raised, as a shell's user gets its text."""
        result = CliRunner().invoke(dead_letter_cli.app, list(words))
        self.out, self.err = result.stdout, result.stderr
        if isinstance(result.exception, WorkersError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code


@pytest.fixture
def command(broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    @dramatiq.actor(broker=broker, queue_name="mail", actor_name="send")
    def send(email: str, *copies: str, **options: int) -> None: ...

    broker.prepare()
    monkeypatch.setattr(application, "load_broker", lambda _app: broker)
    before = signal.getsignal(signal.SIGTERM)
    yield Command()
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def write(broker: KafkaBroker, command: Command) -> Write:
    def write(number: int, **fields: Any) -> None:
        message = dramatiq.Message[None]("mail", "send", (f"{number}@example.com",), {}, {}, f"m-{number}")
        defaults: dict[str, Any] = {
            "reason": Reason.FAILED,
            "origin": Origin(broker.topics.jobs("mail"), 0, number, 1_000),
            "value": message.encode(),
            "time_ms": 1_700_000_000_000 + number,
            "group": "g",
            "message_id": message.message_id,
            "actor": "send",
            "queue": "mail",
            "exception_type": "builtins.ValueError",
            "exception_message": "no mailbox",
        }
        letter = DeadLetter(**defaults | fields)
        topic = broker.topics.dead_letters
        broker.producer.deliver(topic, encode(letter), beside=id_of(letter.key))

    return write


def ids(broker: KafkaBroker) -> set[str]:
    return {letter.id for letter in letters_of(broker)}


def test_an_id_that_is_missing_or_ambiguous_stops_what_is_alone_with_it(
    broker: KafkaBroker, command: Command, write: Write
) -> None:
    for number in (10, 11, 20):
        write(number)
    with pytest.raises(WrongUsage, match="several dead letters begin with m-1: m-10, m-11"):
        command("replay", "--yes", "m-1", "m-20")
    with pytest.raises(WorkersError, match="no dead letter has the id m-21; near ones: m-20") as raised:
        command("discard", "--yes", "m-21", "m-22")
    assert not isinstance(raised.value, WrongUsage)
    for words in (["show", ""], ["list", "--id", ""], ["discard", "--yes", ""], ["replay", "--yes", " "]):
        with pytest.raises(WrongUsage, match="an id is empty"):
            command(*words)
    assert ids(broker) == {"m-10", "m-11", "m-20"}
    write(1)
    assert command("discard", "--yes", "m-1", "m-2") == 0  # a whole id, and the only one that begins so
    assert ids(broker) == {"m-10", "m-11"}


def test_ids_that_are_gone_do_not_stop_the_others_so_that_an_interrupted_replay_can_go_on(
    broker: KafkaBroker, command: Command, write: Write
) -> None:
    for number in (10, 20):
        write(number)
    assert command("replay", "--yes", "m-10") == 0
    assert command("replay", "--yes", "m-10", "m-20") == 1
    assert "1 of 1 dead letter replayed" in command.out
    assert "no dead letter has the id m-10; near ones: m-20" in command.err
    assert ids(broker) == set()


def test_a_limit_takes_the_oldest(broker: KafkaBroker, command: Command, write: Write) -> None:
    for number in (5, 3, 1, 4, 2):
        write(number)
    assert command("discard", "--all", "--limit", "2", "--yes") == 0
    assert ids(broker) == {"m-3", "m-4", "m-5"}
    assert command.out.splitlines()[-1] == "2 of 2 dead letters discarded"


def test_what_comes_after_the_question_is_left_alone(
    broker: KafkaBroker, command: Command, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(1)
    write(2)

    def answer(_action: Any, total: int) -> bool:
        write(3)
        write(2, exception_message="again")  # the same entry, for another reason
        return total == 2

    monkeypatch.setattr(dead_letter_actions, "_can_ask", lambda: True)
    monkeypatch.setattr(dead_letter_actions, "_confirmed", answer)
    assert command("discard", "--all") == 0
    assert ids(broker) == {"m-2", "m-3"}
    assert "1 of 2 dead letters discarded" in command.out
    assert "1 changed meanwhile" in command.err


def test_many_are_announced_by_kind_and_few_by_id(command: Command, write: Write) -> None:
    for number in range(3):
        write(number)
    assert command("replay", "--all", "--dry-run") == 0
    assert "m-1  send (ValueError: no mailbox)" in command.out
    for number in range(3, 15):
        write(number, exception_message=f"another {number % 2}")
    assert command("replay", "--all", "--dry-run") == 0
    assert "15 dead letters to replay:" in command.out
    assert "     6  send (ValueError: another 0)" in command.out
    assert "     3  send (ValueError: no mailbox)" in command.out


def test_kinds_beyond_those_that_are_kept_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    found = (Picked(number, 0, number, f"m-{number}", f"nobody is {number}") for number in range(6))
    dead_letter_actions.announce(discarding(), Selection(found, keep_named=2, keep_kinds=3), most=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "6 dead letters to discard:"
    assert [line.split()[0] for line in lines[1:4]] == ["1", "1", "4"]
    assert lines[3].endswith("of other kinds")


def test_what_others_wrote_does_not_steer_the_terminal(command: Command, write: Write) -> None:
    evil = "\x1b[2J\x9b31m\x07"
    write(1, exception_message=evil, actor=evil, queue=evil, value=evil.encode(), traceback=evil)
    write(2, message_id=f"m{evil}", job_headers=((evil, evil.encode()),))
    for words in (["list"], ["show", "m-1"], ["show", "m\x1b"], ["discard", "--all", "--dry-run"]):
        assert command(*words) == 0
        assert "\\x1b[2J" in command.out
        assert not set(command.out) & {"\x1b", "\x9b", "\x07"}


def test_a_long_error_takes_no_room_from_the_ids(command: Command, write: Write) -> None:
    write(1, exception_message="no mailbox " * 50)
    assert command("list") == 0
    words = command.out.splitlines()[1].split()
    assert (words[0], words[4:7]) == ("m-1", ["mail", "send", "failed"])
    assert "…" in command.out


def test_json_lists_all_and_a_table_the_newest(command: Command, write: Write) -> None:
    for number in range(60):
        write(number)
    assert command("list", "--json") == 0
    assert {json.loads(line)["id"] for line in command.out.splitlines()} == {f"m-{n}" for n in range(60)}
    assert command("list") == 0
    assert "the newest 50 of 60; --limit shows more" in command.out
    assert command("list", "--json", "--limit", "3") == 0
    assert [json.loads(line)["id"] for line in command.out.splitlines()] == ["m-59", "m-58", "m-57"]


def test_arguments_are_mended_for_all_or_for_none(
    broker: KafkaBroker, command: Command, write: Write
) -> None:
    write(1)
    write(2, value=b"no message", reason=Reason.UNDECODABLE)
    with pytest.raises(WrongUsage, match=r"m-2: .*not a readable message; nothing was done"):
        command("replay", "--all", "--yes", "--set", "args.0=x@example.com")
    with pytest.raises(WrongUsage, match="m-1: actor send does not take this options: options: Input"):
        command("replay", "m-1", "--yes", "--set", "kwargs.times=often")
    assert read_topic(broker.cluster, broker.topics.jobs("mail")) == []
    assert command("replay", "m-1", "--yes", "--set", "kwargs.times=2") == 0
    (record,) = read_topic(broker.cluster, broker.topics.jobs("mail"))
    assert json.loads(record.value)["kwargs"] == {"times": 2}


def test_a_queue_that_nobody_declares_fails_alone(
    broker: KafkaBroker, command: Command, write: Write
) -> None:
    write(1)
    write(2, queue="mial")
    assert command("replay", "--all", "--yes") == 1
    assert "1 of 2 dead letters replayed" in command.out
    assert "not replayed: m-2: queue 'mial' is not declared; did you mean 'mail'?" in command.err
    assert ids(broker) == {"m-2"}
    assert command("replay", "m-2", "--yes", "--to", "mail") == 0
    assert ids(broker) == set()


def test_an_interrupted_export_leaves_no_file_and_a_complete_one_is_private(
    broker: KafkaBroker, command: Command, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write(number)
    file = tmp_path / "letters.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(Search, "matching", _interrupted(Search.matching))
        assert command("export", str(file)) == 130
    assert "was not written" in command.err
    assert list(tmp_path.iterdir()) == []
    assert command("export", str(file)) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().splitlines()) == 3
    with pytest.raises(WorkersError, match="cannot be read or written: No such file"):
        command("export", str(tmp_path / "absent" / "file"))


@pytest.mark.parametrize("has_links", [True, False])
def test_an_export_touches_no_file_that_is_there_and_none_that_comes_meanwhile(
    command: Command, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    write(1)
    file, part, other = tmp_path / "letters.jsonl", tmp_path / "letters.jsonl.part", tmp_path / "other"
    other.write_text("dear")
    part.symlink_to(other)
    if not has_links:
        monkeypatch.setattr(os, "link", _no_links)
    assert command("export", str(file)) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()

    def appears(*args: Any) -> Iterator[Any]:
        yield from matching(*args)
        file.write_text("of another export")

    matching = Search.matching
    monkeypatch.setattr(Search, "matching", appears)
    with pytest.raises(WrongUsage, match="exists already; name another file"):
        command("export", str(file))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        file.name: "of another export",
        part.name: "dear",
        other.name: "dear",
    }


def _no_links(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_an_import_keeps_few_on_their_way_and_tells_how_far_it_came(
    broker: KafkaBroker, command: Command, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        write(number)
    file = tmp_path / "letters.jsonl"
    assert command("export", str(file)) == 0
    before = letters_of(broker)
    assert command("discard", "--all", "--yes") == 0
    monkeypatch.setattr(dead_letter_files, "_UNDER_WAY", 4)
    send = broker.producer.send
    under_way: list[Any] = []

    def watched(*args: Any, **options: Any) -> Any:
        if len(under_way) == 20:
            raise interrupted_wait()
        under_way.append(send(*args, **options))
        assert sum(not future.is_done for future in under_way) <= 5
        return under_way[-1]

    with monkeypatch.context() as patched:
        patched.setattr(broker.producer, "send", watched)
        assert command("import", str(file)) == 130
    assert "16 of 30 dead letters read" in command.err
    assert "import it again" in command.err
    assert command("import", str(file)) == 0
    assert command.out == f"30 dead letters read from {file}\n"
    assert sorted(map(repr, letters_of(broker))) == sorted(map(repr, before))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b'{"key": 1}', b"{", b'{"key":"a","headers":[]}'])
def test_a_file_that_is_none_of_ours_is_refused_by_its_line(
    broker: KafkaBroker, command: Command, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "other"
    file.write_bytes(b"\n" + content + b"\n")
    with pytest.raises(WrongUsage, match=r"line 2: no dead letter .*nothing was imported"):
        command("import", str(file))
    assert letters_of(broker) == []


def test_a_pipe_is_not_imported_as_it_can_be_read_only_once(
    broker: KafkaBroker, command: Command, write: Write, tmp_path: Path
) -> None:
    write(1)
    file = tmp_path / "letters.jsonl"
    assert command("export", str(file)) == 0
    reading, writing = os.pipe()
    os.write(writing, file.read_bytes())
    os.close(writing)
    try:
        with pytest.raises(WrongUsage, match="is no regular file; it is read twice, so save it as one"):
            command("import", f"/dev/fd/{reading}")
    finally:
        os.close(reading)


@pytest.fixture
def shrinking(
    broker: KafkaBroker, command: Command, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Makes a file of three dead letters that are discarded; once it is checked, one and a rest are left."""

    def make(rest: str) -> Path:
        for number in range(3):
            write(number)
        file = tmp_path / "letters.jsonl"
        assert command("export", str(file)) == 0
        assert command("discard", "--all", "--yes") == 0
        prepare = broker.prepare

        def shrink() -> Any:
            file.write_text(file.read_text().splitlines()[0] + "\n" + rest)
            return prepare()

        monkeypatch.setattr(broker, "prepare", shrink)
        return file

    return make


def test_what_is_left_of_a_file_that_shrank_after_it_was_checked_is_written(
    broker: KafkaBroker, command: Command, shrinking: Callable[[str], Path]
) -> None:
    file = shrinking("")
    assert command("import", str(file)) == 0
    assert command.out == f"1 dead letters read from {file}\n"
    assert len(ids(broker)) == 1


def test_nothing_was_imported_is_said_only_if_it_is_so(
    command: Command, shrinking: Callable[[str], Path]
) -> None:
    file = shrinking("{")
    with pytest.raises(WrongUsage, match=r"line 2: no dead letter \([^;]*$"):
        command("import", str(file))


def _interrupted(matching: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def some(*args: Any) -> Iterator[Any]:
        yield next(matching(*args))
        raise interrupted_wait()

    return some
