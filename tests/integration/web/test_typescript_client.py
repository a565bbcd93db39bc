"""The TypeScript client in Node and Chromium, at a real bridge and Kafka, over connections that are cut."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.helpers.browser import bundle_client, chromium, needs_chromium, needs_client
from tests.helpers.cutting_proxy import CuttingProxy
from tests.helpers.waiting import wait_for
from tests.integration.web.conftest import Publish, RunningBridge, StartBridge, token_of
from web.live.bridge import Limits

ANA = "ana@example.com"
#: Keeps what it is told in window.seen.
_PAGE = """<!doctype html><title>tab</title><link rel="icon" href="data:,">
<script src="client.js"></script><script>
window.seen = {titles: [], loads: [], states: []};
window.live = client.connect({
  url: "/live", user: "ana", token: () => "%s",
  onResync: (why) => { seen.loads.push(why); }, onState: (state) => { seen.states.push(state); },
});
live.on("todo.created", (event) => seen.titles.push(event.data.todo.title));
</script>"""
_NODE = """
const { connect } = client;
const [url, token] = process.argv.slice(2);
const live = connect({ url, token: () => token, onResync: (why) => console.log(why) });
live.on("todo.created", (event) => console.log(event.data.todo.title));
process.stdin.on("end", () => live.close()).resume();
"""

pytestmark = needs_client


@pytest.fixture
def bridge(start_bridge: StartBridge, tmp_path: Path) -> RunningBridge:
    """It serves the page, and has so little in memory that the log is read for some who come back."""
    bundle_client(tmp_path / "client.js")
    (tmp_path / "index.html").write_text(_PAGE % token_of(ANA))
    return start_bridge(limits=Limits(ring_bytes=4_000), page=tmp_path)


@pytest.fixture
def proxy(bridge: RunningBridge) -> Iterator[CuttingProxy]:
    with CuttingProxy(bridge.address) as proxy:
        yield proxy


def publish_and_cut(publish: Publish, proxy: CuttingProxy, count: int) -> list[str]:
    """Publish events, and cut all connections at random between them; returns their titles.

    Half of the cuts wait for the client to be back: it would miss all others by one cut.
    """
    chance = random.Random(15)
    cuts = chance.sample(range(count), 4)
    published = [str(number) for number in range(count)]
    for number, title in enumerate(published):
        publish(title)
        if number in cuts:
            before = proxy.accepted
            proxy.cut()
            if chance.random() < 0.5:
                wait_for(lambda: proxy.accepted > before)  # noqa: B023 - called at once
    return published


@needs_chromium
def test_tabs_share_a_socket_and_show_each_event_once_and_in_order(
    bridge: RunningBridge, proxy: CuttingProxy, publish: Publish
) -> None:
    with chromium() as browser:
        context = browser.new_context()

        def open_tab() -> Page:
            tab = context.new_page()
            tab.goto(f"http://{proxy.address}/")
            tab.wait_for_function("live.state === 'live' && live.cursor !== null")
            return tab

        first, second = open_tab(), open_tab()
        assert bridge.bridge.status()["clients"] == 1
        before = publish_and_cut(publish, proxy, 40)
        for tab in (first, second):
            tab.wait_for_function("seen.titles.length >= 40")
        first.close()
        after = publish_and_cut(publish, proxy, 40)
        second.wait_for_function("seen.titles.length >= 80")
        third = open_tab()
        publish("last")
        second.wait_for_function("seen.titles.at(-1) === 'last'")
        assert second.evaluate("seen.titles") == [*before, *after, "last"]
        third.wait_for_function("seen.titles.length === 1")
        # Nothing was loaded anew but at the start of each tab: all that was missed came by itself.
        assert [tab.evaluate("seen.loads") for tab in (second, third)] == [["start"], ["start"]]
        assert bridge.bridge.status()["clients"] == 1
        assert proxy.accepted > 8


def test_node_shows_each_event_once_and_in_order(
    proxy: CuttingProxy, publish: Publish, tmp_path: Path
) -> None:
    (tmp_path / "main.js").write_text((tmp_path / "client.js").read_text() + _NODE)
    words = [f"ws://{proxy.address}/live", token_of(ANA)]
    running = subprocess.Popen(
        ["node", "--experimental-websocket", "main.js", *words],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == "start\n"
        published = publish_and_cut(publish, proxy, 40)
        shown = [running.stdout.readline().strip() for _ in published]
        rest, errors = running.communicate(timeout=30)
    assert (shown, rest, running.returncode) == (published, "", 0), errors
    assert proxy.accepted > 3
