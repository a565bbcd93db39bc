"""The parts of several processes: the living, the dead, and those of an earlier worker."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from workers.measures.families import Family
from workers.serving.parts import Parts, folder_for


def figures(count: float, running: float = 0.0) -> list[Family]:
    return [
        Family("jobs_total", "counter", "Jobs.", (), {(): (count,)}),
        Family("jobs_running", "gauge", "Jobs.", (), {(): (running,)}),
    ]


def entered(folder: Path, count: float, running: float = 0.0) -> Parts:
    parts = Parts(folder)
    parts.enter()
    parts.write(figures(count, running), ready=True)
    return parts


def value(families: Sequence[Family], name: str) -> float | None:
    return next((family.series[()][0] for family in families if family.name == name), None)


def test_each_living_process_has_its_part(tmp_path: Path) -> None:
    one, two = entered(tmp_path, 1, running=1), entered(tmp_path, 2)
    two.write(figures(3), ready=False)
    living, ended = one.read()
    assert sorted((value(part.families, "jobs_total"), part.ready) for part in living) == [
        (1, True),
        (3, False),
    ]
    assert {part.pid for part in living} == {os.getpid()}
    assert all(part.age_s < 5 for part in living)
    assert ended == []


def test_counts_of_a_process_that_is_dead_stay_and_its_present_goes(tmp_path: Path) -> None:
    one, two, three = entered(tmp_path, 1), entered(tmp_path, 20, running=5), entered(tmp_path, 300)
    two.leave()  # as when it is killed: the system releases its lock
    for _ in range(2):  # a second look counts nobody twice
        living, ended = one.read()
        assert len(living) == 2
        assert value(ended, "jobs_total") == 20
        assert value(ended, "jobs_running") is None
    three.leave()
    assert value(one.read()[1], "jobs_total") == 320
    assert len(list(tmp_path.glob("*.lock"))) == 1


def test_a_death_between_the_sum_and_the_removal_counts_nobody_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = entered(tmp_path, 1), entered(tmp_path, 20)
    two.leave()
    with monkeypatch.context() as patched:

        def dies(self: Path, missing_ok: bool = False) -> None:
            raise KeyboardInterrupt

        patched.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            one.read()
    living, ended = one.read()
    assert len(living) == 1
    assert value(ended, "jobs_total") == 20


def test_a_worker_that_starts_alone_begins_anew(tmp_path: Path) -> None:
    entered(tmp_path, 20).leave()
    living, ended = entered(tmp_path, 1).read()
    assert [value(part.families, "jobs_total") for part in living] == [1]
    assert ended == []


def test_a_part_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torn, newer = entered(tmp_path, 2), entered(tmp_path, 3)
    (tmp_path / f"{torn._name}.json").write_text('{"pid": 1, "fam')
    (tmp_path / f"{newer._name}.json").write_text('{"process": 1}')
    one = entered(tmp_path, 1)
    living, _ = one.read()
    assert [value(part.families, "jobs_total") for part in living] == [1]
    assert "measures cannot be read" in caplog.text
    assert "measures of another version left out" in caplog.text


def test_a_process_that_was_killed_while_it_wrote_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = entered(tmp_path, 1), entered(tmp_path, 20)
    with monkeypatch.context() as patched:

        def dies(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(Path, "replace", dies)
        patched.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            two.write(figures(21), ready=True)
    two.leave()
    assert value(one.read()[1], "jobs_total") == 20
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {one._name, "ended", "guard"}


def test_a_part_without_a_lock_is_of_nobody_who_lives(tmp_path: Path) -> None:
    one, two = entered(tmp_path, 1), entered(tmp_path, 20)
    two.leave()
    one.read()
    two.write(figures(20), ready=True)
    living, ended = one.read()
    assert [value(part.families, "jobs_total") for part in living] == [1]
    assert value(ended, "jobs_total") == 20


def linked(folder: Path, elsewhere: Path) -> None:
    folder.symlink_to(elsewhere)


def linked_to_nothing(folder: Path, elsewhere: Path) -> None:
    folder.symlink_to(elsewhere / "nothing")


def of_somebody_else(folder: Path, _elsewhere: Path) -> None:
    folder.mkdir(mode=0o700)


def open_to_others(folder: Path, _elsewhere: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (linked, "is no folder"),
        (linked_to_nothing, "is no folder"),
        (of_somebody_else, "belongs to another user"),
        (open_to_others, "may be written by other users"),
    ],
)
def test_a_folder_that_another_user_may_have_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, Path], None], problem: str
) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "letter.txt").write_text("dear")
    make(folder, elsewhere)
    if make is of_somebody_else:
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(PermissionError, match=f"{problem}: remove it, or set TMPDIR"):
        Parts(folder).enter()
    assert [path.name for path in elsewhere.iterdir()] == ["letter.txt"]


def test_nobody_else_can_replace_the_folder_as_none_is_between_it_and_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = folder_for("127.0.0.1-9090")
    entered(folder, 1)
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700


def test_files_that_are_not_its_own_stay(tmp_path: Path) -> None:
    others = {"poetry.lock", "poetry.json", "notes"}
    for name in others:
        (tmp_path / name).touch()
    entered(tmp_path, 20).leave()
    one = entered(tmp_path, 1)
    one.read()
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(one._name)}
    assert left == others | {"guard"}
