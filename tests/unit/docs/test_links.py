"""The links of the pages lead somewhere: to files, headings, folders of the code."""

from __future__ import annotations

import re
import tomllib

import pytest

import workers
from tests.helpers.pages import PAGES, anchors, inline_code, prose, target
from tests.helpers.repository import REPOSITORY

_LINK = re.compile(r"\]\(([^)\s]+)\)")
#: A file or folder of ours, as it is written in a text; `<` and `*` stand for something else.
_PATH = re.compile(r"(?:workers|tasks|settings|templates|tests|bench|docs|requirements)/[\w./-]*")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for link in _LINK.findall(prose(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        path = target(page, name).resolve() if name else REPOSITORY / page
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(str(path.relative_to(REPOSITORY))), link


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    named = [text for text in inline_code(page) if _PATH.fullmatch(text)]
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def test_every_page_is_linked_from_the_readme() -> None:
    links = _LINK.findall(prose("README.md"))
    assert [page for page in PAGES if page != "README.md" and page not in links] == []


def test_the_tree_in_the_readme_is_that_of_the_code() -> None:
    drawn: set[str] = set()
    above = ""
    for line in PAGES["README.md"].partition("## Where things are")[2].splitlines():
        if found := re.match(r"([├└]── )?([\w.]+/|\w+\.py) ", line):
            above = above if found[1] else found[2]
            drawn.add(above + found[2] if found[1] else found[2])
    assert [name for name in drawn if not (REPOSITORY / name).exists()] == []
    rooms = {
        f"{package}/{folder.name}/"
        for package in ("workers", "tasks", "web")
        for folder in (REPOSITORY / package).iterdir()
        if (folder / "__init__.py").exists()
    }
    assert rooms - drawn == set()


def test_the_parts_that_workers_names_are_those_of_the_contract_in_its_order() -> None:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one.get("containers") == ["workers"])
    parts = [part for layer in layers for part in layer.split(" | ")]
    assert re.findall(r"``(\w+)``:", workers.__doc__ or "") == parts
