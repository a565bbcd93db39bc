"""What is done with the trees of templates that Jinja has parsed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from jinja2 import nodes

N = TypeVar("N", bound=nodes.Node)

#: Parses the template of a name. Raises TemplateNotFound and TemplateSyntaxError.
Load = Callable[[str], nodes.Template]

#: Statements that give a name to something beyond themselves.
NAMING = (nodes.Assign, nodes.AssignBlock, nodes.Import, nodes.FromImport, nodes.Macro)


class NotSimple(Exception):
    """Only Jinja can put the template together."""


def is_blank(node: nodes.Node) -> bool:
    """Whether it writes white space only."""
    return isinstance(node, nodes.Output) and all(
        isinstance(one, nodes.TemplateData) and not one.data.strip() for one in node.nodes
    )


def names(some: Iterable[nodes.Node], ctx: str) -> set[str]:
    """The names that are read (load), or that a loop or a statement gives (store)."""
    found: set[str] = set()
    for one in some:
        own = (one,) if isinstance(one, nodes.Name) else ()
        for name in (*own, *one.find_all(nodes.Name)):
            if (name.ctx == "load") == (ctx == "load"):
                found.add(name.name)
    return found


def has_any(kinds: tuple[type[nodes.Node], ...], body: Sequence[nodes.Node]) -> bool:
    """Whether a node of one of these kinds is in the body."""
    return any(True for _ in template_of(body).find_all(kinds))


def changes_escaping(template: nodes.Template) -> bool:
    """Whether values are not escaped alike in all of it, as by ``{% autoescape %}``."""
    return template.find(nodes.EvalContextModifier) is not None


def copy_of(node: N, values: Mapping[str, nodes.Expr] | None = None) -> N:
    """A copy, with copies of ``values`` in the places of names."""
    if values and isinstance(node, nodes.Name) and node.name in values:
        return copy_of(values[node.name])  # type: ignore[return-value]

    def copied(field: object) -> object:
        if isinstance(field, nodes.Node):
            return copy_of(field, values)
        return [copied(one) for one in field] if isinstance(field, list) else field

    fields = (copied(getattr(node, name)) for name in node.fields)
    return type(node)(*fields, lineno=node.lineno, environment=node.environment)


def output_of(pieces: Sequence[nodes.Expr], like: nodes.Output) -> nodes.Output:
    """A statement that writes the pieces, at the place of another one."""
    return nodes.Output(list(pieces), lineno=like.lineno, environment=like.environment)


def template_of(body: Sequence[nodes.Node]) -> nodes.Template:
    """A tree of statements, to look through it."""
    return nodes.Template(list(body))


def joined(body: Iterable[nodes.Node]) -> list[nodes.Node]:
    """The statements, with as few outputs, and as few texts in them, as possible."""
    joined: list[nodes.Node] = []
    for node in body:
        last = joined[-1] if joined else None
        if not (isinstance(node, nodes.Output) and isinstance(last, nodes.Output)):
            joined.append(node)
            continue
        for piece in node.nodes:
            before = last.nodes[-1] if last.nodes else None
            if isinstance(piece, nodes.TemplateData) and isinstance(before, nodes.TemplateData):
                before.data += piece.data
            else:
                last.nodes.append(piece)
    return joined
