"""Puts the blocks of a template in the places of those of its layout. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from jinja2 import nodes

from .trees import NAMING, Load, NotSimple, copy_of, has_any, is_blank, joined, output_of

#: Statements that may stand beside the blocks of a template that extends another.
_SETUP = (nodes.Import, nodes.FromImport, nodes.Macro, nodes.Assign)
#: More layouts of layouts are a circle, most likely.
_MAX_LEVELS = 10


def in_layout(template: nodes.Template, load: Load) -> nodes.Template:
    """The layout that a template extends, through as many levels as there are; itself without one.

    Raises NotSimple.
    """
    levels, setup = [template], []
    while (parent := _extended(levels[-1])) is not None:
        setup += [one for one in levels[-1].body if isinstance(one, _SETUP)]
        levels.append(load(parent))
        if len(levels) > _MAX_LEVELS:
            raise NotSimple
    blocks: dict[str, nodes.Block] = {}
    for level in levels:
        blocks = {block.name: block for block in _blocks(level)} | blocks
    body = [*setup, *_filled(levels[-1].body, blocks, ())]
    whole = nodes.Template(body, lineno=1, environment=template.environment)
    if any(one.name in {"self", "super"} for one in whole.find_all(nodes.Name)):
        raise NotSimple
    return whole


def _extended(template: nodes.Template) -> str | None:
    """The template that this one extends. Raises NotSimple if it has more than blocks and set-up."""
    if template.find(nodes.Extends) is None:
        return None
    first, *others = (one for one in template.body if not is_blank(one))
    if not isinstance(first, nodes.Extends) or not isinstance(first.template, nodes.Const):
        raise NotSimple
    # Jinja shows no text beside the blocks either.
    if not all(isinstance(one, (*_SETUP, nodes.Block, nodes.Output)) for one in others):
        raise NotSimple
    return str(first.template.value)


def _blocks(template: nodes.Template) -> Iterator[nodes.Block]:
    """All blocks of a template. Raises NotSimple if one is not directly in the template or in another."""
    found = list(template.find_all(nodes.Block))
    holders: Iterable[nodes.Template | nodes.Block] = (template, *found)
    if sum(isinstance(one, nodes.Block) for holder in holders for one in holder.body) != len(found):
        raise NotSimple
    for block in found:
        if block.scoped or block.required:
            raise NotSimple
        yield block


def _filled(
    body: Sequence[nodes.Node], blocks: Mapping[str, nodes.Block], around: tuple[str, ...]
) -> list[nodes.Node]:
    """A copy of the body with the blocks in their places; it stands in the blocks ``around``."""

    def content(name: str) -> list[nodes.Node]:
        if name in around or name not in blocks:
            raise NotSimple
        inner = _filled(blocks[name].body, blocks, (*around, name))
        names_something = has_any(NAMING, inner)
        return [nodes.Scope(inner, lineno=blocks[name].lineno)] if names_something else inner

    filled: list[nodes.Node] = []
    for node in body:
        if isinstance(node, nodes.Block):
            filled += content(node.name)
        elif isinstance(node, nodes.Output):
            for piece in node.nodes:
                shown = _block_shown(piece)
                filled += content(shown) if shown else [output_of([copy_of(piece)], node)]
        else:
            filled.append(copy_of(node))
    return joined(filled)


def _block_shown(piece: nodes.Node) -> str | None:
    """The name of the block that ``self.name()`` shows; None for anything else."""
    match piece:
        case nodes.Call(
            node=nodes.Getattr(node=nodes.Name(name="self"), attr=str(attr)),
            args=[],
            kwargs=[],
            dyn_args=None,
            dyn_kwargs=None,
        ):
            return attr
    return None
