"""Renders pages: every value that a template prints is escaped, made visible and cut."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from workers.display.times import is_time, length_of_time

from . import text

HERE = Path(__file__).parent


@cache
def environment(folders: tuple[Path, ...] = ()) -> Environment:
    """The environment of all templates; ``folders`` hold those of an application's own pages.

    The dashboard's own are compiled by then: on a busy machine, that took the first page half a second.
    """
    own = FileSystemLoader(HERE / "templates")
    made = Environment(
        loader=ChoiceLoader([own, *(FileSystemLoader(folder) for folder in folders)]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=text.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "long": text.long,
        "field": text.field,
        "number": lambda value: f"{value:,}",
        "ago": ago,
        "moment": moment,
        "query": query,
        "duration": length_of_time,
    }
    for name in own.list_templates():
        made.get_template(name)
    return made


def ago(ms: int | float | None) -> Markup:
    """A time in ms with its age, which the page keeps up to date."""
    if ms is None or not is_time(int(ms)):
        return escape("" if ms is None else str(ms))
    at = datetime.fromtimestamp(ms / 1000, UTC)
    left_s = at.timestamp() - time.time()
    words = f"{length_of_time(-left_s)} ago" if left_s <= 0 else f"in {length_of_time(left_s)}"
    shown = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}" data-age>{}</time>').format(
        at.isoformat(timespec="seconds"), shown, words
    )


def moment(ms: int | float | None) -> Markup:
    """A time in ms, written out, with its age behind it."""
    if ms is None or not is_time(int(ms)):
        return escape("" if ms is None else str(ms))
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return Markup('{} UTC <span class="quiet">({})</span>').format(f"{at:%Y-%m-%d %H:%M:%S}", ago(ms))


def query(values: Mapping[str, Any]) -> Markup:
    """The values but None, as the query of a URL; half a surrogate pair becomes ``?``."""
    set_ = {name: value for name, value in values.items() if value is not None}
    return escape(urlencode(set_, errors="replace"))
