"""Puts the words of a language into a template as it is compiled, so that rendering looks none up. Pure.

Jinja's extension for gettext makes a call of each ``_("...")`` and each ``{% trans %}``. Here such a call
becomes the translated text, with the values in their places. A plural, a context, and a text that is no
literal are known only when the template is rendered; their calls stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from gettext import NullTranslations

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_FUNCTIONS = ("_", "gettext")
#: The place of a value in a text, or a percent sign that is escaped.
_PLACE = re.compile(r"%\((\w+)\)s|%(%)")


def translate(template: nodes.Template, words: NullTranslations) -> nodes.Template:
    """Put the texts of ``words`` into a parsed template; returns it."""
    result: nodes.Template = _Translation(words).visit(template)
    return result


class _Translation(NodeTransformer):
    def __init__(self, words: NullTranslations) -> None:
        self._words = words

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        message = _message(node)
        if message is None:
            return node
        values = {keyword.key: keyword.value for keyword in node.kwargs}
        text = self._words.gettext(message)
        # Jinja joins constants when it compiles, and forgets that a text of HTML is one.
        if not _fits(text, values) or (values and not any(map(_has_variable, values.values()))):
            return node
        pieces = list(_pieces(text, values))
        return pieces[0] if len(pieces) == 1 else nodes.Concat(pieces, lineno=node.lineno)

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802
        """Have the template write the pieces of a text one by one, which saves joining them."""
        self.generic_visit(node)
        node.nodes = [
            piece for one in node.nodes for piece in (one.nodes if isinstance(one, nodes.Concat) else [one])
        ]
        return node


def _message(node: nodes.Call) -> str | None:
    """The text that a call asks the catalog for; None if that is not known yet, or if it asks for more."""
    is_known = isinstance(node.node, nodes.Name) and node.node.name in _FUNCTIONS and len(node.args) == 1
    if not is_known or node.dyn_args is not None or node.dyn_kwargs is not None:
        return None
    argument = node.args[0]
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None


def _fits(text: str, values: Mapping[str, nodes.Expr]) -> bool:
    """Whether the text has a place for each value, a value for each place, and no other percent sign."""
    names = {match[1] for match in _PLACE.finditer(text) if match[1]}
    return names == values.keys() and "%" not in _PLACE.sub("", text)


def _has_variable(value: nodes.Expr) -> bool:
    return isinstance(value, nodes.Name) or value.find(nodes.Name) is not None


def _pieces(text: str, values: Mapping[str, nodes.Expr]) -> Iterator[nodes.Expr]:
    # The catalog's own text may have HTML, as in Jinja's extension. A value is escaped where it is written.
    done = 0
    for match in _PLACE.finditer(text):
        yield nodes.TemplateData(text[done : match.start()] + (match[2] or ""))
        if match[1]:
            yield values[match[1]]
        done = match.end()
    yield nodes.TemplateData(text[done:])
