"""Copies a page's style sheet into the style attributes of its tags, where all mail programs read it. Pure.

css-inline does that, and is asked once for all pages that have the same tags: which styles a tag has follows
from the tags, not from the texts. Pages of one kind differ in little but their texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from css_inline import CSSInliner

# At-rules (for dark and for narrow screens) cannot be inlined; they stay in the style element.
_INLINER = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

#: Comments, the document type, style elements and tags. Comments and style elements have no tags in them.
_MARKUP = re.compile(
    r"""
    (<(?:
        !--.*?--> | ![a-z][^>]*>
        | style\b [^<]* (?:<(?!/style)[^<]*)* </style\s*>
        | /?[a-z] [^<>"']* (?:(?:"[^"]*"|'[^']*')[^<>"']*)* >
    ))
    """,
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_NAME = re.compile(r"<[a-z][^\s/>]*", re.IGNORECASE)
_OWN_STYLE = re.compile(r"""\sstyle\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE)
#: The values of links: they may be others in each mail, and a style sheet does not ask for them.
_LINK = re.compile(r'(\s(?:href|src)=")[^"]*')
#: Style sheets that ask for more than the tags of a page, or for the values of links.
_ASKS_FOR_MORE = re.compile(r"\[|:empty")
_NUMBER = re.compile(r'\sdata-place="(\d+)"')


class _Style(NamedTuple):
    """Text for the markup at ``place`` of a page: before its last ``end`` characters, or instead of it."""

    place: int
    text: str
    end: int | None = None


def inlined(html: str) -> str:
    """Return the page with its style sheet inlined; what cannot be inlined stays where it was.

    Raises InlineError and ValueError, as css-inline does.
    """
    parts = _MARKUP.split(html)
    markup = "".join(parts[1::2])
    if 'href="' in markup or 'src="' in markup:
        markup = _LINK.sub(r"\1", markup)
    styles = _styles(markup)
    if styles is None:
        return _INLINER.inline(html)
    for place, text, end in styles:
        index = 2 * place + 1
        if end is None:
            parts[index] = text
        else:
            tag = parts[index] if "style" not in parts[index] else _OWN_STYLE.sub("", parts[index])
            parts[index] = f"{tag[:-end]}{text}{tag[-end:]}"
    return "".join(parts)


@lru_cache(maxsize=256)
def _styles(markup: str) -> tuple[_Style, ...] | None:
    """The styles of a page of which only the markup is left; None if css-inline has to see all of it."""
    tags = _MARKUP.findall(markup)
    sheets = [place for place, tag in enumerate(tags) if _is_sheet(tag)]
    if any(_ASKS_FOR_MORE.search(tags[place]) for place in sheets):
        return None
    names = {place: match for place, tag in enumerate(tags) if (match := _start_tag(tag))}
    numbered = "".join(
        f'{tag[: names[place].end()]} data-place="{place}"{tag[names[place].end() :]}'
        if place in names
        else tag
        for place, tag in enumerate(tags)
    )
    result = _MARKUP.findall(_INLINER.inline(numbered))
    styled = list(_styles_by_number(result))
    # Not if the page has tags of no use, or elements without a tag of their own.
    if sorted(number for number, _ in styled) != list(names):
        return None
    kept = "".join(tag for tag in result if _is_sheet(tag))
    return (
        *(_Style(place, kept if place == sheets[0] else "") for place in sheets),
        *(_Style(place, text, _end(tags[place])) for place, text in styled if text),
    )


def _start_tag(tag: str) -> re.Match[str] | None:
    return None if _is_sheet(tag) else _NAME.match(tag)


def _end(tag: str) -> int:
    """How many characters end the tag, behind its attributes."""
    return len(" />") if tag.endswith(" />") else len(">")


def _is_sheet(tag: str) -> bool:
    return tag[:6].lower() == "<style"


def _styles_by_number(tags: list[str]) -> Iterator[tuple[int, str]]:
    """The number and the style attribute of each tag that has one of them; -1 is no number."""
    for tag in tags:
        number, style = _NUMBER.search(tag), _OWN_STYLE.search(tag)
        if number or (style and _start_tag(tag)):
            yield int(number[1]) if number else -1, style[0] if style else ""
