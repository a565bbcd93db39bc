"""What the doctor and the status say of the web processes."""

from __future__ import annotations

import pytest

from tests.helpers.waiting import wait_for
from tests.integration.web.conftest import SECRET, StartBridge
from web.access import NotConfigured
from web.checks import check_access, check_bridge, look_at_bridge
from workers import Cluster
from workers.errors import WorkersError


def at(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("WEB_LIVE_PORT", address.rpartition(":")[2])


def test_a_bridge_that_runs_is_looked_at_and_one_that_does_not_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, start_bridge: StartBridge, nowhere: str
) -> None:
    at(monkeypatch, nowhere)
    assert check_bridge() == f"none answers at {nowhere}; todo-workers bridge starts one"
    assert look_at_bridge()[1] == {}
    bridge = start_bridge()
    at(monkeypatch, bridge.address)
    with bridge.client("ana@example.com") as client:
        client.connect()
        assert check_bridge() == f"{bridge.address} follows the log, 1 clients"
        assert look_at_bridge()[1]["clients"] == 1


def test_a_bridge_that_does_not_follow_the_log_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, start_bridge: StartBridge, nowhere: str
) -> None:
    bridge = start_bridge(at=Cluster((nowhere,), connect_timeout_s=0.5), wait=False)
    at(monkeypatch, bridge.address)
    wait_for(lambda: bridge.server.started)
    with pytest.raises(WorkersError, match="DOES NOT FOLLOW THE LOG, 0 clients; check its log"):
        check_bridge()


def test_how_tokens_are_checked_is_said(monkeypatch: pytest.MonkeyPatch, nowhere: str) -> None:
    assert "each start makes one for development" in check_access()
    monkeypatch.setenv("WEB_HOST", "0.0.0.0")
    with pytest.raises(NotConfigured):
        check_access()
    monkeypatch.setenv("WEB_JWT_SECRET", SECRET)
    assert check_access() == "tokens for todo are checked by WEB_JWT_SECRET"
    monkeypatch.delenv("WEB_JWT_SECRET")
    monkeypatch.setenv("WEB_JWT_JWKS", f"http://{nowhere}/keys")
    with pytest.raises(WorkersError, match="no public keys come from"):
        check_access()
