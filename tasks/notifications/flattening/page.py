"""Puts a page together. Pure."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from .layout import in_layout
from .macros import put_macros_in
from .trees import Load, NotSimple


def flattened(
    template: nodes.Template, load: Load, escapes: Callable[[str], bool], name: str
) -> nodes.Template:
    """The parsed template called ``name`` with all that can be put together; it may be changed.

    ``escapes`` says whether values are escaped in the template of a name. Raises what ``load`` raises.
    """

    def load_alike(other: str) -> nodes.Template:
        parsed = load(other)
        if escapes(other) != escapes(name):
            raise NotSimple
        return parsed

    try:
        whole = in_layout(template, load_alike)
    except NotSimple:
        whole = template
    put_macros_in(whole, load_alike)
    return whole
