"""The package of the TypeScript client: of our version, and installed from any registry."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from tests.helpers.repository import REPOSITORY

CLIENT = REPOSITORY / "web" / "client"


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CLIENT / name).read_text(encoding="utf-8"))
    return found


def test_its_version_is_ours() -> None:
    ours = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    lock = read("package-lock.json")
    assert read("package.json")["version"] == lock["version"] == lock["packages"][""]["version"] == ours


def test_the_lock_file_has_a_hash_of_each_package_and_names_no_host() -> None:
    lock = read("package-lock.json")
    packages = [package for path, package in lock["packages"].items() if path]
    assert len(packages) > 20
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert not re.search(r"://|resolved", json.dumps(lock))


def test_it_needs_nothing_but_a_react_that_the_page_has() -> None:
    package = read("package.json")
    assert "dependencies" not in package
    assert package["peerDependencies"].keys() == {"react"}
    assert package["peerDependenciesMeta"]["react"]["optional"]
