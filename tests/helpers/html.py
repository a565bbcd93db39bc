"""A page of HTML as a browser takes it."""

from __future__ import annotations

from html.parser import HTMLParser

from css_inline import CSSInliner

# html5ever, the parser in css-inline, completes a page as browsers do.
_PARSER = CSSInliner(inline_style_tags=False, keep_style_tags=True, keep_link_tags=True)


def tree_of(html: str) -> list[object]:
    """The tags with their attributes and the texts between them; last, wherever they stood, the styles."""
    reader = _Reader()
    reader.feed(_PARSER.inline(html))
    reader.close()
    return [*reader.found, " ".join("".join(reader.sheets).split())]


class _Text(str):
    __slots__ = ()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []
        self.sheets: list[str] = []
        self._is_sheet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_sheet = tag == "style"
        if not self._is_sheet:
            self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._is_sheet:
            self.found.append(tag)
        self._is_sheet = False

    def handle_data(self, data: str) -> None:
        if self._is_sheet:
            self.sheets.append(data)
        elif isinstance(self.found[-1], _Text):  # in two, because a style element stood between
            self.found[-1] = _Text(self.found[-1] + data)
        else:
            self.found.append(_Text(data))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))
