"""How the command ends."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from tests.helpers.interrupts import interrupted_wait
from workers.errors import WorkersError

main = importlib.import_module("workers.cli.main")


@pytest.fixture
def ends_with(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[[BaseException], None]:
    """Runs the command; what it does raises an error."""

    def run(error: BaseException) -> None:
        def app(**_: object) -> NoReturn:
            raise error

        monkeypatch.setattr(main, "app", app)
        main.main()

    monkeypatch.setattr(main.plugins, "plugins", list)
    monkeypatch.setattr(main, "_print_anything", lambda: None)
    caplog.set_level(logging.CRITICAL, "kafka")  # as the command sets it; it has its own again after the test
    return run


@pytest.mark.parametrize("pressed", [KeyboardInterrupt(), interrupted_wait()])
def test_ctrl_c_is_no_error_at_whichever_step_of_a_wait_it_comes(
    ends_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], pressed: BaseException
) -> None:
    with pytest.raises(SystemExit) as ended:
        ends_with(pressed)
    assert ended.value.code == 130
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "todo-workers: No space left on device\n"),
        (OSError(errno.EACCES, "Permission denied", "a.pem"), "todo-workers: a.pem: Permission denied\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ""),
    ],
)
def test_an_error_of_the_system_is_one_line(
    ends_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], error: OSError, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        ends_with(error)
    assert ended.value.code == 1
    assert capsys.readouterr().err == told


def test_what_was_printed_before_an_error_of_the_system_is_kept() -> None:
    program = """
import importlib
main = importlib.import_module("workers.cli.main")
def app(**_):
    print("so far")
    open("/no/such/file")
main.app = app
main.plugins.plugins = list
main.main()
"""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=False
    )
    assert (done.returncode, done.stdout) == (1, "so far\n")
    assert done.stderr == "todo-workers: /no/such/file: No such file or directory\n"


def test_an_error_of_the_system_is_told_also_where_there_is_no_output(
    ends_with: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SystemExit):
        ends_with(OSError(errno.EACCES, "Permission denied", "a.pem"))
    assert capsys.readouterr().err == "todo-workers: a.pem: Permission denied\n"


@pytest.mark.parametrize("error", [RuntimeError("a fault"), OSError("a fault")])
def test_an_error_of_the_program_is_shown_whole(
    ends_with: Callable[[BaseException], None], error: Exception
) -> None:
    with pytest.raises(type(error), match="a fault"):
        ends_with(error)


def test_the_text_of_an_error_controls_no_terminal(
    ends_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        ends_with(WorkersError("a\x1b[2J\x9b2J"))
    assert capsys.readouterr().err == "todo-workers: a\\x1b[2J\\x9b2J\n"
