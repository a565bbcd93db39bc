"""Runs the command `todo-workers`: our own commands and those of plugins; prints errors in one line."""

from __future__ import annotations

import codecs
import logging
import struct
import sys
from importlib.metadata import EntryPoint
from io import TextIOWrapper
from typing import NoReturn

import typer

from ..runtime.interrupts import was_interrupted
from . import plugins
from .commands import app
from .options import LOOK

#: Exit statuses; wrong usage has the one of typer.
FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


def main() -> NoReturn:
    """Run the command line; errors that a user can mend are one line on standard error."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # our errors say what matters of it
    _print_anything()
    for plugin in plugins.plugins():
        _add(plugin)
    try:
        app(prog_name="todo-workers")
    except (KeyboardInterrupt, RuntimeError) as exc:
        if not was_interrupted(exc):
            raise
        sys.exit(INTERRUPTED)
    except OSError as exc:
        if exc.filename is None:
            raise
        _complain(f"{exc.filename}: {exc.strerror}")
        sys.exit(FAILED)
    except Exception as exc:
        from settings import SettingsError

        from ..errors import WorkersError, WrongUsage

        if not isinstance(exc, WorkersError | SettingsError):
            raise
        _complain(str(exc))
        sys.exit(WRONG_USAGE if isinstance(exc, WrongUsage) else FAILED)
    sys.exit()


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
