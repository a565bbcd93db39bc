"""Which application a command is about, if it names none."""

from __future__ import annotations

from pathlib import Path

import pytest

from web.chatbot.pages import pages
from web.dashboard import installed_pages
from workers import application
from workers.application import DOCTOR_GROUP, additions, is_chatbot, load_broker
from workers.errors import WorkersError


def _install(folder: Path, name: str) -> None:
    """Write what pip leaves of a package with an application, a check of its doctor, and a page."""
    installed = folder / f"{name}-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        f"[todo_workers.apps]\n{name} = {name}:broker\n[todo_workers.doctor]\n{name}-check = {name}:check\n"
        f"[todo_workers.dashboard]\npages = {name}:pages\n"
    )
    (folder / f"{name}.py").write_text(
        "from workers import KafkaBroker\n"
        f"broker = KafkaBroker(namespace='{name}', middleware=[])\n"
        "def check(): return 'all is well'\n"
        f"pages = 'those of {name}'\n"
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_an_application_that_is_installed_besides_goes_before_the_chatbot(installed: Path) -> None:
    """The first by its name was taken: `a_shop`, but no `webshop`."""
    assert is_chatbot(None)
    _install(installed, "webshop")
    assert load_broker(None).topics.namespace == "webshop"
    assert not is_chatbot(None)
    assert additions(DOCTOR_GROUP).keys() == {"webshop-check"}


def test_of_several_one_is_to_be_chosen(installed: Path) -> None:
    for name in ("farm_app", "mill_app"):
        _install(installed, name)
    with pytest.raises(WorkersError, match="choose one by --app: farm_app:broker, mill_app:broker"):
        load_broker(None)
    assert load_broker("mill_app:broker").topics.namespace == "mill_app"


@pytest.mark.parametrize("others", [(), ("barn_app",), ("coop_app", "dairy_app")], ids=len)
def test_the_dashboard_has_the_pages_of_all_that_are_installed(
    installed: Path, others: tuple[str, ...]
) -> None:
    """It is always the chatbot's, and with two others it did not start."""
    for name in others:
        _install(installed, name)
    found: list[object] = list(installed_pages())
    assert len(found) == 1 + len(others)
    assert pages in found
    assert all(f"those of {name}" in found for name in others)


def test_without_any_the_command_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "entry_points", lambda **_: [])
    with pytest.raises(WorkersError, match=r"Name its module, for example --app shop\.actors"):
        load_broker(None)
