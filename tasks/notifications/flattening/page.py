"""Puts a page together. Pure."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from .layout import in_layout
from .macros import put_macros_in
from .trees import Load, NotSimple, changes_escaping


def flattened(
    template: nodes.Template, load: Load, escapes: Callable[[str], bool], name: str
) -> nodes.Template:
    """The parsed template called ``name`` with all that can be put together; it may be changed.

    ``escapes`` says whether values are escaped in the template of a name. A template that changes that within
    itself is left as it is. Raises what ``load`` raises.
    """
    if changes_escaping(template):
        return template

    def load_alike(other: str) -> nodes.Template:
        parsed = load(other)
        if escapes(other) != escapes(name) or changes_escaping(parsed):
            raise NotSimple
        return parsed

    try:
        whole = in_layout(template, load_alike)
    except NotSimple:
        return template  # whether its macros' results are escaped is up to the layout
    put_macros_in(whole, load_alike)
    return whole
