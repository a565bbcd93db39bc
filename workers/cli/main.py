"""Runs the command `todo-workers`: our own commands and those of plugins; prints errors in one line."""

from __future__ import annotations

import codecs
import logging
import os
import struct
import sys
from contextlib import suppress
from importlib.metadata import EntryPoint
from io import TextIOWrapper
from typing import NoReturn

import typer

from ..runtime.interrupts import INTERRUPTED, was_interrupted
from . import plugins
from .commands import app
from .options import LOOK

#: Exit statuses; wrong usage has the one of typer.
FAILED, WRONG_USAGE = 1, 2


def main() -> NoReturn:
    """Run the command line; errors that a user can mend are one line on standard error."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # our errors say what matters of it
    _print_anything()
    for plugin in plugins.plugins():
        _add(plugin)
    try:
        _run()
    except (KeyboardInterrupt, RuntimeError) as exc:
        if not was_interrupted(exc):
            raise
        sys.exit(INTERRUPTED)
    except OSError as exc:
        if exc.strerror is None:
            raise
        if not isinstance(exc, BrokenPipeError):  # who reads the output has enough of it
            _complain(exc.strerror if exc.filename is None else f"{exc.filename}: {exc.strerror}")
        _drop_output()
        sys.exit(FAILED)
    except Exception as exc:
        from ..errors import WorkersError, WrongUsage, settings_problems

        if not isinstance(exc, WorkersError) and not settings_problems(exc):
            raise
        _complain(str(exc))
        sys.exit(WRONG_USAGE if isinstance(exc, WrongUsage) else FAILED)
    sys.exit()


def _run() -> None:
    try:
        app(prog_name="todo-workers")
    except SystemExit:
        if sys.stdout:  # None if it is closed
            sys.stdout.flush()  # by now, as a full disk is told like any other error
        raise


def _print_anything() -> None:
    """Have the streams write characters that their encoding lacks as JSON's escapes instead of failing."""
    codecs.register_error("json-escapes", _json_escapes)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="json-escapes")


def _json_escapes(error: UnicodeError) -> tuple[str, int]:
    # Unlike with backslashreplace, a line of JSON stays one, whatever it is written to.
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack(">H", units)), error.end


def _drop_output() -> None:
    """Have what cannot be written go nowhere: Python would try it once more at its end, and say so."""
    if sys.stdout is None:
        return
    with suppress(OSError):
        sys.stdout.flush()
        return
    with suppress(OSError):
        output, nowhere = sys.stdout.fileno(), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, output)
        os.close(nowhere)


def _complain(text: str) -> None:
    from .terminal import complain

    complain(f"todo-workers: {text}")


def _add(plugin: EntryPoint) -> None:
    """Add a plugin, a typer app or a function with typer annotations, that is imported when it runs."""

    @app.command(
        plugin.name,
        help=plugins.summary(plugin),
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def command(context: typer.Context) -> None:
        loaded = plugins.load(plugin)
        if not isinstance(loaded, typer.Typer):
            function, loaded = loaded, typer.Typer(**LOOK)
            loaded.command()(function)
        loaded(context.args, prog_name=context.command_path)
