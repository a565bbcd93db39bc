"""Puts the bodies of macros in the places of their calls. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jinja2 import nodes

from .trees import NAMING, Load, NotSimple, copy_of, has_any, is_blank, joined, names, output_of, template_of

#: What may or may not be evaluated, or several times.
_CONDITIONAL = (nodes.If, nodes.For, nodes.CondExpr, nodes.And, nodes.Or)
_SPECIAL = {"self", "super", "caller", "varargs", "kwargs", "loop"}


def put_macros_in(template: nodes.Template, load: Load) -> None:
    """Put the bodies of macros in the places of their calls, and drop imports that nothing asks for then."""
    macros: dict[tuple[str, str], nodes.Macro] = {}
    imports = [one for one in template.body if isinstance(one, nodes.Import) and _is_plain(one, template)]
    for one in imports:
        assert isinstance(one.template, nodes.Const)
        try:
            module = load(one.template.value)
        except NotSimple:
            continue
        macros |= {(one.target, macro.name): macro for macro in _simple_macros(module)}
    _put_in(template, macros)
    asked_for = {one.name for one in template.find_all(nodes.Name)}
    needless = [one for one in imports if one.target not in asked_for]
    template.body = [one for one in template.body if one not in needless]


def _is_plain(one: nodes.Import, template: nodes.Template) -> bool:
    """Whether an import is of a known template, and its name stands for nothing else."""
    others = [other.name for other in template.find_all(nodes.Name) if other.ctx != "load"]
    targets = [other.target for other in template.find_all(nodes.Import)]
    is_known = isinstance(one.template, nodes.Const) and not one.with_context
    return is_known and one.target not in others and targets.count(one.target) == 1


def _simple_macros(module: nodes.Template) -> list[nodes.Macro]:
    """The macros whose text follows from their arguments alone, with other such macros in them."""
    if not all(isinstance(one, nodes.Macro) or is_blank(one) for one in module.body):
        return []
    simple: dict[tuple[str, str], nodes.Macro] = {}
    for macro in module.find_all(nodes.Macro):
        _put_in(macro, simple)
        if _is_simple(macro):
            simple["", macro.name] = macro
    return list(simple.values())


def _is_simple(macro: nodes.Macro) -> bool:
    loads, stores = names(macro.body, "load"), names(macro.body, "store")
    given = {argument.name for argument in macro.args}
    names_something = has_any((*NAMING, nodes.CallBlock, nodes.Block), macro.body)
    return not macro.defaults and not names_something and loads <= given | stores - _SPECIAL


def _put_in(node: nodes.Node, macros: Mapping[tuple[str, str], nodes.Macro]) -> None:
    """Put the bodies of macros in the places of their calls, in all statements below the node."""
    for name in ("body", "else_", "elif_"):
        below = getattr(node, name, None)
        if not isinstance(below, list):
            continue
        done: list[nodes.Node] = []
        for one in below:
            if isinstance(one, nodes.Output):
                done += _shown(one, macros)
            else:
                _put_in(one, macros)
                done.append(one)
        setattr(node, name, joined(done))


def _shown(output: nodes.Output, macros: Mapping[tuple[str, str], nodes.Macro]) -> Iterator[nodes.Node]:
    for piece in output.nodes:
        if isinstance(piece, nodes.Concat):  # its pieces may be written one by one
            yield from _shown(output_of(piece.nodes, output), macros)
            continue
        macro = macros.get(_called(piece))
        if macro is None or not isinstance(piece, nodes.Call) or not _fits(piece, macro):
            yield output_of([piece], output)
            continue
        body = template_of(_body_for(macro, piece.args))
        _put_in(body, macros)
        yield from body.body


def _called(piece: nodes.Node) -> tuple[str, str]:
    """The module and the macro that are called; the module is empty for a macro beside the call."""
    match piece:
        case nodes.Call(node=nodes.Getattr(node=nodes.Name(name=str(module)), attr=str(macro))):
            return module, macro
        case nodes.Call(node=nodes.Name(name=str(macro))):
            return "", macro
    return "", ""


def _fits(call: nodes.Call, macro: nodes.Macro) -> bool:
    return not (call.kwargs or call.dyn_args or call.dyn_kwargs) and len(call.args) == len(macro.args)


def _body_for(macro: nodes.Macro, arguments: Sequence[nodes.Expr]) -> list[nodes.Node]:
    """The body of a macro with arguments in the places of its parameters, or as its variables."""
    values = {name.name: value for name, value in zip(macro.args, arguments, strict=True)}
    put_in = {name: value for name, value in values.items() if _may_replace(name, value, macro.body)}
    kept = {name: value for name, value in values.items() if name not in put_in}
    # Within the macro, its own names would hide those that an argument means.
    if names(put_in.values(), "load") & (kept.keys() | names(macro.body, "store")):
        put_in, kept = {}, values
    body = [copy_of(one, put_in) for one in macro.body]
    if not kept:
        return body
    targets: list[nodes.Expr] = [nodes.Name(name, "param") for name in kept]
    return [nodes.With(targets, list(kept.values()), body, lineno=macro.lineno)]


def _may_replace(name: str, value: nodes.Expr, body: Sequence[nodes.Node]) -> bool:
    """Whether a value may stand where a parameter does: it costs nothing, or is evaluated just once."""
    if isinstance(value, nodes.Const | nodes.TemplateData | nodes.Name):
        return True
    uses = [is_sure for one in body for is_sure in _uses(name, one, is_sure=True)]
    return uses == [True]


def _uses(name: str, node: nodes.Node, *, is_sure: bool) -> Iterator[bool]:
    """For each use of a name, whether it is evaluated once whenever the body is."""
    if isinstance(node, nodes.Name) and node.name == name:
        yield is_sure
    is_sure = is_sure and not isinstance(node, _CONDITIONAL)
    for child in node.iter_child_nodes():
        yield from _uses(name, child, is_sure=is_sure)
