"""Styles come into the tags as css-inline puts them there, whatever the page and its style sheet are."""

from __future__ import annotations

import re

import pytest
from css_inline import CSSInliner
from hypothesis import given
from hypothesis import strategies as st

from tasks.notifications import inline_styles
from tasks.notifications.inline_styles import inlined
from tests.helpers.html import tree_of

CSS_INLINE = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

SHEETS = [
    "p { color: red }",
    ".a { color: red } .b { color: blue; margin: 0 } .a.b { padding: 0 }",
    "p.a > b { color: red } .a .b { margin: 1px }",
    "p + p { color: red } td:first-child { width: 1px } li:nth-child(2) { color: blue }",
    "#x { color: red !important } p:not(.a) { margin: 0 }",
    ".a:empty { display: none }",
    'a[href^="https"] { color: red }',
    ".a { font-family: 'Segoe UI', \"x\" } @media print { .a { color: green } }",
    "/* </p> */ .a::before { content: '<b>' } .b:hover { color: red }",
    "",
]
ATTRIBUTES = [
    "",
    ' class="a"',
    " class='a b'",
    " class=b",
    ' id="x" class="b"',
    ' style="color: pink; top: 0" class="a"',
    ' class="a" href="https://todo.example/{n}?a=1&amp;b=2"',
    ' src="{n}.png" title="1 > 0 <b class=\'a\'>"',
]
TEXTS = ["", "text {n}", "&lt;p class=&quot;a&quot;&gt;", "&#39;", 'class="a"', " "]

attributes = st.sampled_from(ATTRIBUTES)
texts = st.sampled_from(TEXTS)
leaves = (
    texts
    | st.builds("<p{0}>{1}</p>".format, attributes, texts)
    | st.builds("<br{0}><a{0}>{1}</a><ul><li{0}>{1}<li>x</ul>".format, attributes, texts)
    | st.just('<!-- <p class="a">no tag</p> -->')
    | st.just("<!--[if mso]><p class='a'>x</p><![endif]-->")
)
bodies = st.recursive(
    leaves,
    lambda inner: st.builds(
        str.format,
        st.sampled_from(
            ["<div{0}>{2}</div>", "<SPAN{0}>{2}</SPAN>", "<table{0}><tr><td{1}>{2}</td><td{0}></table>"]
        ),
        attributes,
        attributes,
        st.lists(inner, max_size=4).map("".join),
    ),
    max_leaves=10,
)


def page(body: str, sheet: str, number: int = 1) -> str:
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>x</title>'
        f'<style type="text/css">{sheet}</style>'
        f'<meta name="viewport" content="x"></head><body class="a">{body}</body></html>'
    ).replace("{n}", str(number))


@given(body=bodies, sheet=st.sampled_from(SHEETS))
def test_a_page_is_as_css_inline_makes_it(body: str, sheet: str) -> None:
    for number in (1, 2):  # the second page has other texts and links, and the same tags
        html = page(body, sheet, number)
        assert tree_of(inlined(html)) == tree_of(CSS_INLINE.inline(html))


def test_pages_with_the_same_tags_are_styled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Counted:
        def inline(self, html: str) -> str:
            asked.append(html)
            return CSS_INLINE.inline(html)

    monkeypatch.setattr(inline_styles, "_INLINER", Counted())
    inline_styles._styles.cache_clear()
    for number in range(3):
        body = f'<p class="a">text {number}</p><a href="https://todo.example/{number}">{number}</a>'
        assert f'href="https://todo.example/{number}">{number}<' in inlined(page(body, SHEETS[1]))
    assert len(asked) == 1


def test_what_stays_in_the_style_sheet_stays_behind_the_charset() -> None:
    html = inlined(page('<p class="a">x</p>', SHEETS[7]))
    assert re.search(
        r'<head><meta charset="utf-8"><title>x</title><style>@media print \{.*\} </style><meta', html
    )


def test_the_second_sheet_of_a_page_counts_too() -> None:
    html = page(
        '<style>@media print { .b { top: 0 } } .b { top: 1px }</style><p class="a b">x</p>', SHEETS[7]
    )
    assert tree_of(inlined(html)) == tree_of(CSS_INLINE.inline(html))
    assert inlined(html).count("<style>") == 1
    assert '<p class="a b" style="' in inlined(html)


@pytest.mark.parametrize(
    "html",
    [
        "no tags at all",
        "",
        "<p>no style sheet</p>",
        '<html><head><link rel="stylesheet" href="x.css"><style>p { top: 0 }</style></head><p>x</p></html>',
        "<style>p { top: 0 }</style><p>no head</p><td>no table</td>",
        '<style>p { top: 0 }</style><p class="a" a<b>half a tag</p><p',
        "<!DOCTYPE html><style>p { top: 0 }</style><p><p></p></p>an element without a tag",
        "<style>b:first-child { top: 0 }</style><b><p>x</b>y</p>",
    ],
)
def test_a_page_that_is_no_proper_one_is_left_to_css_inline(html: str) -> None:
    assert tree_of(inlined(html)) == tree_of(CSS_INLINE.inline(html))
